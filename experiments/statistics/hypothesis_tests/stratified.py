"""Is a group hit more often than comparable persons, stratum by stratum, and how often was that asked?

Cochran and Mantel and Haenszel's statistic over strata; Tarone's testability; Westfall and Young's permutation.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special


class Strata(NamedTuple):
    """Persons and persons with the outcome by stratum."""

    persons: NDArray[np.int64]
    outcomes: NDArray[np.int64]


class Association(NamedTuple):
    """By set: outcomes expected and their variance, z, log10 of the two-sided p, common odds ratio with limits."""

    expected: NDArray[np.float64]
    variance: NDArray[np.float64]
    z: NDArray[np.float64]
    log10_p: NDArray[np.float64]
    ratio: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def moments(having: NDArray[np.int64], strata: Strata) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance of the outcomes among those ``having`` each set [set, stratum], if it does not matter."""
    n, c = strata.persons.astype(float), strata.outcomes.astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate, spread = np.nan_to_num(c / n), np.nan_to_num(c * (n - c) / (n * n * (n - 1)))
    x = having.astype(float)
    return x @ rate, (x * (n - x)) @ spread


def associations(hit: NDArray[np.int64], having: NDArray[np.int64], strata: Strata) -> Association:
    """The test of each set: ``hit`` and ``having`` [set, stratum] count persons with it, and with the outcome too.

    The odds ratio is Mantel and Haenszel's with the limits of Robins, Breslow and Greenland (1986).
    """
    expected, variance = moments(having, strata)
    z = _z(hit.sum(axis=1), expected, variance)
    n = np.maximum(strata.persons.astype(float), 1.0)
    a, b = hit.astype(float), (having - hit).astype(float)
    c = strata.outcomes - a
    d = strata.persons - strata.outcomes - b
    r, s, p, q = a * d / n, b * c / n, (a + d) / n, (b + c) / n
    total_r, total_s = r.sum(axis=1), s.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = total_r / total_s
        log_variance = (
            (p * r).sum(axis=1) / (2 * total_r**2)
            + (p * s + q * r).sum(axis=1) / (2 * total_r * total_s)
            + (q * s).sum(axis=1) / (2 * total_s**2)
        )
        reach = np.exp(1.959963984540054 * np.sqrt(log_variance))
        return Association(expected, variance, z, log10_two_sided(z), ratio, ratio / reach, ratio * reach)


def log10_two_sided(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """log10 of the two-sided p of a normal deviate.

    ``z`` [test].
    """
    p: NDArray[np.float64] = (special.log_ndtr(-np.abs(z)) + np.log(2.0)) / np.log(10.0)
    return p


def smallest_log10_p(having: NDArray[np.int64], strata: Strata) -> NDArray[np.float64]:
    """log10 of the smallest p a set could ever reach, whoever had the outcome (Tarone 1990; Papaxanthos et al. 2016).

    ``having`` [set, stratum]; returns [set].
    """
    expected, variance = moments(having, strata)
    most = np.minimum(having, strata.outcomes).sum(axis=1)
    fewest = np.maximum(having + strata.outcomes - strata.persons, 0).sum(axis=1)
    ends = [np.abs(_z(end, expected, variance)) for end in (most, fewest)]
    return log10_two_sided(np.maximum(*ends))


def able(smallest: NDArray[np.float64], level: float) -> NDArray[np.bool_]:
    """Sets that may be tested at all, by the smallest p they could reach (Tarone 1990).

    With k the smallest number for which at most k sets can reach level / k, those are the sets.

    ``smallest`` [set], log10 of p; returns [set].
    """
    if not len(smallest):
        return np.zeros(0, bool)
    numbers = np.arange(1, len(smallest) + 1)
    room = np.log10(level) - np.log10(numbers)
    reach = np.searchsorted(np.sort(smallest), room, side="right")
    first = int(np.flatnonzero(reach <= numbers)[0])
    return np.asarray(smallest <= room[first])


def permuted_labels(
    label: NDArray[np.int8], stratum: NDArray[np.int64], draws: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Outcomes shuffled among persons of the same stratum, [draw, person]; ``stratum`` ascends."""
    drawn = np.empty((draws, len(label)), bool)
    cuts = np.flatnonzero(np.append(True, stratum[1:] != stratum[:-1])) if len(stratum) else np.zeros(0, int)
    for start, stop in zip(cuts, np.append(cuts[1:], len(label)), strict=True):
        part = np.broadcast_to(label[start:stop] > 0, (draws, stop - start))
        drawn[:, start:stop] = rng.permuted(part, axis=1)
    return drawn


def family_wise_p(
    z: NDArray[np.float64],
    drawn_hits: NDArray[np.int32],
    expected: NDArray[np.float64],
    variance: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Adjusted p of each set: rank of its |z| among the largest |z| of every draw (Westfall and Young 1993).

    ``drawn_hits`` [set, draw] are outcomes under shuffled labels. One error rate over all sets, however they overlap.
    """
    if not len(z):
        return np.zeros(0)
    largest = np.abs(_z(drawn_hits.T, expected, variance)).max(axis=1)
    largest.sort()
    above = len(largest) - np.searchsorted(largest, np.abs(z) - 1e-9, side="left")
    return np.asarray((1.0 + above) / (1.0 + len(largest)), np.float64)


def _z(
    hits: NDArray[Any], expected: NDArray[np.float64], variance: NDArray[np.float64]
) -> NDArray[np.float64]:
    safe = np.sqrt(np.where(variance > 0, variance, 1.0))
    return np.where(variance > 0, (hits - expected) / safe, 0.0)
