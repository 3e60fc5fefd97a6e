"""Second pass: what followed each code, and what its exposures no longer at risk must be taken off for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.design import HALVES, PairScanSettings
from experiments.kernels.exposures import ExposureFinder
from experiments.kernels.persons import Persons
from experiments.kernels.reference import PERSONS_AT_ONCE, ReferenceCounts
from experiments.kernels.strata import StrataIndex

_FINEST_SHIFT = 45
_DOUBLE_BITS = 52


@dataclass(frozen=True)
class PairCounts:
    """Counts by ordered pair of codes [a, b].

    ``followed`` [a, b, half]: persons whose first b came after their first a, within the horizon.
    ``same_day`` [a, b]: persons whose first days coincide. ``barred`` [a, b, 4]: sums of p, p(1-p) over
    exposures of a not at risk of b, first against all persons, then, open half alone, against the open half.
    These are sums of multiples of 2**-``shift``, each exact as a double: the same in whatever order persons
    come.
    """

    followed: NDArray[np.int32]
    same_day: NDArray[np.int32]
    barred: NDArray[np.float64]
    shift: int

    @staticmethod
    def merge(counts: list[PairCounts]) -> PairCounts:
        """Sum of counts over disjoint sets of persons, made against one reference."""
        if len({part.shift for part in counts}) != 1:
            raise ValueError("pair counts made against different references do not add up")
        return PairCounts(
            np.sum([part.followed for part in counts], axis=0, dtype=np.int32),
            np.sum([part.same_day for part in counts], axis=0, dtype=np.int32),
            np.sum([part.barred for part in counts], axis=0),
            counts[0].shift,
        )

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Arrays that ``from_arrays`` turns back into these counts."""
        return {
            "followed": self.followed,
            "same_day": self.same_day,
            "barred": self.barred,
            "shift": np.array([self.shift], np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> PairCounts:
        """Counts from what ``to_arrays`` gave."""
        return cls(**{**arrays, "shift": int(arrays["shift"][0])})  # type: ignore[arg-type]


class PairPass:
    """Counts ``PairCounts`` over batches of persons, against the reference of all of them."""

    def __init__(self, settings: PairScanSettings, reference: ReferenceCounts) -> None:
        n = settings.n_codes
        self._settings = settings
        self._finder = ExposureFinder(settings)
        self._strata = StrataIndex(reference.keys)
        self._shift = min(_FINEST_SHIFT, _DOUBLE_BITS - int(reference.persons.sum()).bit_length())
        self._rounder = 1.5 * 2.0 ** (_DOUBLE_BITS - self._shift)
        self._p, self._p_open = reference.probabilities(self._rounder)
        self._followed = np.zeros((n, n, HALVES), np.int32)
        self._same_day = np.zeros((n, n), np.int32)
        self._barred = np.zeros((n, n, 4))

    def add(self, persons: Persons) -> None:
        """Count a batch of whole persons, all of whom the reference has seen.

        Raises ValueError where a person falls into a stratum the reference does not know.
        """
        for start in range(0, persons.count, PERSONS_AT_ONCE):
            part = persons.part(start, min(start + PERSONS_AT_ONCE, persons.count))
            exposures = self._finder.find(part)
            rows = self._strata.rows(exposures.keys)
            if self._strata.count > len(self._p):
                raise ValueError("the reference was counted over other persons: a stratum is missing")
            _count(
                exposures.offsets,
                exposures.codes.view(np.uint32),
                exposures.days,
                rows.view(np.uint32),
                part.half.view(np.uint8),
                self._settings.horizon_days,
                self._rounder,
                self._p,
                self._p_open,
                self._followed,
                self._same_day,
                self._barred,
            )

    def result(self) -> PairCounts:
        """Everything counted so far."""
        return PairCounts(self._followed, self._same_day, self._barred, self._shift)


@compiled
def _count(
    offsets: NDArray[np.int64],
    codes: NDArray[np.uint32],
    days: NDArray[np.int32],
    rows: NDArray[np.uint32],
    halves: NDArray[np.uint8],
    horizon: int,
    rounder: float,
    p_all: NDArray[np.float64],
    p_open: NDArray[np.float64],
    followed: NDArray[np.int32],
    same_day: NDArray[np.int32],
    barred: NDArray[np.float64],
) -> None:
    """Every ordered pair of a person's first days once; unsigned indices save a sign check on each.

    Adding and taking off ``rounder`` rounds a p(1-p) to the grid that p already lies on.
    """
    for person in range(len(offsets) - 1):
        start, end, half = offsets[person], offsets[person + 1], halves[person]
        first, reach = start, start
        while first < end:
            day = np.int64(days[first])
            later = first
            while later < end and days[later] == day:
                later += 1
            reach = max(reach, later)
            while reach < end and np.int64(days[reach]) <= day + horizon:
                reach += 1
            for exposure in range(first, later):
                a, row = codes[exposure], rows[exposure]
                for other in range(first, later):
                    same_day[a, codes[other]] += 1
                same_day[a, a] -= 1
                for other in range(later, reach):
                    followed[a, codes[other], half] += 1
                for other in range(start, later):
                    b = codes[other]
                    p = p_all[row, b]
                    barred[a, b, 0] += p
                    barred[a, b, 1] += (p * (1.0 - p) + rounder) - rounder
                if half == 0:
                    for other in range(start, later):
                        b = codes[other]
                        p = p_open[row, b]
                        barred[a, b, 2] += p
                        barred[a, b, 3] += (p * (1.0 - p) + rounder) - rounder
            first = later
