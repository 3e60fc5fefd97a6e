"""Is a finding of the open half found again among persons nobody looked at?"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from experiments.statistics.error_rates import q_values
from experiments.statistics.tails import mid_p_tails

UNTESTED, NO, YES = -1, 0, 1


def replicate(
    locked: NDArray[np.float64],
    harmful: NDArray[np.bool_],
    candidate: NDArray[np.bool_],
    level: float = 0.05,
) -> NDArray[np.int8]:
    """Verdict by called pair: 1 confirmed in the locked half, 0 not confirmed, -1 no candidate.

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
