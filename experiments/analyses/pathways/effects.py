"""Which pathways end otherwise: counts of features by stratum in, adjusted risk ratios out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.statistics.error_control.multiplicity import q_values
from experiments.statistics.error_control.replication import replicate
from experiments.statistics.estimates.mantel_haenszel import AdjustedRiskRatios, Strata, adjusted_risk_ratios


class Effects(NamedTuple):
    """By feature: persons compared with it, adjusted risk ratio, whether tested, q-values, whether significant, and
    whether found again in the locked half (-1 where the open half alone does not call it)."""

    persons: NDArray[np.int64]
    risk: AdjustedRiskRatios
    tested: NDArray[np.bool_]
    q_bh: NDArray[np.float64]
    q_by: NDArray[np.float64]
    significant: NDArray[np.bool_]
    replicated: NDArray[np.int8]


def feature_effects(
    cells: NDArray[np.int64],
    counts: NDArray[np.float64],
    totals: NDArray[np.float64],
    features: int,
    min_persons: int,
    level: float,
) -> Effects:
    """Compare pathways with each feature to those without it in the same stratum.

    ``cells`` [cell, (feature, stratum, half)]; ``counts`` [cell, (pathways with the feature, of them with the
    outcome)]; ``totals`` [stratum, half, (pathways, with outcome)]. A feature is tested where at least
    ``min_persons`` have it and as many do not, whatever their outcome. A feature significant in the open half is found
    again where the locked half agrees, one-sided, corrected for how many are asked.
    """
    feature, stratum, half = cells.T

    def risks(chosen: NDArray[np.bool_], whole: NDArray[np.float64]) -> AdjustedRiskRatios:
        n1, a = counts[chosen].T
        n, m = whole[stratum[chosen]].T
        return adjusted_risk_ratios(merged(feature[chosen], stratum[chosen], n1, a, n, m), features)

    everybody = np.ones(len(cells), bool)
    risk = risks(everybody, totals.sum(axis=1))
    with_it = np.bincount(feature, weights=counts[:, 0], minlength=features).astype(np.int64)
    without = int(totals[..., 0].sum()) - with_it
    tested = (with_it >= min_persons) & (without >= min_persons)
    q_bh, q_by = q_values(risk.log10_p, tested)
    significant = tested & (np.nan_to_num(q_bh, nan=1.0) <= level)
    opened, locked = risks(half == 0, totals[:, 0]), risks(half == 1, totals[:, 1])
    q_open, _ = q_values(opened.log10_p, tested)
    more = opened.observed > opened.expected
    candidate = tested & (np.nan_to_num(q_open, nan=1.0) <= level)
    zero = np.zeros(features)
    sums = np.stack([locked.observed, locked.expected, zero, locked.variance, zero], axis=1)
    return Effects(with_it, risk, tested, q_bh, q_by, significant, replicate(sums, more, candidate, level))


def merged(
    feature: NDArray[np.int64],
    stratum: NDArray[np.int64],
    n1: NDArray[np.float64],
    a: NDArray[np.float64],
    n: NDArray[np.float64],
    m: NDArray[np.float64],
) -> Strata:
    """One entry for each feature and stratum, the halves of it added up; ``n`` and ``m`` are of the whole stratum.

    All arrays [cell], a cell being a feature, stratum and half; returns arrays [feature and stratum].
    """
    key = feature * (int(stratum.max(initial=0)) + 1) + stratum
    names, first, place = np.unique(key, return_index=True, return_inverse=True)
    with_it, met = (np.bincount(place, values, len(names)).astype(np.float64) for values in (n1, a))
    return Strata(feature[first], with_it, met, n[first] - with_it, m[first] - met)
