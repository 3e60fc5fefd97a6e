"""How many of the findings may be false: Benjamini-Hochberg and Benjamini-Yekutieli q-values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


def q_values(log10_p: NDArray[np.float64], tested: NDArray[np.bool_]) -> tuple[NDArray[np.float64], ...]:
    """q-values (BH, BY) among the ``tested``; NaN for the rest, which took part in no test.

    BH holds under independence and positive dependence, BY under any (dearer by 1 + 1/2 + … + 1/m).

    ``log10_p`` [test]; each result is [test]. Benjamini & Hochberg 1995, Benjamini & Yekutieli 2001.
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


KEPT = 0.1
"""p-values above this are only counted: no q-value under it depends on where they lie."""


class HypothesisTally(NamedTuple):
    """``total`` tests made; log10 of the p-values up to ``KEPT`` in rising order."""

    total: int
    small: NDArray[np.float64]

    @classmethod
    def of(cls, log10_p: NDArray[np.float64]) -> HypothesisTally:
        """The tests of one run.

        ``log10_p`` [test].
        """
        return cls(len(log10_p), np.sort(log10_p[log10_p <= np.log10(KEPT)]))

    @classmethod
    def merge(cls, parts: Iterable[HypothesisTally]) -> HypothesisTally:
        """All tests of several runs."""
        kept = list(parts)
        return cls(
            sum(part.total for part in kept),
            np.sort(np.concatenate([np.empty(0), *(part.small for part in kept)])),
        )

    def q_values(self, log10_p: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """q-values (BH, BY) over all tests, of p-values that are among them.

        q-values up to ``KEPT`` are exact; a larger one is given as a bound not below ``KEPT``. BY costs
        1 + 1/2 + … + 1/total more and holds under any dependence, which repeated looks at one population need.

        ``log10_p`` [test]; each result is [test]. Benjamini & Hochberg 1995, Benjamini & Yekutieli 2001.
        """
        if not self.total or not len(self.small):
            ones = np.ones(len(log10_p))
            return ones, ones.copy()
        rank = np.arange(1, len(self.small) + 1)
        scaled = self.small + np.log10(self.total) - np.log10(rank)
        least = np.minimum.accumulate(scaled[::-1])[::-1]
        place = np.searchsorted(self.small, log10_p - 1e-12)
        known = (log10_p <= np.log10(KEPT)) & (place < len(self.small))
        bound = np.full(len(log10_p), 0.0)
        bound[known] = least[place[known]]
        bh = 10.0 ** np.minimum(bound, 0.0)
        by = 10.0 ** np.minimum(bound + np.log10(harmonic(self.total)), 0.0)
        return bh, by


def harmonic(count: int) -> float:
    """1 + 1/2 + … + 1/count."""
    if count < 1000:
        return float(np.sum(1.0 / np.arange(1, count + 1)))
    return float(np.log(count) + np.euler_gamma + 1 / (2 * count) - 1 / (12.0 * count * count))
