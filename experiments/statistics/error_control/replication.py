"""Is a finding of the open half found again among persons nobody looked at?"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from experiments.statistics.distributions.tails import mid_p_tails, two_sided_log10
from experiments.statistics.error_control.multiplicity import q_values

UNTESTED, NO, YES = -1, 0, 1


def replicate(
    locked: NDArray[np.float64],
    harmful: NDArray[np.bool_],
    candidate: NDArray[np.bool_],
    level: float = 0.05,
) -> NDArray[np.int8]:
    """Verdict by significant pair: 1 confirmed in the locked half, 0 not confirmed, -1 no candidate.

    ``locked`` [pair, (O, E before, E after, V, W)] comes from the locked half against its own reference. The test is
    one-sided (same direction), its error rate Benjamini-Hochberg among the candidates.
    """
    observed, expected = locked[:, 0], locked[:, 1] + locked[:, 2]
    lower, upper = mid_p_tails(observed, expected, locked[:, 3] + locked[:, 4])
    log10_p = np.where(harmful, upper, lower) / math.log(10.0)
    log10_p[expected <= 0.0] = 0.0
    q, _ = q_values(log10_p, candidate)
    confirmed = np.nan_to_num(q, nan=1.0) <= level
    return np.where(candidate, np.where(confirmed, YES, NO), UNTESTED).astype(np.int8)


def replicate_apart(
    one: NDArray[np.float64],
    other: NDArray[np.float64],
    harmful: NDArray[np.bool_],
    level: float,
    tested: int,
) -> NDArray[np.int8]:
    """Verdict by significant pair: 1 found again among other exposures, 0 not, -1 not found among the one's alone.

    ``one`` and ``other`` [pair, (O, E before, E after, V, W)] are sums over exposures of different persons (earlier
    and later years, two groups of places), each against their own reference. A candidate must pass, among the one's,
    the limit that calling so many of ``tested`` pairs set; the other test is one-sided, corrected for the candidates.
    """
    observed, before, after, variance, uncertainty = one.T
    expected = before + after
    log10_p = two_sided_log10(*mid_p_tails(observed, expected, variance + uncertainty))
    limit = np.log10(level * len(one) / max(tested, len(one), 1))
    candidate = (expected > 0) & (log10_p <= limit) & ((observed > expected) == harmful)
    return replicate(other, harmful, candidate, level)
