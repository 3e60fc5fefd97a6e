"""Third pass: for pairs that passed the screen, counts by stratum and half, lags, and incidence by day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.design import PairScanSettings
from experiments.kernels.exposures import ExposureFinder
from experiments.kernels.persons import Persons
from experiments.kernels.reference import PERSONS_AT_ONCE, ReferenceCounts
from experiments.kernels.strata import StrataIndex

_RECORDS_HELD = 1 << 24
_RECORDS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class CalledCounts:
    """Counts for called pairs, in sparse form: parallel arrays, one entry for each cell that is not empty.

    ``pairs`` [n, 2]: codes (a, b). ``cells`` [3, m]: number of the pair, of the stratum in ``keys``, and
    2 x half + what, where ``what`` is 0 for exposures of a followed by b and 1 for exposures of a not at risk
    of b; ``cell_counts`` [m]. ``lags`` [2, k]: number of the pair and days from a to b; ``lag_counts`` [k].
    ``incidence`` [code, day]: persons whose first day of the code is ``first_day`` + day, for ``codes``.
    """

    pairs: NDArray[np.int32]
    keys: NDArray[np.int64]
    cells: NDArray[np.int32]
    cell_counts: NDArray[np.int32]
    lags: NDArray[np.int32]
    lag_counts: NDArray[np.int32]
    codes: NDArray[np.int32]
    first_day: int
    incidence: NDArray[np.int32]

    @staticmethod
    def merge(counts: list[CalledCounts]) -> CalledCounts:
        """Sum of counts over disjoint sets of persons, for the same pairs against the same reference."""
        head = counts[0]
        if any(not np.array_equal(part.pairs, head.pairs) for part in counts):
            raise ValueError("counts of different pairs do not add up")
        if any(not np.array_equal(part.keys, head.keys) for part in counts):
            raise ValueError("counts made against different references do not add up")
        cells = [(part.cells[0], part.cells[1] * 4 + part.cells[2], part.cell_counts) for part in counts]
        lags = [(part.lags[0], part.lags[1], part.lag_counts) for part in counts]
        pair, place, number = _tally(cells, len(head.pairs), 4 * len(head.keys))
        lag_pair, lag, lag_number = _tally(lags, len(head.pairs), _longest(lags) + 1)
        first_day, incidence = _add_incidence([(part.first_day, part.incidence) for part in counts])
        return CalledCounts(
            head.pairs,
            head.keys,
            np.stack([pair, place // 4, place % 4]),
            number,
            np.stack([lag_pair, lag]),
            lag_number,
            head.codes,
            first_day,
            incidence,
        )

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Arrays that ``from_arrays`` turns back into these counts."""
        arrays = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**arrays, "first_day": np.array([self.first_day], np.int64)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> CalledCounts:
        """Counts from what ``to_arrays`` gave."""
        return cls(**{**arrays, "first_day": int(arrays["first_day"][0])})  # type: ignore[arg-type]


_Entries = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]


def _longest(entries: list[_Entries]) -> int:
    return max((int(places.max(initial=0)) for _, places, _ in entries), default=0)


def _tally(entries: list[_Entries], n_pairs: int, n_places: int) -> _Entries:
    """Add up entries (pair, place, count): one for each (pair, place) met, in order of both."""
    pairs = np.concatenate([part[0] for part in entries])
    places = np.concatenate([part[1] for part in entries])
    numbers = np.concatenate([part[2] for part in entries])
    starts = np.zeros(n_pairs + 1, np.int64)
    np.cumsum(np.bincount(pairs, minlength=n_pairs), out=starts[1:])
    out = (np.empty(len(pairs), np.int32), np.empty(len(pairs), np.int32), np.empty(len(pairs), np.int32))
    found = _add_up(pairs, places, numbers, starts, np.zeros(n_places, np.int64), *out)
    return out[0][:found].copy(), out[1][:found].copy(), out[2][:found].copy()


def _add_incidence(parts: list[tuple[int, NDArray[np.int32]]]) -> tuple[int, NDArray[np.int32]]:
    """Sum of day-by-day counts that begin on different days."""
    seen = [(day, table) for day, table in parts if table.shape[1]]
    if not seen:
        return parts[0]
    first = min(day for day, _ in seen)
    last = max(day + table.shape[1] for day, table in seen)
    total = np.zeros((seen[0][1].shape[0], last - first), np.int32)
    for day, table in seen:
        total[:, day - first : day - first + table.shape[1]] += table
    return first, total


