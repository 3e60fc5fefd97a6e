"""New users of one treatment or another: what was known of each on the first day, and what followed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.exposures import year_of
from experiments.kernels.persons import Persons


@dataclass(frozen=True)
class CohortRows:
    """One row a person who took one of two treatments first.

    ``facts`` [row, (treated, outcome, sex, age, year, earlier events, half)]; the codes a person had on
    earlier days are ``codes[offsets[i] : offsets[i + 1]]``, ascending. Rows are in the order of all they say,
    so that the order and cutting of persons cannot matter.
    """

    facts: NDArray[np.int32]
    offsets: NDArray[np.int64]
    codes: NDArray[np.int32]

    @staticmethod
    def merge(parts: list[CohortRows]) -> CohortRows:
        """The rows of disjoint sets of persons."""
        facts = np.concatenate([part.facts for part in parts])
        lengths = np.concatenate([np.diff(part.offsets) for part in parts])
        starts = np.cumsum(lengths) - lengths
        codes = np.concatenate([part.codes for part in parts])
        own = np.repeat(np.arange(len(lengths)), lengths)
        weight = (codes.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        weight ^= weight >> np.uint64(29)
        known = np.zeros(len(lengths), np.uint64)
        np.add.at(known, own, weight * weight)
        order = np.lexsort((known, *facts.T[::-1]))
        taken = np.repeat(starts[order] - (np.cumsum(lengths[order]) - lengths[order]), lengths[order])
        return CohortRows(
            facts[order],
            np.concatenate([[0], np.cumsum(lengths[order])]).astype(np.int64),
            codes[taken + np.arange(len(codes))],
        )

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Arrays that ``from_arrays`` turns back into these rows."""
        return {"facts": self.facts, "offsets": self.offsets, "codes": self.codes}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> CohortRows:
        """Rows from what ``to_arrays`` gave."""
        return cls(**arrays)  # type: ignore[arg-type]


TREATED, OUTCOME, SEX, AGE, YEAR, PRIOR, HALF = range(7)
FACTS = 7


class CohortPass:
    """Collects the cohort: ``treated`` and ``control`` codes, ``outcomes`` within ``horizon_days`` afterwards.

    A person enters on the first day of either treatment, under the one that came first; who began both on one
    day, had an outcome code by then, or began after day ``until`` (too late to be followed), does not.
    """

    COUNTS: ClassVar[type[CohortRows]] = CohortRows

    def __init__(
        self,
        n_codes: int,
        treated: int,
        control: int,
        outcomes: list[int],
        horizon_days: int,
        until: int = 1 << 30,
    ) -> None:
        self._role = np.zeros(n_codes, np.int8)
        self._role[list(outcomes)] = 3
        self._role[treated], self._role[control] = 1, 2
        self._horizon, self._until = horizon_days, until
        self._parts = [
            CohortRows(np.empty((0, FACTS), np.int32), np.zeros(1, np.int64), np.empty(0, np.int32))
        ]

    def add(self, persons: Persons) -> None:
        """Collect from a batch of whole persons."""
        facts = np.empty((persons.count, FACTS), np.int32)
        lengths = np.empty(persons.count, np.int64)
        codes = np.empty(len(persons.codes), np.int32)
        rows, written = _collect(persons, self._role, self._horizon, self._until, facts, lengths, codes)
        offsets = np.concatenate([[0], np.cumsum(lengths[:rows])]).astype(np.int64)
        self._parts.append(CohortRows(facts[:rows].copy(), offsets, codes[:written].copy()))

    def result(self) -> CohortRows:
        """Everything collected so far."""
        return CohortRows.merge(self._parts)


class EverybodyPass:
    """Collects everybody with their distinct codes: nobody treated, nobody with an outcome; age on the last day."""

    COUNTS: ClassVar[type[CohortRows]] = CohortRows

    def __init__(self, n_codes: int) -> None:
        self._seen = np.full(n_codes, -1, np.int64)
        self._persons = 0
        self._parts = [
            CohortRows(np.empty((0, FACTS), np.int32), np.zeros(1, np.int64), np.empty(0, np.int32))
        ]

    def add(self, persons: Persons) -> None:
        """Collect from a batch of whole persons."""
        facts = np.zeros((persons.count, FACTS), np.int32)
        lengths = np.empty(persons.count, np.int64)
        codes = np.empty(len(persons.codes), np.int32)
        written = _everybody(persons, self._seen, self._persons, facts, lengths, codes)
        self._persons += persons.count
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        self._parts.append(CohortRows(facts, offsets, codes[:written].copy()))

    def result(self) -> CohortRows:
        """Everything collected so far."""
        return CohortRows.merge(self._parts)


@compiled
def _everybody(
    persons: Persons,
    seen: NDArray[np.int64],
    first_person: int,
    facts: NDArray[np.int32],
    lengths: NDArray[np.int64],
    out_codes: NDArray[np.int32],
) -> int:
    offsets, codes, days = persons.offsets, persons.codes, persons.days
    sex, birth_year, half = persons.sex, persons.birth_year, persons.half
    written = 0
    for person in range(len(offsets) - 1):
        start, end = offsets[person], offsets[person + 1]
        begun = written
        for at in range(start, end):
            if seen[codes[at]] != first_person + person:
                seen[codes[at]] = first_person + person
                out_codes[written] = codes[at]
                written += 1
        out_codes[begun:written].sort()
        lengths[person] = written - begun
        facts[person, 2], facts[person, 6] = sex[person], half[person]
        if end > start:
            year = year_of(int(days[end - 1]))
            facts[person, 3], facts[person, 4] = max(year - int(birth_year[person]), 0), year
        facts[person, 5] = written - begun
    return written


@compiled
def _collect(
    persons: Persons,
    role: NDArray[np.int8],
    horizon: int,
    until: int,
    facts: NDArray[np.int32],
    lengths: NDArray[np.int64],
    out_codes: NDArray[np.int32],
) -> tuple[int, int]:
    offsets, codes, days = persons.offsets, persons.codes, persons.days
    sex, birth_year, half = persons.sex, persons.birth_year, persons.half
    rows, written = 0, 0
    for person in range(len(offsets) - 1):
        start, end = offsets[person], offsets[person + 1]
        index, first, ends, outcome = -1, np.int64(0), start, 0
        both, before = False, False
        for at in range(start, end):
            what = role[codes[at]]
            if index < 0 and (what == 1 or what == 2):
                index, first = what, np.int64(days[at])
            elif index >= 0 and days[at] == first and (what == 1 or what == 2) and what != index:
                both = True
            if index < 0 or np.int64(days[at]) == first:
                before = before or what == 3
            elif what == 3 and np.int64(days[at]) <= first + horizon:
                outcome = 1
        if index < 0 or both or before or first > until:
            continue
        while ends < end and np.int64(days[ends]) < first:
            ends += 1
        known = np.unique(codes[start:ends])
        out_codes[written : written + len(known)] = known
        written += len(known)
        lengths[rows] = len(known)
        year = year_of(int(first))
        facts[rows, 0], facts[rows, 1] = 1 if index == 1 else 0, outcome
        facts[rows, 2], facts[rows, 3] = sex[person], max(year - int(birth_year[person]), 0)
        facts[rows, 4], facts[rows, 5], facts[rows, 6] = year, ends - start, half[person]
        rows += 1
    return rows, written
