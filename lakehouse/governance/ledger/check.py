"""Verify a ledger with this one file: hash chain, Merkle roots, signed heads, anchors; needs no Spark and no platform.

Copy it to an auditor's machine and run ``python ledger_check.py LEDGER --anchor DIR [--anchor DIR] [--key PUBLIC]``.
Hashes are those of RFC 6962: a leaf is SHA-256(0x00 || entry), a node SHA-256(0x01 || left || right), where the
entry is its canonical JSON (sorted keys, no spaces) without ``hash`` and ``sig``. Heads are signed with Ed25519
(package ``cryptography``).
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START = "0" * 64
"""Hash before the first entry."""

LEAF_LINE = 65
"""Bytes of one line of an anchor's ``leaves``: 64 hex digits and a line end."""


class LedgerFault(Exception):
    """The ledger does not hold; ``number`` is the first bad entry."""

    def __init__(self, number: int, what: str) -> None:
        self.number, self.what = number, what
        super().__init__(f"entry {number} {what}")


def canonical(entry: dict[str, Any]) -> bytes:
    """The bytes an entry is hashed over."""
    body = {key: value for key, value in entry.items() if key not in ("hash", "sig")}
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def leaf_hash(data: bytes) -> bytes:
    """RFC 6962 hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 hash of a pair."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def add_leaf(size: int, peaks: list[bytes], leaf: bytes) -> None:
    """Add a leaf to the perfect subtrees (largest first) that make up a tree of ``size`` leaves."""
    peaks.append(leaf)
    while size & 1:
        right = peaks.pop()
        peaks[-1] = node_hash(peaks[-1], right)
        size >>= 1


def root_of(peaks: Iterable[bytes]) -> bytes:
    """Root over the perfect subtrees, largest first; of no leaf the hash of nothing."""
    parts = list(peaks)
    if not parts:
        return hashlib.sha256(b"").digest()
    root = parts.pop()
    while parts:
        root = node_hash(parts.pop(), root)
    return root


def head_bytes(head: dict[str, Any]) -> bytes:
    """What a head's signature is over."""
    return (
        b"patternlake-head:"
        + json.dumps([head["size"], head["root"], head["time"]], separators=(",", ":")).encode()
    )