class CalledPass:
    """Counts ``CalledCounts`` over batches of persons."""

    def __init__(
        self, settings: PairScanSettings, reference: ReferenceCounts, pairs: NDArray[np.int32]
    ) -> None:
        n = settings.n_codes
        self._settings = settings
        self._pairs = np.ascontiguousarray(pairs, np.int32).reshape(-1, 2)
        self._keys = reference.keys
        self._strata = StrataIndex(reference.keys)
        self._finder = ExposureFinder(settings)
        self._number = np.full((n, n), -1, np.int32)
        self._number[self._pairs[:, 0], self._pairs[:, 1]] = np.arange(len(self._pairs))
        self._called = self._number >= 0
        self._codes = np.unique(self._pairs)
        self._place = np.full(n, -1, np.int32)
        self._place[self._codes] = np.arange(len(self._codes))
        self._incidence = (0, np.zeros((len(self._codes), 0), np.int32))
        self._cells: list[_Entries] = []
        self._lags: list[_Entries] = []
        self._held = 0

    def add(self, persons: Persons) -> None:
        """Count a batch of whole persons, all of whom the reference has seen.

        Raises ValueError where a person falls into a stratum the reference does not know.
        """
        for start in range(0, persons.count, PERSONS_AT_ONCE):
            self._add(persons.part(start, min(start + PERSONS_AT_ONCE, persons.count)))

    def result(self) -> CalledCounts:
        """Everything counted so far."""
        self._compact()
        cells, lags = self._cells[0], self._lags[0]
        return CalledCounts(
            self._pairs,
            self._keys,
            np.stack([cells[0], cells[1] // 4, cells[1] % 4]),
            cells[2],
            np.stack([lags[0], lags[1]]),
            lags[2],
            self._codes,
            *self._incidence,
        )

    def _add(self, persons: Persons) -> None:
        exposures = self._finder.find(persons)
        rows = self._strata.rows(exposures.keys)
        if self._strata.count > len(self._keys):
            raise ValueError("the reference was counted over other persons: a stratum is missing")
        self._count_incidence(exposures.codes, exposures.days)
        start, most = 0, int(np.diff(exposures.offsets).max(initial=0))
        while start < persons.count:
            room = max(_RECORDS_AT_ONCE, most * most)
            pairs, places, lags = (np.empty(room, np.int32) for _ in range(3))
            start, size = _record(
                start,
                exposures.offsets,
                exposures.codes.view(np.uint32),
                exposures.days,
                rows,
                persons.half,
                self._settings.horizon_days,
                self._called,
                self._number,
                pairs,
                places,
                lags,
            )
            self._keep(pairs[:size], places[:size], lags[:size])

    def _keep(self, pairs: NDArray[np.int32], places: NDArray[np.int32], lags: NDArray[np.int32]) -> None:
        ones = np.ones(len(pairs), np.int32)
        followed = lags >= 0
        self._cells.append((pairs.copy(), places.copy(), ones))
        self._lags.append((pairs[followed], lags[followed], ones[followed]))
        self._held += len(pairs)
        if self._held > _RECORDS_HELD:
            self._compact()

    def _count_incidence(self, codes: NDArray[np.int32], days: NDArray[np.int32]) -> None:
        place = self._place[codes]
        wanted = place >= 0
        if not wanted.any():
            return
        place, day = place[wanted].astype(np.int64), days[wanted].astype(np.int64)
        first = int(day.min())
        width = int(day.max()) - first + 1
        table = np.bincount(place * width + day - first, minlength=len(self._codes) * width)
        parts = [self._incidence, (first, table.reshape(-1, width).astype(np.int32))]
        self._incidence = _add_incidence(parts)

    def _compact(self) -> None:
        empty = np.empty(0, np.int32)
        nothing = (empty, empty, empty)
        n = len(self._pairs)
        self._cells = [_tally([*self._cells, nothing], n, 4 * len(self._keys))]
        self._lags = [_tally([*self._lags, nothing], n, _longest(self._lags) + 1)]
        self._held = 0


@compiled
def _record(
    first_person: int,
    offsets: NDArray[np.int64],
    codes: NDArray[np.uint32],
    days: NDArray[np.int32],
    rows: NDArray[np.int32],
    halves: NDArray[np.int8],
    horizon: int,
    called: NDArray[np.bool_],
    number: NDArray[np.int32],
    pairs: NDArray[np.int32],
    places: NDArray[np.int32],
    lags: NDArray[np.int32],
) -> tuple[int, int]:
    """One record for each called pair a person has: followed within the horizon, or not at risk (lag -1).

    Stops before the person whose records might not fit. Returns (persons done, records written).
    """
    size = 0
    for person in range(first_person, len(offsets) - 1):
        start, end, half = offsets[person], offsets[person + 1], np.int64(halves[person])
        if size + (end - start) * (end - start) > len(pairs):
            return person, size
        for exposure in range(start, end):
            day, place = np.int64(days[exposure]), np.int64(rows[exposure]) * 4 + 2 * half
            for other in range(start, end):
                if not called[codes[exposure], codes[other]]:
                    continue
                lag = np.int64(days[other]) - day
                if lag > horizon:
                    continue
                pairs[size] = number[codes[exposure], codes[other]]
                places[size] = place + (1 if lag <= 0 else 0)
                lags[size] = lag if lag > 0 else -1
                size += 1
    return len(offsets) - 1, size


@compiled
def _add_up(
    pairs: NDArray[np.int32],
    places: NDArray[np.int32],
    numbers: NDArray[np.int32],
    starts: NDArray[np.int64],
    totals: NDArray[np.int64],
    out_pairs: NDArray[np.int32],
    out_places: NDArray[np.int32],
    out_numbers: NDArray[np.int32],
) -> int:
    """Sort by pair, then add up the places of each pair in an array as wide as there are places."""
    order = np.empty(len(pairs), np.int64)
    filled = starts[:-1].copy()
    for at in range(len(pairs)):
        order[filled[pairs[at]]] = at
        filled[pairs[at]] += 1
    found = 0
    for pair in range(len(starts) - 1):
        first = found
        for at in range(starts[pair], starts[pair + 1]):
            place = places[order[at]]
            if totals[place] == 0:
                out_places[found] = place
                found += 1
            totals[place] += numbers[order[at]]
        out_places[first:found].sort()
        for at in range(first, found):
            out_pairs[at] = pair
            out_numbers[at] = totals[out_places[at]]
            totals[out_places[at]] = 0
    return found
