"""Third pass: for pairs that passed the screen, counts by stratum and half, lags, and incidence by day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.design import HALVES, PairScanSettings
from experiments.kernels.exposures import ExposureFinder
from experiments.kernels.persons import Persons
from experiments.kernels.reference import EXPOSED, PERSONS_AT_ONCE, ReferenceCounts
from experiments.kernels.strata import StrataIndex

WHAT = 5
OWN_FOLLOWED, OWN_BARRED, EXPOSED_BARRED, EXPOSED_FOLLOWED, LATER_FOLLOWED = range(WHAT)
_PLACES = HALVES * WHAT
_RECORDS_HELD = 1 << 24
_RECORDS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class CalledCounts:
    """Counts for called pairs, in sparse form: parallel arrays, one entry for each cell that is not empty.

    ``pairs`` [n, 2]: codes (a, b). ``cells`` [4, m]: number of the pair, of the stratum in ``keys``, half, and
    what was counted there (see below); ``cell_counts`` [m]. ``lags`` [2, k]: number of the pair and days from
    a to b; ``lag_counts`` [k]. ``incidence`` [code, day]: persons whose first day of the code is
    ``first_day`` + day, for ``codes``. Only strata in which a has exposures are kept.

    What: exposures of a 0 followed by b within the horizon, 1 not at risk of b; exposures of any code by
    persons who have had a by that day (a itself included) 2 not at risk of b, 3 followed by b; and by persons
    who had a only later 4 followed by b after that a.
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
        cells = [(part.cells[0], _place(part.cells[1:]), part.cell_counts) for part in counts]
        lags = [(part.lags[0], part.lags[1], part.lag_counts) for part in counts]
        pair, place, number = _tally(cells, len(head.pairs), _PLACES * len(head.keys))
        lag_pair, lag, lag_number = _tally(lags, len(head.pairs), _longest(lags) + 1)
        first_day, incidence = _add_incidence([(part.first_day, part.incidence) for part in counts])
        return CalledCounts(
            head.pairs,
            head.keys,
            _cells(pair, place),
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


def _place(cells: NDArray[np.int32]) -> NDArray[np.int32]:
    """Stratum, half and what as one number."""
    place: NDArray[np.int32] = (cells[0] * HALVES + cells[1]) * WHAT + cells[2]
    return place


def _cells(pair: NDArray[np.int32], place: NDArray[np.int32]) -> NDArray[np.int32]:
    """Pair, stratum, half and what, from the number that holds the last three."""
    return np.stack([pair, place // _PLACES, place // WHAT % HALVES, place % WHAT])


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
        self._codes = np.unique(self._pairs)
        self._present = reference.cells[:, :, EXPOSED].sum(axis=1) > 0
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
            _cells(cells[0], cells[1]),
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
        person, exposure, most = 0, 0, int(np.diff(exposures.offsets).max(initial=0))
        while person < persons.count:
            room = max(_RECORDS_AT_ONCE, most * (most + 1))
            pairs, places, lags = (np.empty(room, np.int32) for _ in range(3))
            person, exposure, size = _record(
                person,
                exposure,
                exposures.offsets,
                exposures.codes.view(np.uint32),
                exposures.days,
                rows,
                persons.half,
                self._settings.horizon_days,
                self._number,
                self._present,
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
        self._cells = [_tally([*self._cells, nothing], n, _PLACES * len(self._keys))]
        self._lags = [_tally([*self._lags, nothing], n, _longest(self._lags) + 1)]
        self._held = 0


@compiled
def _record(
    first_person: int,
    first_exposure: int,
    offsets: NDArray[np.int64],
    codes: NDArray[np.uint32],
    days: NDArray[np.int32],
    rows: NDArray[np.int32],
    halves: NDArray[np.int8],
    horizon: int,
    number: NDArray[np.int32],
    present: NDArray[np.bool_],
    pairs: NDArray[np.int32],
    places: NDArray[np.int32],
    lags: NDArray[np.int32],
) -> tuple[int, int, int]:
    """Records of the called pairs persons have both codes of; lag -1 where a record tells of no lag.

    Stops before an exposure whose records might not fit. Returns where to go on and the records written.
    """
    size = 0
    for person in range(first_person, len(offsets) - 1):
        start, end, half = offsets[person], offsets[person + 1], np.int64(halves[person])
        for exposure in range(max(start, first_exposure), end):
            if size + (end - start) * (end - start + 1) > len(pairs):
                return person, exposure, size
            a, day_a = codes[exposure], np.int64(days[exposure])
            for other in range(start, end):
                pair = number[a, codes[other]]
                if pair < 0:
                    continue
                day_b = np.int64(days[other])
                own = OWN_FOLLOWED if day_b > day_a else OWN_BARRED
                if day_b - day_a <= horizon:
                    pairs[size] = pair
                    places[size] = (np.int64(rows[exposure]) * HALVES + half) * WHAT + own
                    lags[size] = day_b - day_a if day_b > day_a else -1
                    size += 1
                for any_exposure in range(start, end):
                    day, row = np.int64(days[any_exposure]), rows[any_exposure]
                    what = _what(day, day_a, day_b, horizon)
                    if what >= 0 and present[row, a]:
                        pairs[size] = pair
                        places[size] = (np.int64(row) * HALVES + half) * WHAT + what
                        lags[size] = -1
                        size += 1
    return len(offsets) - 1, 0, size


@compiled
def _what(day: np.int64, day_a: np.int64, day_b: np.int64, horizon: int) -> int:
    """What an exposure on ``day`` of a person with both codes counts as, -1 for nothing out of the common."""
    if day >= day_a and day >= day_b:
        return EXPOSED_BARRED
    if day_b <= day_a or day_b <= day or day_b > day + horizon:
        return -1
    return EXPOSED_FOLLOWED if day >= day_a else LATER_FOLLOWED


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
