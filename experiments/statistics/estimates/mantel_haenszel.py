"""Exposed against unexposed within strata: one risk ratio over all of them, with its interval and test."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.statistics.distributions.tails import mid_p_tails, two_sided_log10

Z = 1.959963984540054


class Strata(NamedTuple):
    """Parallel arrays, one entry for each (comparison, stratum) with anybody exposed.

    ``comparison`` numbers what is compared; ``n1`` exposed and ``a`` of them with the outcome, ``n0``
    unexposed and ``b`` of them with the outcome.
    """

    comparison: NDArray[np.int64]
    n1: NDArray[np.float64]
    a: NDArray[np.float64]
    n0: NDArray[np.float64]
    b: NDArray[np.float64]


class AdjustedRiskRatios(NamedTuple):
    """By comparison: O, E and V of exposed persons with the outcome given the margins of their strata,
    log10 of the two-sided mid-p, risk ratio with a 95 % interval. Strata without unexposed do not count."""

    observed: NDArray[np.float64]
    expected: NDArray[np.float64]
    variance: NDArray[np.float64]
    log10_p: NDArray[np.float64]
    rr: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def adjusted_risk_ratios(strata: Strata, comparisons: int) -> AdjustedRiskRatios:
    """Mantel-Haenszel risk ratios (Greenland & Robins 1985) and the test of Cochran, Mantel and Haenszel.

    Given a stratum's margins the exposed with the outcome are hypergeometric; their sum is matched by its mean
    and variance. RR is NaN where nobody unexposed has the outcome.
    """
    kept = (strata.n1 > 0) & (strata.n0 > 0)
    which, n1, a, n0, b = (column[kept] for column in strata)
    n, m = n1 + n0, a + b

    def total(values: NDArray[Any]) -> NDArray[np.float64]:
        sums: NDArray[np.float64] = np.bincount(which, weights=values, minlength=comparisons).astype(float)
        return sums

    observed, expected = total(a), total(n1 * m / n)
    variance = total(n1 * n0 * m * (n - m) / (n * n * np.maximum(n - 1, 1)))
    log10_p = two_sided_log10(*mid_p_tails(observed, expected, variance))
    above, below = total(a * n0 / n), total(b * n1 / n)
    spread = total((n1 * n0 * m - a * b * n) / (n * n))
    with np.errstate(divide="ignore", invalid="ignore"):
        rr = np.where(below > 0, above / below, np.nan)
        se = np.sqrt(spread / (above * below))
        low, high = rr * np.exp(-Z * se), rr * np.exp(Z * se)
    return AdjustedRiskRatios(observed, expected, variance, log10_p, rr, low, high)
