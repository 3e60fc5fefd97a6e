"""How a run's process ends: by a signal that becomes an error, without a word, or with a reason worth telling."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lakehouse.errors import PatternlakeError


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM raise ``SystemExit`` inside the block, so that what is open is closed as after any error.

    Outside the main thread, where no handler can be set, the block runs as it is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        sys.exit(128 + number)

    before: Callable[..., Any] | int | None = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def alive(process: int) -> bool:
    """Whether a process of this machine still runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return process > 0


def reason_of(error: BaseException) -> str:
    """Why something failed, without a value of anybody: our own refusals in full, others by class and place."""
    if isinstance(error, PatternlakeError):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" in {Path(last[0].filename).name}, line {last[0].lineno}" if last else ""
    return f"{type(error).__name__}{place}"
