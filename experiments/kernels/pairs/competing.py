"""When the outcome, death or the end of observation came after an exposure: counts by day for significant pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.pairs.significant_counts import Entries, PairNumbers, Records, tally
from experiments.kernels.persons import Persons

DEATH, CENSORED = 0, 1
KINDS = 4
OUTCOME, LESS_DEATH, LESS_CENSORED, NOT_AT_RISK = range(KINDS)
_RECORDS_HELD = 1 << 24


class FollowUp(NamedTuple):
    """What ends a follow-up: ``horizon_days``, the codes of ``deaths``, and the code that stands on each
    person's last day of observation (``end``, -1 where the timelines carry none). First days less than
    ``washout_days`` after a person's first event are no exposures."""

    n_codes: int
    horizon_days: int
    deaths: tuple[int, ...]
    end: int
    washout_days: int = 0


class _FollowUpEnds(NamedTuple):
    """A :class:`FollowUp` as a kernel needs it; ``final`` [code] says which codes are deaths."""

    horizon: int
    end_code: int
    washout: int
    final: NDArray[np.bool_]


class _Margins(NamedTuple):
    """What is counted of the exposures; axes as in :class:`CompetingCounts`."""

    exposed: NDArray[np.int64]
    margins: NDArray[np.int64]


@dataclass(frozen=True)
class CompetingCounts:
    """Counts by day since the exposure, for pairs (a, b), additive over persons.

    ``pairs`` [n, 2]; ``codes`` the exposures among them, ``exposed`` [code] persons with each. ``margins``
    [code, 0 death or 1 end of observation, day]: when follow-up ended among all of them, had there been no
    outcome. ``entries`` [3, m] and ``entry_counts`` [m], one for each cell that is not empty: number of the
    pair, kind, day. Kinds: outcome on that day; persons with outcome, or not at risk, whose death, or end of
    observation, on that day must be taken off the margins; persons not at risk (day 0).
    """

    pairs: NDArray[np.int32]
    codes: NDArray[np.int32]
    exposed: NDArray[np.int64]
    margins: NDArray[np.int64]
    entries: NDArray[np.int32]
    entry_counts: NDArray[np.int32]

    @staticmethod
    def merge(counts: list[CompetingCounts]) -> CompetingCounts:
        """Sum of counts over disjoint sets of persons, for the same pairs.

        Raises :class:`ValueError` where the pairs differ.
        """
        head = counts[0]
        if any(not np.array_equal(part.pairs, head.pairs) for part in counts):
            raise ValueError("counts of different pairs do not add up")
        days = head.margins.shape[2]
        parts = [(c.entries[0], c.entries[1] * days + c.entries[2], c.entry_counts) for c in counts]
        pair, place, number = tally(parts, len(head.pairs), KINDS * days)
        return CompetingCounts(
            head.pairs,
            head.codes,
            np.sum([part.exposed for part in counts], axis=0),
            np.sum([part.margins for part in counts], axis=0),
            np.stack([pair, place // days, place % days]),
            number,
        )

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Arrays that ``from_arrays`` turns back into these counts."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> CompetingCounts:
        """Counts from what ``to_arrays`` gave."""
        return cls(**arrays)  # type: ignore[arg-type]

    def by_day(self, pair: int) -> tuple[int, NDArray[np.int64]]:
        """Persons at risk on the day of exposure, and [day, (outcomes, deaths, ends)] of one pair."""
        place = int(np.searchsorted(self.codes, self.pairs[pair, 0]))
        low, high = np.searchsorted(self.entries[0], [pair, pair + 1])
        table = np.zeros((KINDS, self.margins.shape[2]), np.int64)
        table[self.entries[1, low:high], self.entries[2, low:high]] = self.entry_counts[low:high]
        days = np.stack(
            [
                table[OUTCOME],
                self.margins[place, DEATH] - table[LESS_DEATH],
                self.margins[place, CENSORED] - table[LESS_CENSORED],
            ],
            axis=1,
        )
        return int(self.exposed[place] - table[NOT_AT_RISK, 0]), days


class CompetingPass:
    """Counts ``CompetingCounts`` over batches of persons."""

    COUNTS: ClassVar[type[CompetingCounts]] = CompetingCounts

    def __init__(self, follow_up: FollowUp, pairs: NDArray[np.int32]) -> None:
        self._follow_up = follow_up
        self._pairs = np.ascontiguousarray(pairs, np.int32).reshape(-1, 2)
        self._codes = np.unique(self._pairs[:, 0]).astype(np.int32)
        n = follow_up.n_codes
        place = np.full(n, -1, np.int32)
        place[self._codes] = np.arange(len(self._codes))
        number = np.full((len(self._codes), n), -1, np.int32)
        number[place[self._pairs[:, 0]], self._pairs[:, 1]] = np.arange(len(self._pairs))
        self._numbers = PairNumbers(place, number)
        final = np.zeros(n, bool)
        final[list(follow_up.deaths)] = True
        self._ends = _FollowUpEnds(follow_up.horizon_days, follow_up.end, follow_up.washout_days, final)
        self._days = follow_up.horizon_days + 1
        self._margins = _Margins(
            np.zeros(len(self._codes), np.int64), np.zeros((len(self._codes), 2, self._days), np.int64)
        )
        self._parts: list[Entries] = []
        self._held = 0

    def add(self, persons: Persons) -> None:
        """Count a batch of whole persons."""
        most = int(np.diff(persons.offsets).max(initial=0))
        person = 0
        first, order = np.full(self._follow_up.n_codes, -1, np.int32), np.empty(most, np.int32)
        while person < persons.count:
            room = max(1 << 20, 2 * most * most)
            records = Records(np.empty(room, np.int32), np.empty(room, np.int32))
            person, size = _record(
                person, persons, self._ends, self._numbers, first, order, self._margins, records
            )
            pairs, places = records.pairs[:size].copy(), records.places[:size].copy()
            self._parts.append((pairs, places, np.ones(size, np.int32)))
            self._held += size
            if self._held > _RECORDS_HELD:
                self._compact()

    def result(self) -> CompetingCounts:
        """Everything counted so far."""
        self._compact()
        pair, place, number = self._parts[0]
        entries = np.stack([pair, place // self._days, place % self._days])
        return CompetingCounts(self._pairs, self._codes, *self._margins, entries, number)

    def _compact(self) -> None:
        empty = np.empty(0, np.int32)
        self._parts = [tally([*self._parts, (empty, empty, empty)], len(self._pairs), KINDS * self._days)]
        self._held = 0


@compiled
def _record(
    first_person: int,
    persons: Persons,
    ends: _FollowUpEnds,
    numbers: PairNumbers,
    first: NDArray[np.int32],
    met: NDArray[np.int32],
    counts: _Margins,
    records: Records,
) -> tuple[int, int]:
    """Stops before a person whose records might not fit; returns that person and the records written.

    ``first[code]`` holds a person's first day of each code met, -1 between persons (as a day, one is added).
    """
    offsets, codes, days = persons.offsets, persons.codes, persons.days
    horizon, end_code, washout, final = ends
    place, number = numbers
    exposed, margins = counts
    out_pairs, out_places = records
    size, width = 0, horizon + 1
    for person in range(first_person, len(offsets) - 1):
        start, stop = offsets[person], offsets[person + 1]
        if size + 2 * (stop - start) * (stop - start) > len(out_pairs):
            return person, size
        known, death, last = 0, -1, -1
        for at in range(start, stop):
            code = codes[at]
            if code == end_code:
                last = at
            elif first[code] < 0:
                first[code], met[known] = at - start, code
                known += 1
                if final[code] and death < 0:
                    death = at
        for index in range(known):
            a = met[index]
            if place[a] < 0:
                continue
            day_a = np.int64(days[start + first[a]])
            if (last >= 0 and days[last] < day_a) or day_a - days[start] < washout:
                continue
            kind, over = -1, np.int64(width)
            if last >= 0 and days[last] - day_a < width:
                kind, over = CENSORED, np.int64(days[last]) - day_a
            if death >= 0 and 0 <= days[death] - day_a <= min(over, horizon):
                kind, over = DEATH, np.int64(days[death]) - day_a
            exposed[place[a]] += 1
            if kind >= 0:
                margins[place[a], kind, over] += 1
            for other in range(known):
                b = met[other]
                pair = number[place[a], b]
                if pair < 0:
                    continue
                lag = np.int64(days[start + first[b]]) - day_a
                not_at_risk = lag <= 0
                if not not_at_risk and (lag > horizon or lag > over):
                    continue
                out_pairs[size], out_places[size] = (
                    pair,
                    NOT_AT_RISK * width if not_at_risk else OUTCOME * width + lag,
                )
                size += 1
                if kind >= 0:
                    out_pairs[size] = pair
                    out_places[size] = (LESS_DEATH if kind == DEATH else LESS_CENSORED) * width + over
                    size += 1
        for index in range(known):
            first[met[index]] = -1
    return len(offsets) - 1, size
