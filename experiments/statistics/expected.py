"""What would have followed each code if its exposures were like all others of their strata: one product."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROWS_AT_ONCE = 2_048
_NOTHING = 1e-9


def expected_counts(
    exposed: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    barred: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """E[a, b] and V[a, b] for all ordered pairs.

    ``exposed`` [s, a] counts exposures, ``probabilities`` [s, b] is p, ``barred`` [a, b, 2] holds the sums of
    p and p(1-p) over exposures of a not at risk of b, which the product counts too much.
    """
    n = exposed.shape[1]
    total = np.zeros((n, 2 * n))
    for start in range(0, len(exposed), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        p = probabilities[rows]
        total += exposed[rows].astype(np.float64).T @ np.hstack([p, p * (1.0 - p)])
    expected = total[:, :n] - barred[:, :, 0]
    variance = total[:, n:] - barred[:, :, 1]
    expected[expected < _NOTHING] = 0.0
    variance[variance < _NOTHING] = 0.0
    return expected, variance
