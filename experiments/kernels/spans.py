"""From when to when anybody was seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.persons import Persons


@dataclass(frozen=True)
class Span:
    """First and last day of any event, and how many persons have one; of nobody, an empty span."""

    first_day: int = 2**31 - 1
    last_day: int = -(2**31)
    persons: int = 0

    @staticmethod
    def merge(counts: list[Span]) -> Span:
        """The span around all of them."""
        return Span(
            min(each.first_day for each in counts),
            max(each.last_day for each in counts),
            sum(each.persons for each in counts),
        )

    def to_arrays(self) -> dict[str, NDArray[np.int64]]:
        """One array [3]: first day, last day (days since 1970), persons."""
        return {"span": np.array([self.first_day, self.last_day, self.persons], np.int64)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.int64]]) -> Span:
        """The span of what ``to_arrays`` gave: one array [3] of first day, last day, persons."""
        return cls(*(int(value) for value in arrays["span"]))


class SpanPass:
    """Finds the :class:`Span` of batches of persons."""

    COUNTS: ClassVar[type[Span]] = Span

    def __init__(self) -> None:
        self._span = Span()

    def add(self, persons: Persons) -> None:
        """Widen the span by a batch."""
        if len(persons.days):
            some = int((np.diff(persons.offsets) > 0).sum())
            mine = Span(int(persons.days.min()), int(persons.days.max()), some)
            self._span = Span.merge([self._span, mine])

    def result(self) -> Span:
        """The span so far."""
        return self._span
