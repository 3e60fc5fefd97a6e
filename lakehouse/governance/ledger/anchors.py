"""Anchors: places outside the lake that each keep every entry's hash and the signed head of the ledger's tree."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehouse.governance.ledger.check import LEAF_LINE, LedgerFault

KEPT_EVERY = 256
"""Entries after which a head is kept for good; the newest one is always there."""


@dataclass(frozen=True)
class Head:
    """A signed statement: a ledger of ``size`` entries has this Merkle root."""

    size: int
    root: str
    time: str
    sig: str

    def to_json(self) -> str:
        """One line."""
        return json.dumps(self.__dict__, sort_keys=True)


def newest(folder: Path) -> dict[str, Any] | None:
    """The newest head an anchor holds, if any; :class:`LedgerFault` where it is not readable."""
    path = folder / "head.json"
    if not path.is_file():
        return None
    try:
        head: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return head if int(head["size"]) >= 0 else None
    except (ValueError, KeyError, TypeError):
        raise LedgerFault(0, f"cannot be told: the head in {folder} is not readable") from None


def write(folder: Path, head: Head, leaf: str, public: bytes) -> None:
    """Add one entry to an anchor: its hash, then the head over it; on disk before this returns.

    A hash that a killed writer left behind without a head is overwritten. Raises :class:`LedgerFault` where earlier
    entries are missing in the anchor.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = folder / "ledger.pub"
    if not key.is_file():
        key.write_bytes(public)
    descriptor = os.open(folder / "leaves", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        place = (head.size - 1) * LEAF_LINE
        if os.fstat(descriptor).st_size < place:
            raise LedgerFault(
                os.fstat(descriptor).st_size // LEAF_LINE + 1, f"has no hash in the anchor {folder}"
            )
        os.truncate(descriptor, place)
        os.pwrite(descriptor, f"{leaf}\n".encode("ascii"), place)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if head.size % KEPT_EVERY == 0:
        with (folder / "heads.jsonl").open("a", encoding="utf-8") as file:
            file.write(head.to_json() + "\n")
    temporary = folder / "head.tmp"
    with temporary.open("w", encoding="utf-8") as file:
        file.write(head.to_json() + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / "head.json")
