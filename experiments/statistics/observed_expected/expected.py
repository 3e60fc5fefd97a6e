"""What would have followed each code if its exposures were like all others of their strata: one product."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled

_ROWS_AT_ONCE = 1_024
_COLUMNS_AT_ONCE = 192
_SPARSE = 0.08
_NOTHING = 1e-9


def at_risk(
    mean: NDArray[np.float64], variance: NDArray[np.float64], not_at_risk: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """E[a, b] and V[a, b] of the exposures at risk, from those of all exposures less those no longer at risk; in place.

    ``not_at_risk`` [a, b, 2] holds the sums of p and p(1-p) over exposures of a not at risk of b, which the product over all
    exposures counts too much.
    """
    for total, part in ((mean, not_at_risk[:, :, 0]), (variance, not_at_risk[:, :, 1])):
        total -= part
        total[total < _NOTHING] = 0.0
    return mean, variance


def over_all_exposures(
    exposed: NDArray[np.signedinteger],
    probabilities: NDArray[np.float64],
    rounder: float = 0.0,
    threads: int = 2,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums [a, b] of p and p(1-p) over all exposures of a, at risk of b or not.

    ``exposed`` [s, a] counts exposures, ``probabilities`` [s, b] is p.
    Strata with few of the codes are added code by code, the others by dense products. Where p lies on the grid
    of ``rounder``, p(1-p) is rounded to it too and every sum is exact: the same in whatever order and blocks.
    """
    n, outcomes = exposed.shape[1], probabilities.shape[1]
    mean, variance = np.zeros((n, outcomes)), np.zeros((n, outcomes))
    filled = np.count_nonzero(exposed, axis=1)
    dense = np.flatnonzero(filled > _SPARSE * n)
    for start in range(0, len(dense), _ROWS_AT_ONCE):
        rows = dense[start : start + _ROWS_AT_ONCE]
        left, p = exposed[rows].astype(np.float64).T, probabilities[rows]
        mean += left @ p
        variance += left @ ((p * (1.0 - p) + rounder) - rounder)
    sparse = np.flatnonzero((filled > 0) & (filled <= _SPARSE * n))
    place, code = np.nonzero(exposed[sparse])
    counts = exposed[sparse][place, code].astype(np.float64)
    starts = np.searchsorted(place, np.arange(len(sparse) + 1))

    def add(first: int) -> None:
        span = slice(first, first + _COLUMNS_AT_ONCE)
        arrays = (sparse, starts, code, counts, probabilities[:, span], rounder)
        _add_sparse(*arrays, mean[:, span], variance[:, span])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(add, range(0, outcomes, _COLUMNS_AT_ONCE)))
    return mean, variance


@compiled
def _add_sparse(
    rows: NDArray[np.int64],
    starts: NDArray[np.int64],
    codes: NDArray[np.int64],
    counts: NDArray[np.float64],
    probabilities: NDArray[np.float64],
    rounder: float,
    expected: NDArray[np.float64],
    variance: NDArray[np.float64],
) -> None:
    """One block of outcome codes, narrow enough for its sums to stay in cache."""
    width = probabilities.shape[1]
    p, spread = np.empty(width), np.empty(width)
    for at in range(len(rows)):
        for b in range(width):
            p[b] = probabilities[rows[at], b]
            spread[b] = (p[b] * (1.0 - p[b]) + rounder) - rounder
        for entry in range(starts[at], starts[at + 1]):
            count, mean_row, spread_row = counts[entry], expected[codes[entry]], variance[codes[entry]]
            for b in range(width):
                mean_row[b] += count * p[b]
                spread_row[b] += count * spread[b]
