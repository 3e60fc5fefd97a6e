"""Information component: how many doublings the count lies above what is expected, shrunk toward none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special


def information_component(
    observed: NDArray[np.float64], expected: NDArray[np.float64], level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """IC = log2((O + ½) / (E + ½)) with the limits of a Gamma(O + ½, rate E + ½) (Norén et al. 2013).

    Quantiles are looked up once a distinct count, so millions of pairs cost no more than thousands.
    """
    counts, place = np.unique(observed, return_inverse=True)
    tail = (1.0 - level) / 2
    base = np.log2(expected + 0.5)
    low = np.log2(special.gammaincinv(counts + 0.5, tail))[place] - base
    high = np.log2(special.gammainccinv(counts + 0.5, tail))[place] - base
    return np.log2(counts + 0.5)[place] - base, low, high
