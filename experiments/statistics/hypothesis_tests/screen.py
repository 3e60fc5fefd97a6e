"""The test of every pair: how far what followed lies from what was expected, and how often that was asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.statistics.distributions.tails import mid_p_tails, two_sided_log10
from experiments.statistics.error_control.empirical_null import (
    EmpiricalNull,
    calibrated_log10_p,
    null_by_size,
)
from experiments.statistics.error_control.multiplicity import q_values

LEAST_EXPECTED = 5.0
"""Pairs with at least this E show whether z has the SD it should."""


class Screen(NamedTuple):
    """One entry for every ordered pair of different codes that occur, in order of a, then b.

    ``pairs`` [n, 2]; q-values and calibrated p are NaN where ``tested`` is false.
    """

    pairs: NDArray[np.int32]
    tested: NDArray[np.bool_]
    observed: NDArray[np.float64]
    expected: NDArray[np.float64]
    variance: NDArray[np.float64]
    z: NDArray[np.float64]
    log10_p: NDArray[np.float64]
    q_bh: NDArray[np.float64]
    q_by: NDArray[np.float64]
    q_empirical: NDArray[np.float64]
    calibrated_p: NDArray[np.float64]
    null: EmpiricalNull


def screen(
    observed: NDArray[np.float64],
    expected: NDArray[np.float64],
    variance: NDArray[np.float64],
    tested: NDArray[np.bool_],
    occurs: NDArray[np.bool_],
    shared: NDArray[np.float64],
) -> Screen:
    """Test all pairs of matrices [a, b]; ``tested`` is decided by how often codes occur, never by O.

    ``shared`` [a] is the share of the expectation of a that comes from persons who have a themselves, beyond the one person
    that V lacks already (``OwnShares``). What happens to them stands in O and in E, so O - E varies by that share less
    than O does: the variance tested with is V (1 - shared).
    """
    wanted = _ordered_pairs(occurs)
    pairs = np.argwhere(wanted).astype(np.int32)
    o, e, chosen = observed[wanted], expected[wanted], tested[wanted]
    v = _freed(variance, shared)[wanted]
    z = np.zeros(len(o))
    np.divide(o - e, np.sqrt(v), out=z, where=v > 0)
    lower, upper = mid_p_tails(o, e, v)
    log10_p = two_sided_log10(lower, upper)
    with ThreadPoolExecutor(1) as beside:
        theoretical = beside.submit(q_values, log10_p, chosen)
        enough = chosen & (e >= LEAST_EXPECTED)
        null = null_by_size(z[enough], e[enough])
        calibrated = np.full(len(o), np.nan)
        calibrated[chosen] = calibrated_log10_p(lower[chosen], upper[chosen], null)
        q_empirical, _ = q_values(calibrated, chosen)
        q_bh, q_by = theoretical.result()
    return Screen(pairs, chosen, o, e, v, z, log10_p, q_bh, q_by, q_empirical, 10.0**calibrated, null)


def screen_half(
    followed: NDArray[np.int32],
    expected: NDArray[np.float64],
    variance: NDArray[np.float64],
    tested: NDArray[np.bool_],
    occurs: NDArray[np.bool_],
    shared: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """BH q-values of one half of the persons, and where O exceeds E; pairs in the order of :func:`screen`.

    ``followed``, ``expected``, ``variance`` and ``tested`` [a, b], ``occurs`` and ``shared`` [code], the latter within this
    half; both results [pair].
    """
    wanted = _ordered_pairs(occurs)
    o, e = followed[wanted].astype(np.float64), expected[wanted]
    log10_p = two_sided_log10(*mid_p_tails(o, e, _freed(variance, shared)[wanted]))
    return q_values(log10_p, tested[wanted])[0], o > e


def _freed(variance: NDArray[np.float64], shared: NDArray[np.float64]) -> NDArray[np.float64]:
    """V [a, b] less what O and E share."""
    freed: NDArray[np.float64] = variance * (1.0 - shared)[:, None]
    return freed


def _ordered_pairs(occurs: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which cells [a, b] are pairs: both codes occur and differ."""
    wanted = np.logical_and.outer(occurs, occurs)
    np.fill_diagonal(wanted, False)
    return wanted
