"""Earlier and later years of a scan. A person is exposed to a code once, so the exposures of each are other persons'."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.design import describe_strata


def later_strata(keys: NDArray[np.int64], exposures: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which strata, of these keys and numbers of exposures, lie in the later period; each period is held against its own."""
    years = describe_strata(keys)["year"]
    later: NDArray[np.bool_] = years >= middle_year(exposures, years)
    return later


def middle_year(exposures: NDArray[np.int64], years: NDArray[np.int64]) -> int:
    """First year of the later period: half of all exposures lie in the years before, as nearly as whole years allow."""
    names, place = np.unique(years, return_inverse=True)
    running = np.cumsum(np.bincount(place, weights=exposures))
    if len(names) < 2:
        return int(names[0]) if len(names) else 0
    gaps = np.abs(running[:-1] - running[-1] / 2)
    return int(names[int(np.argmin(gaps)) + 1])
