"""Estimates judged by pairs that have no effect: how far those scatter is what an estimate must rise above."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats


class Scatter(NamedTuple):
    """Mean and standard deviation of the systematic error of log ratios, from ``controls`` negative controls."""

    mean: float
    sd: float
    controls: int


FEWEST = 20
"""Fewer controls tell nothing; estimates then stand as they are."""


def fit_scatter(log_ratio: NDArray[np.float64], error: NDArray[np.float64]) -> Scatter:
    """Mean and standard deviation by which the controls are likeliest: N(mean, sd² + error²) each (Schuemie et al. 2014).

    ``log_ratio`` and ``error`` (its standard error) [control], natural logarithms.
    """
    known = np.isfinite(log_ratio) & np.isfinite(error) & (error > 0)
    y, se = log_ratio[known], error[known]
    if len(y) < FEWEST:
        return Scatter(0.0, 0.0, len(y))

    def lack(theta: NDArray[np.float64]) -> float:
        variance = np.exp(2 * theta[1]) + se**2
        return float(0.5 * (np.log(variance) + (y - theta[0]) ** 2 / variance).sum())

    start = np.array([np.average(y, weights=1 / se**2), np.log(0.05)])
    found = optimize.minimize(lack, start, method="Nelder-Mead")
    return Scatter(float(found.x[0]), float(np.exp(found.x[1])), len(y))


def calibrated_p(
    log_ratio: NDArray[np.float64], error: NDArray[np.float64], scatter: Scatter
) -> NDArray[np.float64]:
    """One-sided p that an estimate lies so far above the controls by chance and systematic error.

    ``log_ratio`` and ``error`` [estimate], natural logarithms; returns [estimate].
    """
    z = (log_ratio - scatter.mean) / np.sqrt(scatter.sd**2 + error**2)
    p: NDArray[np.float64] = stats.norm.sf(z)
    return p
