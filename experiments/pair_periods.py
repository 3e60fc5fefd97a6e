"""Is a pair found among exposures of earlier years found again among those of later ones?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.design import describe_strata
from experiments.statistics.replication import replicate
from experiments.statistics.tails import mid_p_tails, two_sided_log10


def replicate_later(
    early: NDArray[np.float64],
    late: NDArray[np.float64],
    harmful: NDArray[np.bool_],
    level: float,
    tested: int,
) -> NDArray[np.int8]:
    """Verdict by called pair: 1 found again in the later years, 0 not, -1 not found in the earlier ones alone.

    ``early`` and ``late`` [pair, (O, E before, E after, V, W)] are sums over the strata of each period. A person is
    exposed to a code once, so earlier and later exposures are other persons'; each period is held against its own
    reference. Years are cut where half of all exposures lie before. A candidate must pass, in the earlier period,
    the limit that calling so many of ``tested`` pairs set; the later test is one-sided, corrected for the
    candidates.
    """
    observed, before, after, variance, uncertainty = early.T
    expected = before + after
    log10_p = two_sided_log10(*mid_p_tails(observed, expected, variance + uncertainty))
    limit = np.log10(level * len(early) / max(tested, len(early), 1))
    candidate = (expected > 0) & (log10_p <= limit) & ((observed > expected) == harmful)
    return replicate(late, harmful, candidate, level)


def later_strata(keys: NDArray[np.int64], exposures: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which strata, of these keys and numbers of exposures, lie in the later period."""
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
