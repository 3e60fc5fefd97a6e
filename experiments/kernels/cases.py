"""Persons who had an event and the medicine: when each of them was seen, started, and fell ill; for the case series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.persons import Persons


@dataclass(frozen=True)
class Cases:
    """One column a case of a pair, in order: pair, first day seen, last day seen, day of the event, start, birth year.

    Every case of an event counts, also those who never had the medicine (start -1e9): they tell what age does.
    """

    columns: NDArray[np.int32]

    @staticmethod
    def merge(counts: list[Cases]) -> Cases:
        """All cases, in an order that does not depend on who counted them."""
        joined = np.concatenate([each.columns for each in counts], axis=1)
        return Cases(joined[:, np.lexsort(joined[::-1])])

    def to_arrays(self) -> dict[str, NDArray[np.int32]]:
        """The one array."""
        return {"columns": self.columns}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.int32]]) -> Cases:
        """Cases from what ``to_arrays`` gave."""
        return cls(arrays["columns"])


NEVER = -1_000_000_000
"""Start of those who never had the medicine."""


class CasePass:
    """Collects :class:`Cases` of ``pairs`` [n, 2] (medicine, event) over batches of persons."""

    COUNTS: ClassVar[type[Cases]] = Cases

    def __init__(
        self, n_codes: int, pairs: NDArray[np.int32], span: tuple[int, int], terminal: tuple[int, ...] = ()
    ) -> None:
        self._pairs, self._span = np.ascontiguousarray(pairs, np.int32), span
        self._terminal = np.zeros(n_codes, np.bool_)
        self._terminal[list(terminal)] = True
        self._first = np.full(n_codes, NEVER, np.int64)
        self._parts: list[NDArray[np.int32]] = []

    def add(self, persons: Persons) -> None:
        """Look through a batch of whole persons."""
        room = np.empty((6, max(persons.count * len(self._pairs), 1)), np.int32)
        found = _collect(persons, self._pairs, self._terminal, self._span, self._first, room)
        self._parts.append(room[:, :found].copy())

    def result(self) -> Cases:
        """All cases so far."""
        return Cases.merge([Cases(part) for part in self._parts] or [Cases(np.empty((6, 0), np.int32))])


@compiled
def _collect(
    persons: Persons,
    pairs: NDArray[np.int32],
    terminal: NDArray[np.bool_],
    span: tuple[int, int],
    first: NDArray[np.int64],
    room: NDArray[np.int32],
) -> int:
    offsets, codes, days, birth_year = persons.offsets, persons.codes, persons.days, persons.birth_year
    low, high = span
    found = 0
    for person in range(len(offsets) - 1):
        start, end = offsets[person], offsets[person + 1]
        until = np.int64(high)
        for at in range(start, end):
            if first[codes[at]] == -1_000_000_000:
                first[codes[at]] = days[at]
            if terminal[codes[at]]:
                until = min(until, np.int64(days[at]))
        for pair in range(len(pairs)):
            ill = first[pairs[pair, 1]]
            if ill != -1_000_000_000 and ill <= until:
                room[0, found], room[1, found], room[2, found], room[3, found] = pair, low, until, ill
                room[4, found], room[5, found] = first[pairs[pair, 0]], birth_year[person]
                found += 1
        for at in range(start, end):
            first[codes[at]] = -1_000_000_000
    return found