def signed_by(key: bytes, signature: str, message: bytes) -> bool:
    """Whether an Ed25519 signature (hex) over a message was made with a public key (32 bytes)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass
class Place:
    """One anchor: hashes of all entries, the newest signed head, and every earlier head that was kept."""

    folder: Path
    heads: dict[int, dict[str, Any]] = field(default_factory=dict)
    size: int = 0

    @classmethod
    def read(cls, folder: Path, key: bytes | None) -> Place:
        """An anchor with its heads' signatures checked; a missing folder is an empty anchor.

        Raises :class:`LedgerFault` where a head is not readable, not signed by the key, or contradicts another.
        """
        place = cls(folder)
        newest = folder / "head.json"
        lines = [newest.read_text("utf-8")] if newest.is_file() else []
        earlier = folder / "heads.jsonl"
        lines = [*(earlier.read_text("utf-8").splitlines() if earlier.is_file() else []), *lines]
        for line in lines:
            try:
                head = json.loads(line)
                size = int(head["size"])
                genuine = key is None or signed_by(key, head["sig"], head_bytes(head))
            except (ValueError, KeyError, TypeError):
                raise LedgerFault(
                    place.size + 1, f"follows a head in {folder} that is not readable"
                ) from None
            if not genuine:
                raise LedgerFault(
                    size, f"is the last under a head in {folder} that the ledger's key did not sign"
                )
            other = place.heads.get(size)
            if other is not None and other["root"] != head["root"]:
                raise LedgerFault(size, f"has two different heads in {folder}")
            place.heads[size] = head
            place.size = max(place.size, size)
        return place

    def leaves(self) -> Iterator[str]:
        """Hash of every anchored entry in order."""
        path = self.folder / "leaves"
        if path.is_file():
            with path.open("r", encoding="ascii", errors="replace") as lines:
                for line in lines:
                    yield line.rstrip("\n")


@dataclass
class Findings:
    """What a ledger that holds still has to say."""

    entries: int = 0
    newest: str = START
    root: str = ""
    open_intents: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            f"The ledger holds: {self.entries} entries, newest {self.newest[:16]}, root {self.root[:16]}."
        ]
        lines += [f"Intent without a receipt: run {run}." for run in self.open_intents]
        return "\n".join([*lines, *self.remarks])


def check(ledger: Path, anchors: Iterable[Path], key: bytes | None) -> Findings:
    """Recompute everything; raises :class:`LedgerFault` naming the first bad entry.

    Without ``key`` signatures are not looked at. Anchors are compared with the ledger and with one another.
    """
    places = [Place.read(folder, key) for folder in anchors]
    _agree(places)
    anchored = max((place.size for place in places), default=0)
    leaves = [(place, place.leaves()) for place in places]
    found, size, clock = Findings(), 0, ""
    peaks: list[bytes] = []
    waiting: dict[str, None] = {}
    for line in _lines(ledger):
        if size >= anchored and not line.endswith("\n"):
            found.remarks.append(f"An unfinished line follows entry {size}: its writer was stopped.")
            break
        entry = _sound(line, size + 1, found.newest, clock)
        digest = str(entry["hash"])
        for place, hashes in leaves:
            known = next(hashes, None) if size < place.size else None
            if size < place.size and known != digest:
                raise LedgerFault(size + 1, f"is another than the one anchored in {place.folder}")
        add_leaf(size, peaks, bytes.fromhex(digest))
        size += 1
        _heads(places, size, peaks)
        if size > anchored and places and key is not None:
            _unanchored(entry, size, anchored, key)
        found.entries, found.newest, clock = size, digest, str(entry["time"])
        _pair(entry, waiting)
    if size < anchored:
        raise LedgerFault(size + 1, "is missing: an anchor knows a longer ledger")
    found.root = root_of(peaks).hex()
    found.open_intents = list(waiting)
    if places and size > anchored:
        found.remarks.append(f"Entry {size} is signed but not yet anchored: its writer was stopped.")
    behind = [place for place in places if place.size < anchored - 1]
    found.remarks += [f"The anchor in {place.folder} ends at entry {place.size}." for place in behind]
    return found


def _lines(ledger: Path) -> Iterator[str]:
    if ledger.is_file():
        with ledger.open(encoding="utf-8", errors="replace") as lines:
            yield from lines


def _sound(line: str, number: int, previous: str, clock: str) -> dict[str, Any]:
    """An entry that fits the one before it."""
    try:
        entry: dict[str, Any] = json.loads(line)
        digest = leaf_hash(canonical(entry)).hex()
        stated = (entry["number"], entry["previous"], entry["hash"], str(entry["time"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise LedgerFault(number, "is not readable") from None
    if stated[0] != number:
        raise LedgerFault(number, f"carries number {stated[0]}")
    if stated[1] != previous:
        raise LedgerFault(number, "does not follow the entry before it")
    if stated[2] != digest:
        raise LedgerFault(number, "was changed after it was written")
    if stated[3] < clock:
        raise LedgerFault(number, f"is dated {stated[3]}, before the entry it follows ({clock})")
    return entry


def _agree(places: list[Place]) -> None:
    """Anchors must tell one history: where two part is where a fork began."""
    for one, other in itertools.pairwise(places):
        shared = min(one.size, other.size)
        for number, (mine, theirs) in enumerate(zip(one.leaves(), other.leaves(), strict=False), 1):
            if number <= shared and mine != theirs:
                raise LedgerFault(number, f"differs between the anchors {one.folder} and {other.folder}")
        for size in one.heads.keys() & other.heads.keys():
            if one.heads[size]["root"] != other.heads[size]["root"]:
                raise LedgerFault(size, f"has different heads in {one.folder} and {other.folder}")


def _heads(places: list[Place], size: int, peaks: list[bytes]) -> None:
    root = ""
    for place in places:
        if (head := place.heads.get(size)) is not None:
            root = root or root_of(peaks).hex()
            if head["root"] != root:
                raise LedgerFault(size, f"does not lead to the root signed in {place.folder}")


def _unanchored(entry: dict[str, Any], size: int, anchored: int, key: bytes) -> None:
    if size > anchored + 1:
        raise LedgerFault(anchored + 1, "and those after it stand in no anchor")
    if not signed_by(key, str(entry.get("sig", "")), bytes.fromhex(entry["hash"])):
        raise LedgerFault(size, "stands in no anchor and was not signed by the ledger's key")


def _pair(entry: dict[str, Any], waiting: dict[str, None]) -> None:
    """Keep runs whose intent no receipt has answered yet."""
    body = entry.get("body")
    run = body.get("run") if isinstance(body, dict) else None
    if entry.get("kind") == "intent" and run:
        waiting[str(run)] = None
    elif entry.get("kind") == "receipt":
        waiting.pop(str(run), None)


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit code 0 when the ledger holds, 14 when it does not."""
    parser = argparse.ArgumentParser(description="Verify a ledger; names the first bad entry.")
    parser.add_argument("ledger", type=Path)
    parser.add_argument("--anchor", type=Path, action="append", default=[], help="folder of an anchor")
    parser.add_argument("--key", type=Path, help="public key (32 bytes); without it no signature is checked")
    given = parser.parse_args(arguments)
    try:
        print(check(given.ledger, given.anchor, given.key.read_bytes() if given.key else None))
    except LedgerFault as broken:
        print(f"The ledger is broken: {broken}.", file=sys.stderr)
        return 14
    return 0


if __name__ == "__main__":
    sys.exit(main())
