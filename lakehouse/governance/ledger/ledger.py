"""The ledger: an append-only list of intents and receipts under signed Merkle roots; no values, no pseudonyms.

Each run writes an intent before its first read and a receipt after its last. Every entry carries the hash of the
one before and a signature; after every entry the root over all of them is signed and written to at least two
anchors outside the lake. What cannot be written and anchored is an error, so nothing is done unrecorded.
``check.py`` beside this file verifies all of it alone.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lakehouse.errors import ConfigurationError, ScopeBreach
from lakehouse.governance.ledger import anchors
from lakehouse.governance.ledger.check import (
    START,
    LedgerFault,
    add_leaf,
    canonical,
    check,
    head_bytes,
    leaf_hash,
    root_of,
)
from lakehouse.governance.ledger.signing import key_at, public_key, sign
from lakehouse.settings import Settings

CLOCK_SLACK = timedelta(minutes=2)
"""A clock set back by less than this is corrected by time servers; by more it is refused."""

NEVER = re.compile(r"(?<![0-9a-f])[0-9a-f]{34}(?![0-9a-f])|(?<![0-9A-Za-z.:-])\d{6}-?\d{4}(?![0-9A-Za-z.:-])")
"""A person token or a person number: neither may ever stand in the ledger."""


def ledger_path(settings: Settings) -> Path:
    """The ledger's file, beside the lake and never in it."""
    return settings.home / "ledger" / "ledger.jsonl"


def key_path(settings: Settings) -> Path:
    """The private key that signs entries and roots."""
    return settings.keys / "ledger.key"


def entries(settings: Settings) -> Iterator[dict[str, Any]]:
    """All entries in order, as they stand in the file; :class:`ScopeBreach` that names the first unreadable line."""
    path = ledger_path(settings)
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise broken(LedgerFault(number, "is not readable")) from error


def append(settings: Settings, kind: str, body: dict[str, Any]) -> str:
    """Write one entry and return its hash. Written, signed and anchored before it returns, or an error.

    ``kind`` is ``intent``, ``receipt``, ``release``, ``re-identification``, ``erasure``, …; ``body`` holds ids,
    digests, versions, names of officials and counts of at least the small-cell floor. A ``run`` in it ties an
    intent to its receipt. Raises :class:`ConfigurationError` when it cannot be written, :class:`ScopeBreach`
    when the ledger does not hold, :class:`ValueError` when the body holds a person token or number.
    """
    if NEVER.search(json.dumps(body, ensure_ascii=False)):
        raise ValueError("a ledger entry may hold no person token and no person number")
    path = ledger_path(settings)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(path):
            return _append(settings, path, kind, body)
    except LedgerFault as error:
        raise broken(error) from error
    except OSError as error:
        raise ConfigurationError(
            f"The ledger cannot be written: {error.strerror or type(error).__name__} ({error.filename or path}).",
            "Nothing may be read that is not recorded first.",
            "Make room, or make the ledger's folder and every anchor reachable again.",
        ) from error


@dataclass
class Tail:
    """Where the ledger ends: its tree's perfect subtrees, newest hash and time."""

    size: int = 0
    newest: str = START
    time: str = ""
    peaks: list[bytes] = field(default_factory=list)

    def add(self, entry: dict[str, Any]) -> None:
        """Go on by one entry."""
        add_leaf(self.size, self.peaks, bytes.fromhex(entry["hash"]))
        self.size, self.newest, self.time = self.size + 1, str(entry["hash"]), str(entry["time"])


def _append(settings: Settings, path: Path, kind: str, body: dict[str, Any]) -> str:
    key = key_at(key_path(settings))
    tail = _tail(settings, path)
    places = anchor_places(settings)
    _even(settings, path, tail, places, key)
    entry: dict[str, Any] = {
        "number": tail.size + 1,
        "time": _now(tail),
        "kind": kind,
        "body": body,
        "previous": tail.newest,
    }
    entry = json.loads(json.dumps(entry))
    digest = leaf_hash(canonical(entry)).hex()
    entry["hash"], entry["sig"] = digest, sign(key, bytes.fromhex(digest))
    _append_line(path, json.dumps(entry, sort_keys=True, ensure_ascii=False))
    tail.add(entry)
    _anchor(places, tail, key)
    _keep_tail(path, tail)
    return digest


def anchor_places(settings: Settings) -> tuple[Path, ...]:
    """Folders outside the lake that hold signed heads: the profile's ``anchors``, else two beside the lake."""
    return settings.anchors or (settings.home / "anchor", settings.keys / "anchor")


def verify(settings: Settings) -> str:
    """Recompute everything; what is found when it holds, :class:`ScopeBreach` naming the first bad entry when not."""
    key = key_path(settings)
    path = ledger_path(settings)
    if not path.is_file() and not key.is_file():
        return "The ledger holds: 0 entries."
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(path):
            return str(check(path, anchor_places(settings), public_key(key)))
    except LedgerFault as error:
        raise broken(error) from error


