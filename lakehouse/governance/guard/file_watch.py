"""Notices when Python code of the driver opens a file of the lake itself instead of asking the study."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lakehouse.governance.access.platform_reads import is_platform_at_work
from lakehouse.governance.guard.side_doors import READERS

OPENING = ("open", "os.link", "os.symlink", "os.rename")
STARTING = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn")
WATCHED = frozenset((*OPENING, *STARTING, "import"))
HARMLESS = frozenset(("fc-list", "git", "ldconfig", "lscpu", "nproc", "uname"))
"""Programs that libraries start to learn about the machine; none reads data."""
LAYERS = ("bronze", "silver", "gold", "meta", "quarantine")


class FileWatch:
    """Reports every opening of a file below the lake's tables, or of a key, while it is active.

    Python's audit events reach us for ``open``, ``os.open``, ``pathlib`` and everything built on them, also
    from libraries written in Python; ``side_doors`` adds Arrow's readers. Libraries that open files in C or Rust raise
    no event, nor do other processes: that one was loaded or started is given to ``doubt``, since what it read
    cannot be known. ``others`` says whether a path belongs to another study.
    """

    _installed = False
    _active: tuple[FileWatch, ...] = ()
    _lock = threading.Lock()

    def __init__(
        self,
        lake: Path,
        keys: Path,
        report: Callable[[str], None],
        others: Callable[[str], bool] = lambda path: False,
        doubt: Callable[[str], None] = lambda what: None,
    ) -> None:
        root = os.path.realpath(lake)
        self.tables = tuple(f"{root}/{layer}" for layer in LAYERS)
        self.keys = os.path.realpath(keys)
        self.report, self.others, self.doubt = report, others, doubt

    def start(self) -> None:
        """Begin to watch; the one process-wide hook is installed at the first time and never leaves."""
        with FileWatch._lock:
            FileWatch._active = (*FileWatch._active, self)
            if not FileWatch._installed:
                FileWatch._installed = True
                sys.addaudithook(_hook)

    def stop(self) -> None:
        """Stop watching."""
        with FileWatch._lock:
            FileWatch._active = tuple(watch for watch in FileWatch._active if watch is not self)

    def notice(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Judge one audit event."""
        if event in OPENING:
            if (path := self.hit(arguments[0])) is not None:
                self.report(f"Python opened {path}")
        elif event == "import":
            if arguments[0] in READERS:
                self.doubt(f"{arguments[0]} was loaded, which opens files unseen")
        elif text := " ".join(_words(arguments)):
            found = next((root for root in (*self.tables, self.keys) if root in text), None)
            if found is not None:
                self.report(f"A process was started over {found}")
            elif os.path.basename(text.split()[0]) not in HARMLESS:  # noqa: PTH119
                self.doubt("a process was started, and what it read cannot be known")

    def hit(self, given: Any) -> str | None:
        """The real path of what was opened, when it is a file of a table or lies with the keys."""
        if isinstance(given, int) or given is None:
            return None
        try:
            path = os.path.realpath(os.fsdecode(given))
        except (TypeError, ValueError, OSError):
            return None
        inside = any(path == root or path.startswith(root + os.sep) for root in self.tables)
        closed = inside or path.startswith(self.keys + os.sep) or self.others(path)
        return path if closed else None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not FileWatch._active or event not in WATCHED:
        return
    if is_platform_at_work():
        return
    for watch in FileWatch._active:
        watch.notice(event, arguments)


def _words(value: Any) -> list[str]:
    if isinstance(value, (str, bytes, os.PathLike)):
        return [os.fsdecode(value)]
    if isinstance(value, (list, tuple)):
        return [word for item in value for word in _words(item)]
    return []
