"""Treatment in subpopulations: outcomes seen and expected after each treatment, by what persons had before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.design import HALVES, PairScanSettings, without_washout
from experiments.kernels.exposures import ExposureFinder, Exposures
from experiments.kernels.pairs.reference import ReferenceCounts
from experiments.kernels.passes import SummedCounts
from experiments.kernels.persons import Persons
from experiments.kernels.strata import StrataIndex

_GRID = 2.0**40
"""Sums are kept in whole numbers of 1 / _GRID, so that they are the same in whatever order persons come."""


class Figures(NamedTuple):
    """At risk, O, E and V by treatment, group and outcome."""

    at_risk: NDArray[np.int64]
    observed: NDArray[np.int64]
    expected: NDArray[np.float64]
    variance: NDArray[np.float64]


@dataclass(frozen=True)
class CareCounts(SummedCounts):
    """Exposures at risk of each outcome: ``seen`` [half, treatment, group, outcome, (at risk, followed)]
    and ``expected`` [..., (Σ p, Σ p(1-p))] in units of ``2**-40``.

    Group 0 is everybody; the others are persons who had the group's code on an earlier day.
    """

    seen: NDArray[np.int64]
    expected: NDArray[np.int64]

    def figures(self, half: int | None = None) -> Figures:
        """At risk, O, E and V by treatment, group and outcome, of one half or of everybody."""
        seen = self.seen.sum(axis=0) if half is None else self.seen[half]
        sums = (self.expected.sum(axis=0) if half is None else self.expected[half]) / _GRID
        return Figures(seen[..., 0], seen[..., 1], sums[..., 0], sums[..., 1])


class CareCodes(NamedTuple):
    """Place of each code [code] among the treatments, the groups (from 1) and the outcomes; -1 where it is none."""

    treatment: NDArray[np.int32]
    group: NDArray[np.int32]
    outcome: NDArray[np.int32]


class CarePass:
    """Counts ``CareCounts`` over batches of persons, against a reference that has seen all of them."""

    COUNTS: ClassVar[type[CareCounts]] = CareCounts

    def __init__(
        self,
        settings: PairScanSettings,
        reference: ReferenceCounts,
        treatments: NDArray[np.int32],
        groups: NDArray[np.int32],
        outcomes: NDArray[np.int32],
    ) -> None:
        self._settings = without_washout(settings)
        self._finder = ExposureFinder(settings)
        self._strata = StrataIndex(reference.keys)
        n, m = reference.at_risk(), reference.outcomes()
        chosen = np.asarray(outcomes, np.int64)
        self._p = np.divide(
            m[:, chosen], n[:, chosen], out=np.zeros((len(n), len(chosen))), where=n[:, chosen] > 0
        )
        n_codes = settings.n_codes
        self._codes = CareCodes(
            _place(treatments, n_codes, 0), _place(groups, n_codes, 1), _place(outcomes, n_codes, 0)
        )
        shape = (HALVES, len(treatments), len(groups) + 1, len(outcomes), 2)
        self._seen, self._expected = np.zeros(shape, np.int64), np.zeros(shape, np.int64)

    def add(self, persons: Persons) -> None:
        """Count a batch of whole persons."""
        exposures = self._finder.find(persons)
        rows = self._strata.rows(exposures.keys)
        _count(
            exposures,
            rows,
            persons.half,
            self._settings.horizon_days,
            self._codes,
            self._p,
            self._seen,
            self._expected,
        )

    def result(self) -> CareCounts:
        """Everything counted so far."""
        return CareCounts(self._seen, self._expected)


def _place(codes: NDArray[np.int32], n_codes: int, first: int) -> NDArray[np.int32]:
    place = np.full(n_codes, -1, np.int32)
    place[np.asarray(codes, np.int64)] = np.arange(first, first + len(codes))
    return place


@compiled
def _count(
    exposures: Exposures,
    rows: NDArray[np.int32],
    halves: NDArray[np.int8],
    horizon: int,
    places: CareCodes,
    p: NDArray[np.float64],
    seen: NDArray[np.int64],
    expected: NDArray[np.int64],
) -> None:
    offsets, codes, days = exposures.offsets, exposures.codes, exposures.days
    treatment_at, group_at, outcome_at = places
    n_outcomes = p.shape[1]
    lag = np.empty(n_outcomes, np.int64)
    for person in range(len(offsets) - 1):
        start, end, half = offsets[person], offsets[person + 1], halves[person]
        for exposure in range(start, end):
            treatment = treatment_at[codes[exposure]]
            if treatment < 0:
                continue
            day = np.int64(days[exposure])
            lag[:] = horizon + 1
            for other in range(start, end):
                outcome = outcome_at[codes[other]]
                if outcome >= 0:
                    lag[outcome] = np.int64(days[other]) - day
            for other in range(start - 1, end):
                group = 0
                if other >= start:
                    if np.int64(days[other]) >= day:
                        break
                    group = group_at[codes[other]]
                    if group < 0:
                        continue
                for outcome in range(n_outcomes):
                    if lag[outcome] <= 0:
                        continue
                    chance = p[rows[exposure], outcome]
                    seen[half, treatment, group, outcome, 0] += 1
                    if lag[outcome] <= horizon:
                        seen[half, treatment, group, outcome, 1] += 1
                    expected[half, treatment, group, outcome, 0] += np.int64(chance * 2.0**40 + 0.5)
                    expected[half, treatment, group, outcome, 1] += np.int64(
                        chance * (1.0 - chance) * 2.0**40 + 0.5
                    )
