"""The gate before the action: a query's plan is held against the permit before Spark reads for it, and refused then."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lakehouse.spark_internals.process import wrap_frames

ACTIONS = (
    "collect",
    "count",
    "toPandas",
    "toArrow",
    "toLocalIterator",
    "isEmpty",
    "tail",
    "foreach",
    "foreachPartition",
    "localCheckpoint",
    "checkpoint",
    "show",
    "writeTo",
)
PROPERTIES = ("rdd", "write", "writeStream")
"""Where a frame's rows begin to leave it; ``head``, ``first`` and ``take`` end in ``collect``."""

Check = Callable[[Any], None]
_checks: tuple[Check, ...] = ()
_lock = threading.Lock()
_inside = threading.local()
_installed = False


def start(check: Check) -> None:
    """Call ``check`` with every frame before an action on it, until :func:`stop`; what it raises stops the action."""
    global _checks
    with _lock:
        _install()
        _checks = (*_checks, check)


def stop(check: Check) -> None:
    """Stop calling a check."""
    global _checks
    with _lock:
        _checks = tuple(each for each in _checks if each != check)


@contextmanager
def open_gate() -> Iterator[None]:
    """A block whose actions are not checked again: an action that calls another, or the platform's own."""
    before = getattr(_inside, "on", False)
    _inside.on = True
    try:
        yield
    finally:
        _inside.on = before


def _ask(frame: Any) -> None:
    if _checks and not getattr(_inside, "on", False):
        with open_gate():
            for check in _checks:
                check(frame)


def _install() -> None:
    """Put the gate around the actions of Spark's frames, once a process."""
    global _installed
    if _installed:
        return
    wrap_frames(ACTIONS, PROPERTIES, _guarded)
    _installed = True


def _guarded(action: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(action)
    def gated(frame: Any, *arguments: Any, **named: Any) -> Any:
        _ask(frame)
        with open_gate():
            return action(frame, *arguments, **named)

    return gated
