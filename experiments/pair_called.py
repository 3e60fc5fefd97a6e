"""What is reported of a called pair beyond the screen: relative risk, order, lags, replication."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.called_counts import CalledCounts
from experiments.kernels.reference import ReferenceCounts
from experiments.kernels.removed import ALL, EARLY, LATE, LOCKED, exposed_removed
from experiments.statistics.direction import Direction, judge_order, null_effect_ratios
from experiments.statistics.lags import lag_quantiles
from experiments.statistics.relative_risk import RelativeRisk, relative_risk
from experiments.statistics.replication import replicate, replicate_apart


class Called(NamedTuple):
    """One entry a called pair; ``lags`` [pair, share] in days, ``replicated`` (in the locked half)
    and ``replicated_later`` (in later years) 1 yes, 0 no, -1 untested."""

    pairs: NDArray[np.int32]
    risk: RelativeRisk
    direction: Direction
    lags: NDArray[np.float64]
    replicated: NDArray[np.int8]
    replicated_later: NDArray[np.int8]


class Closer(NamedTuple):
    """What one go of the third pass comes to, an entry a pair: see ``exposed_removed``, and the lags in days."""

    sums: NDArray[np.float64]
    lags: NDArray[np.float64]
    nsr: NDArray[np.float64]

    @classmethod
    def of(
        cls, counts: CalledCounts, reference: ReferenceCounts, late: NDArray[np.bool_], window: int
    ) -> Closer:
        """From its counts; ``late`` marks the later strata, ``window`` are the days over which trends are looked at."""
        lags = lag_quantiles(counts.lags, counts.lag_counts, len(counts.pairs))
        return cls(exposed_removed(reference, counts, late), lags, _null_ratios(counts, window))


def look_closer(
    pairs: NDArray[np.int32],
    closer: Closer,
    harmful: NDArray[np.bool_],
    candidate: NDArray[np.bool_],
    followed: NDArray[np.signedinteger],
    level: float,
    tested: int,
) -> Called:
    """Estimates of all called pairs from what the third pass came to.

    ``harmful`` and ``candidate`` run over the pairs; ``followed`` [a, b] counts persons with a first; ``tested``
    pairs were tested in all.
    """
    sums, lags, nsr = closer
    a, b = pairs.T
    order = judge_order(
        followed[a, b].astype(np.float64), followed[b, a].astype(np.float64), nsr, harmful, level
    )
    everybody = sums[:, ALL]
    observed, before, after, variance, uncertainty = np.ascontiguousarray(everybody.T)
    risk = relative_risk(observed, before, after, variance, uncertainty)
    unseen = replicate(sums[:, LOCKED], harmful, candidate, level)
    later = replicate_apart(sums[:, EARLY], sums[:, LATE], harmful, level, tested)
    return Called(pairs, risk, order, lags, unseen, later)


def _null_ratios(counts: CalledCounts, window: int) -> NDArray[np.float64]:
    ratios = null_effect_ratios(counts.incidence, window)
    places = np.searchsorted(counts.codes, counts.pairs)
    return ratios[places[:, 0], places[:, 1]]
