"""How long after the first code the second one came."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHARES = (0.05, 0.25, 0.50, 0.75, 0.95)


def lag_quantiles(entries: NDArray[np.int32], counts: NDArray[np.int32], n_pairs: int) -> NDArray[np.float64]:
    """Quantiles [pair, share] in days: the smallest lag this share of the persons did not exceed.

    ``entries`` [2, n] are pair number and lag, in order of both, ``counts`` [n] the persons; NaN for a pair
    without any.
    """
    pairs, lags = entries
    quantiles = np.full((n_pairs, len(SHARES)), np.nan)
    totals = np.bincount(pairs, weights=counts, minlength=n_pairs)
    before = np.cumsum(totals) - totals
    running = np.cumsum(counts, dtype=np.float64)
    some = totals > 0
    for place, share in enumerate(SHARES):
        wanted = before[some] + np.maximum(np.ceil(share * totals[some] - 1e-9), 1.0)
        quantiles[some, place] = lags[np.searchsorted(running, wanted)]
    return quantiles
