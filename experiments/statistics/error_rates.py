"""How many of the findings may be false: Benjamini-Hochberg and Benjamini-Yekutieli q-values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def q_values(log10_p: NDArray[np.float64], tested: NDArray[np.bool_]) -> tuple[NDArray[np.float64], ...]:
    """q-values (BH, BY) among the ``tested``; NaN for the rest, which took part in no test.

    BH holds under independence and positive dependence, BY under any (dearer by 1 + 1/2 + … + 1/m).
    """
    bh, by = np.full(len(log10_p), np.nan), np.full(len(log10_p), np.nan)
    chosen = np.flatnonzero(tested)
    m = len(chosen)
    if m == 0:
        return bh, by
    order = chosen[np.argsort(log10_p[chosen])]
    scaled = log10_p[order] + np.log10(m) - np.log10(np.arange(1, m + 1))
    least = np.minimum.accumulate(scaled[::-1])[::-1]
    bh[order] = 10.0 ** np.minimum(least, 0.0)
    by[order] = 10.0 ** np.minimum(least + np.log10(np.sum(1.0 / np.arange(1, m + 1))), 0.0)
    return bh, by
