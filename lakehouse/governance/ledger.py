"""The ledger: an append-only, hash-chained list of intents and receipts; no values, no pseudonyms, only facts and digests.

Each run writes an intent before its first read and a receipt after its last. Every entry carries the hash
of the one before, and the newest hash is kept a second time beside the keys, so editing, deleting,
reordering, inserting and cutting off the end are all found by :func:`verify`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lakehouse.errors import ScopeBreach
from lakehouse.settings import Settings

START = "0" * 64
"""Hash before the first entry."""


def ledger_path(settings: Settings) -> Path:
    """The ledger's file, beside the lake and never in it."""
    return settings.home / "ledger" / "ledger.jsonl"


def anchor_path(settings: Settings) -> Path:
    """Where the newest hash is kept a second time."""
    return settings.keys / "ledger.anchor"


def entry_hash(entry: dict[str, Any]) -> str:
    """SHA-256 over the canonical form of an entry without its own hash."""
    body = {key: value for key, value in entry.items() if key != "hash"}
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def entries(settings: Settings) -> Iterator[dict[str, Any]]:
    """All entries in order, as they stand in the file; an unreadable line is a breach that names it."""
    path = ledger_path(settings)
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise broken(number, "is not readable") from error


def append(settings: Settings, kind: str, body: dict[str, Any]) -> str:
    """Write one entry and return its hash. On disk before it returns, or an error: never a silent loss.

    ``kind`` is ``intent`` or ``receipt`` (later also release, re-identification, erasure); ``body`` holds
    ids, digests, versions and counts of at least the small-cell floor.
    """
    path = ledger_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(path):
        number, previous = _settled(settings)
        entry: dict[str, Any] = {
            "number": number + 1,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "kind": kind,
            "body": body,
            "previous": previous,
        }
        entry["hash"] = entry_hash(entry)
        _append_line(path, json.dumps(entry, sort_keys=True, ensure_ascii=False))
        _write_anchor(settings, entry["number"], entry["hash"])
    return str(entry["hash"])


def verify(settings: Settings) -> str:
    """Recompute the chain; one sentence when it holds, :class:`ScopeBreach` naming the first bad entry when not."""
    number, previous = 0, START
    for entry in entries(settings):
        number += 1
        if entry.get("number") != number:
            raise broken(number, f"carries number {entry.get('number')}")
        if entry.get("previous") != previous:
            raise broken(number, "does not follow the entry before it")
        if entry.get("hash") != entry_hash(entry):
            raise broken(number, "was changed after it was written")
        previous = entry["hash"]
    if (number, previous) not in (_anchor(settings), _settled(settings)):
        raise broken(number + 1, "is missing: the anchor knows a longer or another ledger")
    return f"The ledger holds: {number} entries, newest {previous[:16]}."


def broken(number: int, what: str) -> ScopeBreach:
    """The refusal for a ledger that does not hold."""
    return ScopeBreach(
        f"The ledger is broken: entry {number} {what}.",
        "Nothing recorded from there on can be relied upon.",
        "Keep the file as it is and tell the data unit.",
    )


def _anchor(settings: Settings) -> tuple[int, str]:
    path = anchor_path(settings)
    if not path.is_file():
        return 0, START
    number, _, newest = path.read_text(encoding="utf-8").strip().partition(" ")
    return int(number), newest


def _settled(settings: Settings) -> tuple[int, str]:
    """The anchor, or the one entry after it that a killed writer had written but not yet anchored."""
    number, newest = _anchor(settings)
    path = ledger_path(settings)
    if path.is_file() and (last := _last_line(path)):
        with contextlib.suppress(json.JSONDecodeError):
            entry = json.loads(last)
            if (entry.get("number"), entry.get("previous")) == (number + 1, newest):
                return number + 1, str(entry["hash"])
    return number, newest


def _last_line(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65536))
        return file.read().decode(errors="replace").rstrip("\n").rpartition("\n")[2]


def _write_anchor(settings: Settings, number: int, newest: str) -> None:
    path = anchor_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(f"{number} {newest}\n", encoding="utf-8")
    temporary.replace(path)


def _append_line(path: Path, line: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, (line + "\n").encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
