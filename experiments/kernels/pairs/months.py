"""How often each code is written down in each month: what the screen for breaks in coding looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.passes import SummedCounts
from experiments.kernels.persons import Persons

FIRST_YEAR, YEARS = 1900, 200


@dataclass(frozen=True)
class MonthCounts(SummedCounts):
    """``events`` [code, month]: distinct (person, day, code), months counted from January 1900; days outside
    two centuries count as the nearest month."""

    events: NDArray[np.int64]


class MonthPass:
    """Counts ``MonthCounts`` over batches of persons."""

    COUNTS: ClassVar[type[MonthCounts]] = MonthCounts

    def __init__(self, n_codes: int) -> None:
        self._events = np.zeros((n_codes, 12 * YEARS), np.int64)
        first = np.datetime64(f"{FIRST_YEAR}-01-01")
        days = np.arange(first, np.datetime64(f"{FIRST_YEAR + YEARS}-01-01"))
        months = days.astype("datetime64[M]").astype(np.int64)
        self._start = int(first.astype(np.int64))
        self._months = (months - months[0]).astype(np.int32)

    def add(self, persons: Persons) -> None:
        """Count a batch of whole persons."""
        _count(persons.codes, persons.days, self._start, self._months, self._events)

    def result(self) -> MonthCounts:
        """Everything counted so far."""
        return MonthCounts(self._events)


@compiled
def _count(
    codes: NDArray[np.int32],
    days: NDArray[np.int32],
    start: int,
    months: NDArray[np.int32],
    events: NDArray[np.int64],
) -> None:
    for at in range(len(codes)):
        day = np.int64(days[at]) - start
        if day < 0:
            day = np.int64(0)
        elif day >= len(months):
            day = np.int64(len(months) - 1)
        events[codes[at], months[day]] += 1
