"""What the third pass counts, in sparse form, and how such counts add up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.design import HALVES

WHAT = 5
OWN_FOLLOWED, OWN_NOT_AT_RISK, EXPOSED_NOT_AT_RISK, EXPOSED_FOLLOWED, LATER_FOLLOWED = range(WHAT)
PLACES = HALVES * WHAT


@dataclass(frozen=True)
class SignificantCounts:
    """Counts for significant pairs, in sparse form: parallel arrays, one entry for each cell that is not empty.

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
    def merge(counts: list[SignificantCounts]) -> SignificantCounts:
        """Sum of counts over disjoint sets of persons, for the same pairs against the same reference.

        Raises :class:`ValueError` where the pairs or the strata of the references differ.
        """
        head = counts[0]
        if any(not np.array_equal(part.pairs, head.pairs) for part in counts):
            raise ValueError("counts of different pairs do not add up")
        if any(not np.array_equal(part.keys, head.keys) for part in counts):
            raise ValueError("counts made against different references do not add up")
        cells = [(part.cells[0], _place(part.cells[1:]), part.cell_counts) for part in counts]
        lags = [(part.lags[0], part.lags[1], part.lag_counts) for part in counts]
        pair, place, number = tally(cells, len(head.pairs), PLACES * len(head.keys))
        lag_pair, lag, lag_number = tally(lags, len(head.pairs), longest(lags) + 1)
        first_day, incidence = add_incidence([(part.first_day, part.incidence) for part in counts])
        return SignificantCounts(
            head.pairs,
            head.keys,
            cells_of(pair, place),
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
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> SignificantCounts:
        """Counts from what ``to_arrays`` gave."""
        return cls(**{**arrays, "first_day": int(arrays["first_day"][0])})  # type: ignore[arg-type]


class PairNumbers(NamedTuple):
    """Numbers of pairs (a, b): ``number[place[a], column of b]``, -1 where the pair is none; ``place`` [code] is -1 for
    codes of no pair. The column of b is ``place[b]`` or, where outcomes are not numbered apart, b itself."""

    place: NDArray[np.int32]
    number: NDArray[np.int32]


class Records(NamedTuple):
    """Room for what is written of pairs [record]: number of the pair, and what was counted there as one number."""

    pairs: NDArray[np.int32]
    places: NDArray[np.int32]


Entries = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]


def _place(cells: NDArray[np.int32]) -> NDArray[np.int32]:
    """Stratum, half and what as one number."""
    place: NDArray[np.int32] = (cells[0] * HALVES + cells[1]) * WHAT + cells[2]
    return place


def cells_of(pair: NDArray[np.int32], place: NDArray[np.int32]) -> NDArray[np.int32]:
    """Pair, stratum, half and what, from the number that holds the last three.

    ``pair`` and ``place`` [entry]; returns [4, entry].
    """
    return np.stack([pair, place // PLACES, place // WHAT % HALVES, place % WHAT])


def longest(entries: list[Entries]) -> int:
    """Largest place among all entries [entry], 0 where there are none."""
    return max((int(places.max(initial=0)) for _, places, _ in entries), default=0)


def tally(entries: list[Entries], n_pairs: int, n_places: int) -> Entries:
    """Add up entries (pair, place, count): one for each (pair, place) met, in order of both."""
    pairs = np.concatenate([part[0] for part in entries])
    places = np.concatenate([part[1] for part in entries])
    numbers = np.concatenate([part[2] for part in entries])
    starts = np.zeros(n_pairs + 1, np.int64)
    np.cumsum(np.bincount(pairs, minlength=n_pairs), out=starts[1:])
    out = (np.empty(len(pairs), np.int32), np.empty(len(pairs), np.int32), np.empty(len(pairs), np.int32))
    found = _add_up(pairs, places, numbers, starts, np.zeros(n_places, np.int64), *out)
    return out[0][:found].copy(), out[1][:found].copy(), out[2][:found].copy()


def add_incidence(parts: list[tuple[int, NDArray[np.int32]]]) -> tuple[int, NDArray[np.int32]]:
    """Sum of day-by-day counts that begin on different days.

    Each part is (first day, counts [code, day]), days counted from 1970-01-01; so is the sum.
    """
    seen = [(day, table) for day, table in parts if table.shape[1]]
    if not seen:
        return parts[0]
    first = min(day for day, _ in seen)
    last = max(day + table.shape[1] for day, table in seen)
    total = np.zeros((seen[0][1].shape[0], last - first), np.int32)
    for day, table in seen:
        total[:, day - first : day - first + table.shape[1]] += table
    return first, total


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
