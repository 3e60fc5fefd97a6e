"""Sequence symmetry of all medicine-event pairs at once: which comes first, against what calendar trends would give."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from experiments.statistics.distributions.tails import mid_p_tails


class Symmetry(NamedTuple):
    """By pair: crude and adjusted sequence ratio with limits, log10 of the one-sided p of more events after.

    NaN where nobody has both in the window, or the trend cannot be told.
    """

    csr: NDArray[np.float64]
    asr: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    log10_p: NDArray[np.float64]


def null_ratios(index: NDArray[np.int32], marker: NDArray[np.int32], days: int) -> NDArray[np.float64]:
    """Null-effect ratio of every index with every marker (Hallas 1996; Tsiropoulos et al. 2009): one matrix product.

    ``index`` and ``marker`` [code, day] hold starts by day. NSR = P / (1 - P) with P = ΣIF / ΣI(F + B): F and B are
    marker starts in the ``days`` after and before each day, the day itself excluded. ``days`` is apart from the
    window in which orders are counted.
    """
    width = index.shape[1]
    running = np.zeros((len(marker), width + 1))
    np.cumsum(marker, axis=1, out=running[:, 1:])
    at = np.arange(width)
    following = running[:, np.minimum(at + days + 1, width)] - running[:, at + 1]
    preceding = running[:, at] - running[:, np.maximum(at - days, 0)]
    starts = index.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios: NDArray[np.float64] = (starts @ following.T) / (starts @ preceding.T)
    return ratios


def symmetry(
    first: NDArray[np.float64], second: NDArray[np.float64], nsr: NDArray[np.float64], level: float = 0.95
) -> Symmetry:
    """Adjusted sequence ratios: n(medicine first) / n(event first) / NSR.

    The interval is that of Jeffreys for the share of medicine first, Beta(a + ½, b + ½), as odds over NSR; p is the
    mid-p of so many or more against NSR / (1 + NSR).

    Persons with either order and the null-effect ratio, all [pair].
    """
    tail = (1.0 - level) / 2
    known = (first + second > 0) & np.isfinite(nsr) & (nsr > 0)
    a, b, ratio = (np.where(known, each, 1.0) for each in (first, second, nsr))
    low, high = (stats.beta.ppf(q, a + 0.5, b + 0.5) for q in (tail, 1 - tail))
    share = ratio / (1 + ratio)
    mean = (a + b) * share
    _, upper = mid_p_tails(a, mean, mean * (1 - share))
    with np.errstate(divide="ignore", invalid="ignore"):
        csr = np.where(known, a / b, np.nan)
        found = Symmetry(
            csr, csr / ratio, low / (1 - low) / ratio, high / (1 - high) / ratio, upper / math.log(10)
        )
    return Symmetry(*(np.where(known, each, np.nan) for each in found))
