"""Which studies are at work in this process, so that each knows of the others; safe with threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lakehouse.governance.observers.observations import Observations


class Stage(Enum):
    """How far a study is: its guard is being set up, its tables can be asked for, what it read is being counted."""

    ENTERING = auto()
    OPEN = auto()
    COUNTING = auto()


class AtWork(Protocol):
    """A study as this register sees it."""

    @property
    def seen(self) -> Observations:
        """What its observer has seen."""


_stages: dict[AtWork, Stage] = {}
_lock = threading.Lock()


def begin(study: AtWork, stage: Stage) -> None:
    """Enter a study; where others are at work, Spark's event log holds them all, and each record says so."""
    with _lock:
        _stages[study] = stage
        if len(_stages) > 1:
            for each in _stages:
                each.seen.shared = True


def opened(study: AtWork) -> None:
    """Note that its tables can be asked for."""
    with _lock:
        _stages[study] = Stage.OPEN


def counting(study: AtWork, unwatched: Callable[[], None]) -> None:
    """Note that nothing more can be asked of it; ``unwatched`` is called where no other study is guarded now.

    It is called before another study can enter, so that it cannot undo what that one's guard sets up.
    """
    with _lock:
        _stages[study] = Stage.COUNTING
        if all(stage is Stage.COUNTING for stage in _stages.values()):
            unwatched()


def ended(study: AtWork) -> None:
    """Strike a study off; again does nothing."""
    with _lock:
        _stages.pop(study, None)


def is_open(study: AtWork) -> bool:
    """Whether its tables can be asked for."""
    return _stages.get(study) is Stage.OPEN


def number() -> int:
    """How many studies are at work."""
    return len(_stages)