def broken(error: LedgerFault) -> ScopeBreach:
    """The refusal for a ledger that does not hold."""
    return ScopeBreach(
        f"The ledger is broken: {error}.",
        "Nothing recorded from there on can be relied upon.",
        "Keep the files as they are and tell the data unit.",
    )


def _anchor(places: tuple[Path, ...], tail: Tail, key: Path) -> None:
    head = {"size": tail.size, "root": root_of(tail.peaks).hex(), "time": tail.time}
    signed = anchors.Head(**head, sig=sign(key, head_bytes(head)))  # type: ignore[arg-type]
    for place in places:
        anchors.write(place, signed, tail.newest, public_key(key))


def _even(settings: Settings, path: Path, tail: Tail, places: tuple[Path, ...], key: Path) -> None:
    """Every anchor must hold what the ledger holds; one that a killed writer left one behind, or a new one, is filled."""
    root = root_of(tail.peaks).hex()
    for place in places:
        head = anchors.newest(place)
        size = int(head["size"]) if head else 0
        if head and size == tail.size:
            if head["root"] != root:
                raise LedgerFault(size, f"does not lead to the root signed in {place}")
        elif size > tail.size:
            raise LedgerFault(tail.size + 1, f"is missing: the anchor in {place} knows a longer ledger")
        elif size and size < tail.size - 1:
            raise LedgerFault(size + 1, f"and those after it stand in no anchor in {place}")
        elif tail.size:
            check(path, [each for each in places if each != place], public_key(key))
            _fill(settings, place, size, key)


def _fill(settings: Settings, place: Path, size: int, key: Path) -> None:
    """Write the entries an anchor lacks into it, once the others have confirmed the ledger."""
    tail = Tail()
    for entry in entries(settings):
        tail.add(entry)
        if tail.size > size:
            _anchor((place,), tail, key)


def _tail(settings: Settings, path: Path) -> Tail:
    """The end of the ledger as noted beside it, gone on by an entry a killed writer had written; else recomputed."""
    _cut_torn(path)
    last = json.loads(line) if (line := _last_line(path)) else None
    tail = _noted(path)
    if last is None or (tail.size, tail.newest) == (last.get("number"), last.get("hash")):
        if last is None and tail.size:
            raise LedgerFault(1, "is missing: the ledger is empty and was not")
        return tail
    if (tail.size + 1, tail.newest) != (last.get("number"), last.get("previous")):
        tail = Tail()
        for entry in entries(settings):
            tail.add(entry)
        check(path, anchor_places(settings), public_key(key_path(settings)))
        return tail
    check(path, anchor_places(settings), public_key(key_path(settings)))
    tail.add(last)
    return tail


def _noted(path: Path) -> Tail:
    note = path.with_name("tail.json")
    try:
        held = json.loads(note.read_text("utf-8"))
        return Tail(
            held["size"], held["newest"], held["time"], [bytes.fromhex(peak) for peak in held["peaks"]]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return Tail()


def _keep_tail(path: Path, tail: Tail) -> None:
    note = path.with_name("tail.json")
    temporary = note.with_suffix(".tmp")
    held = {**tail.__dict__, "peaks": [peak.hex() for peak in tail.peaks]}
    temporary.write_text(json.dumps(held), "utf-8")
    temporary.replace(note)


def _cut_torn(path: Path) -> None:
    """Take away a last line without an end: its writer was killed in the middle and nobody was told it was written."""
    if not path.is_file() or not (size := path.stat().st_size):
        return
    with path.open("rb+") as file:
        file.seek(-1, os.SEEK_END)
        if file.read() == b"\n":
            return
        file.seek(max(0, size - (1 << 20)))
        rest = file.read()
        file.truncate(size - len(rest) + rest.rfind(b"\n") + 1)


def _last_line(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - (1 << 20)))
        return file.read().decode(errors="replace").rstrip("\n").rpartition("\n")[2]


def _append_line(path: Path, line: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    before, content = os.fstat(descriptor).st_size, (line + "\n").encode()
    try:
        if os.write(descriptor, content) < len(content):
            os.ftruncate(descriptor, before)
            raise OSError(28, "No space left on device", str(path))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _now(tail: Tail) -> str:
    """This moment, never before the last entry; a clock that was set back is refused."""
    now = datetime.now(UTC)
    if tail.time and (last := datetime.fromisoformat(tail.time)) > now:
        if last - now > CLOCK_SLACK:
            raise ConfigurationError(
                f"The clock says {now.isoformat(timespec='seconds')}, the ledger's last entry {tail.time}.",
                "An entry dated before the one it follows would prove nothing.",
                "Set the clock right.",
            )
        return tail.time
    return now.isoformat(timespec="seconds")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
