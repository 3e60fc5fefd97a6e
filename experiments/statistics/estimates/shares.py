"""A share of persons with its exact interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats


def share_with_interval(
    part: NDArray[np.float64], whole: NDArray[np.float64], level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """part / whole and the limits of Clopper and Pearson; NaN where the whole is empty.

    ``part`` and ``whole`` of one shape, [group] as a rule; returns share, lower and upper limit (Clopper &
    Pearson 1934).
    """
    tail = (1.0 - level) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        share = part / whole
    low = np.where(part > 0, stats.beta.ppf(tail, part, whole - part + 1), 0.0)
    high = np.where(part < whole, stats.beta.ppf(1 - tail, part + 1, whole - part), 1.0)
    empty = whole <= 0
    low[empty], high[empty], share[empty] = np.nan, np.nan, np.nan
    return share, low, high
