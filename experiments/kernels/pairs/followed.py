"""Second pass: what followed each code, and what its exposures no longer at risk must be taken off for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.design import HALVES, PairScanSettings
from experiments.kernels.exposures import ExposureFinder
from experiments.kernels.pairs.baseline import Baseline
from experiments.kernels.pairs.grouping import Batch, batch_of, order_by
from experiments.kernels.pairs.reference import PERSONS_AT_ONCE
from experiments.kernels.persons import Persons
from experiments.kernels.strata import StrataIndex


@dataclass(frozen=True)
class PairCounts:
    """Counts by ordered pair of codes (a, b), the outcome b first: of all outcomes or of a block of them.

    ``preceded`` [b, a, half]: persons whose first b came after their first a, within the horizon.
    ``beside`` [b, a]: persons whose first days coincide. ``not_at_risk`` [b, a, 4]: sums of p,
    p(1-p) over exposures of a not at risk of b, first against all persons, then, open half alone, against it.
    These are sums of multiples of 2**-``shift``, each exact as a double: the same in whatever order persons
    come.
    """

    preceded: NDArray[np.int32]
    beside: NDArray[np.int32]
    not_at_risk: NDArray[np.float64]
    shift: int

    @property
    def followed(self) -> NDArray[np.int32]:
        """``preceded`` by [a, b, half]."""
        return self.preceded.transpose(1, 0, 2)

    @property
    def same_day(self) -> NDArray[np.int32]:
        """``beside`` by [a, b]."""
        return self.beside.T

    @staticmethod
    def merge(counts: list[PairCounts]) -> PairCounts:
        """Sum of counts over disjoint sets of persons, made against one reference.

        Raises :class:`ValueError` where the references differed.
        """
        if len({part.shift for part in counts}) != 1:
            raise ValueError("pair counts made against different references do not add up")
        return PairCounts(
            _sum([part.preceded for part in counts]),
            _sum([part.beside for part in counts]),
            _sum([part.not_at_risk for part in counts]),
            counts[0].shift,
        )

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Arrays that ``from_arrays`` turns back into these counts."""
        return {
            "preceded": self.preceded,
            "beside": self.beside,
            "not_at_risk": self.not_at_risk,
            "shift": np.array([self.shift], np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> PairCounts:
        """Counts from what ``to_arrays`` gave."""
        return cls(**{**arrays, "shift": int(arrays["shift"][0])})  # type: ignore[arg-type]


class _Counters(NamedTuple):
    """What a pass counts into; axes as in :class:`PairCounts`."""

    preceded: NDArray[np.int32]
    beside: NDArray[np.int32]
    not_at_risk: NDArray[np.float64]


class PairPass:
    """Counts ``PairCounts`` over batches of persons, against the baseline of all of them and for its outcomes."""

    COUNTS: ClassVar[type[PairCounts]] = PairCounts

    def __init__(self, settings: PairScanSettings, baseline: Baseline) -> None:
        n, outcomes = settings.n_codes, baseline.small.shape[3]
        self._settings = settings
        self._finder = ExposureFinder(settings)
        self._baseline = baseline
        self._strata = StrataIndex(baseline.keys)
        self._counters = _Counters(
            np.zeros((outcomes, n, HALVES), np.int32),
            np.zeros((outcomes, n), np.int32),
            np.zeros((outcomes, n, 4)),
        )

    def add(self, persons: Persons) -> None:
        """Count a batch of whole persons, all of whom the reference has seen.

        Raises ValueError where a person falls into a stratum the reference does not know.
        """
        for start in range(0, persons.count, PERSONS_AT_ONCE):
            part = persons.part(start, min(start + PERSONS_AT_ONCE, persons.count))
            exposures = self._finder.find(part)
            met = StrataIndex()
            rows = met.rows(exposures.keys)
            known = self._strata.rows(met.keys)
            if self._strata.count > len(self._baseline.keys):
                raise ValueError("the reference was counted over other persons: a stratum is missing")
            batch = batch_of(exposures, rows, part.half, self._settings.horizon_days, looking_back=True)
            order, starts = order_by(batch.codes, self._settings.n_codes)
            low, high = self._baseline.block
            _count(
                order,
                starts[low : high + 1],
                np.uint32(low),
                batch,
                self._baseline.probabilities(known),
                self._baseline.rounder,
                self._counters,
            )

    def result(self) -> PairCounts:
        """Everything counted so far."""
        return PairCounts(*self._counters, self._baseline.shift)


def _sum(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    """Sum of arrays of one shape and type, added into one."""
    total = arrays[0].copy()
    for array in arrays[1:]:
        total += array
    return total


@compiled
def _count(
    order: NDArray[np.uint32],
    starts: NDArray[np.int64],
    low: np.uint32,
    batch: Batch,
    probabilities: NDArray[np.float64],
    rounder: float,
    counters: _Counters,
) -> None:
    """Every ordered pair of a person's first days once, by the code of the later one.

    Exposures within the horizon before the day of an outcome are followed by it, those from that day on are not
    at risk of it any more; of what is prevalent the latter alone are left. Adding and taking off
    ``rounder`` rounds a p(1-p) to the grid that p already lies on.
    """
    facts, codes, rows = batch
    preceded, beside, not_at_risk = counters
    for code in range(len(starts) - 1):
        p, sums, before, same = probabilities[code], not_at_risk[code], preceded[code], beside[code]
        for at in range(starts[code], starts[code + 1]):
            fact = facts[order[at]]
            half = fact[7]
            for other in range(fact[0], fact[1]):
                before[codes[other], half] += 1
            for other in range(fact[1], fact[2]):
                same[codes[other]] += 1
            same[low + np.uint32(code)] -= np.int32(fact[1] < fact[2])
            if half == 0:
                for other in range(fact[1], fact[4]):
                    a, p_all, p_open = codes[other], p[rows[other], 0], p[rows[other], 1]
                    sums[a, 0] += p_all
                    sums[a, 1] += (p_all * (1.0 - p_all) + rounder) - rounder
                    sums[a, 2] += p_open
                    sums[a, 3] += (p_open * (1.0 - p_open) + rounder) - rounder
            else:
                for other in range(fact[1], fact[4]):
                    a, p_all = codes[other], p[rows[other], 0]
                    sums[a, 0] += p_all
                    sums[a, 1] += (p_all * (1.0 - p_all) + rounder) - rounder
