"""Does a run keep its promise? Calibration (SD of z) where nothing happens, in all and by size, and p-values by it."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

FEWEST = 100
"""Below so many pairs a spread says nothing and the theoretical null stands."""

_QUARTILE = 0.6744897501960817
_LN10 = math.log(10.0)


BAND_EDGES = (5.0, 50.0, 500.0, 2_000.0, 8_000.0, math.inf)
"""Bands of E in which the calibration is looked at: a bias grows with E and shows in the last of them first."""


class Band(NamedTuple):
    """SD of z over the ``pairs`` pairs with E from ``low`` to ``high``."""

    low: float
    high: float
    pairs: int
    sd: float


class EmpiricalNull(NamedTuple):
    """Mean and SD of z over ``pairs`` pairs; 0 and 1 when the comparison is fair. ``bands`` are the same by E."""

    mean: float
    sd: float
    pairs: int
    bands: tuple[Band, ...] = ()

    @property
    def calibrated(self) -> bool:
        """Whether theoretical p-values may stand alone (SD up to 1.1)."""
        return self.sd <= 1.1


def empirical_null(z: NDArray[np.float64]) -> EmpiricalNull:
    """Match a normal law to the middle half of ``z`` (Efron 2004, central matching).

    The quartiles leave out what lies in the tails, where true findings are.

    ``z`` [test].
    """
    if len(z) < FEWEST:
        return EmpiricalNull(0.0, 1.0, len(z))
    low, middle, high = np.quantile(z, [0.25, 0.5, 0.75])
    return EmpiricalNull(float(middle), float((high - low) / (2 * _QUARTILE)), len(z))


def null_by_size(z: NDArray[np.float64], expected: NDArray[np.float64]) -> EmpiricalNull:
    """The empirical null over all, and its SD in each band of E that holds enough pairs.

    ``z`` and ``expected`` [test].
    """
    bands = []
    for low, high in pairwise(BAND_EDGES):
        inside = z[(expected >= low) & (expected < high)]
        if len(inside) >= FEWEST:
            bands.append(Band(low, high, len(inside), empirical_null(inside).sd))
    return empirical_null(z)._replace(bands=tuple(bands))


def calibrated_log10_p(
    lower: NDArray[np.float64], upper: NDArray[np.float64], null: EmpiricalNull
) -> NDArray[np.float64]:
    """log10 of two-sided p-values by the empirical null, from the logarithms of both tails.

    The smaller tail becomes a normal deviate, is shifted and scaled by the null (the widest of its bands), and read back.
    A spread under 1 is taken as 1: calibration makes no finding stronger.

    ``lower`` and ``upper`` [test], natural logarithms; returns [test].
    """
    smaller = special.ndtri_exp(np.minimum(lower, upper))
    deviate = np.where(upper < lower, -smaller, smaller)
    scaled = (deviate - null.mean) / max(null.sd, 1.0, *(band.sd for band in null.bands))
    log_p = math.log(2.0) + special.log_ndtr(-np.abs(scaled))
    result: NDArray[np.float64] = np.minimum(log_p / _LN10, 0.0)
    return result
