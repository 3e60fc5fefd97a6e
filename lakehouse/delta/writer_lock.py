"""One writer a lake: a lock that names its process and falls with it."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lakehouse.errors import DataError

LAST_WORDS_SECONDS = 60.0
"""How long a dead writer's Spark may take to end before its lake is taken over."""


def started(pid: int) -> str:
    """When a process started, so that a number used again is not taken for the old process; empty when gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        if not Path("/proc/self").exists():
            return alive(pid)
        return ""
    return "" if fields[0] == "Z" else fields[19]


def alive(pid: int) -> str:
    """Where there is no /proc: whether a process is there at all."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return "running"
    return "running"


@contextmanager
def only_writer(path: Path, processes: list[int]) -> Iterator[None]:
    """Hold the lock file while the block runs; ``processes`` are those that write (this one and its JVM).

    The operating system frees the lock when its holder dies, however it dies. A killed holder's JVM may live
    on for moments and still commit, so whoever takes over waits for every process the file names.
    Raises :class:`DataError` where another writer holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(
                f"Another ingest is writing to this lake (process {holder(path)}).",
                "Two writers at once would undo each other's work.",
                "Wait until it has ended and repeat the command.",
            ) from None
        wait_for_the_dead(path, processes)
        handle.truncate(0)
        handle.write(json.dumps({str(pid): started(pid) for pid in processes}))
        handle.flush()
        try:
            yield
        finally:
            handle.truncate(0)


def named(path: Path) -> dict[str, Any]:
    """Processes the lock file names, with their start; empty when it names none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8") or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def holder(path: Path) -> str:
    """The writing process, for a message."""
    return next(iter(named(path)), "unknown")


def wait_for_the_dead(path: Path, ours: list[int]) -> None:
    """Wait until no process of an earlier, killed writer is left; :class:`DataError` when one does not end."""
    deadline = time.monotonic() + LAST_WORDS_SECONDS
    for pid, began in named(path).items():
        while int(pid) not in ours and began and started(int(pid)) == began:
            if time.monotonic() > deadline:
                raise DataError(
                    f"Process {pid} of an earlier ingest still runs.",
                    "It may still write to the lake.",
                    f"End it ('kill {pid}') and repeat the command.",
                )
            time.sleep(0.2)
