"""Where a treatment goes with an outcome otherwise than the treatment and the persons' illness let expect."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.statistics.distributions.tails import mid_p_tails, two_sided_log10
from experiments.statistics.error_control.multiplicity import q_values

Z = 1.959963984540054
STANDS_OUT = 4.0
LOOKS = 5


class UnexpectedCare(NamedTuple):
    """By treatment, group and outcome: what both margins let expect, its variance with their uncertainty, ratio of
    seen to expected with a 95 % interval, z, log10 p, whether tested, q-values."""

    expected: NDArray[np.float64]
    variance: NDArray[np.float64]
    ratio: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    z: NDArray[np.float64]
    log10_p: NDArray[np.float64]
    tested: NDArray[np.bool_]
    q_bh: NDArray[np.float64]
    q_by: NDArray[np.float64]


def unexpected(
    at_risk: NDArray[np.int64],
    observed: NDArray[np.int64],
    expected: NDArray[np.float64],
    variance: NDArray[np.float64],
    min_persons: int,
) -> UnexpectedCare:
    """Test every treatment × group × outcome for an interaction; arrays [treatment, group, outcome].

    Expected is Σ p of comparable persons' comparable days, times how much the outcome follows the treatment in
    all other groups, times how much it follows the group's persons under all other treatments. Cells that
    stand out are left out of both margins and the rest is judged anew, so that one strong cell
    does not make its neighbours look strange. A cell is tested where ``min_persons`` are at risk inside and
    outside (group 0, everybody, never is).
    """
    o, e, v = observed.astype(float), expected, variance
    kept = np.ones(o[:, 1:].shape)
    for _ in range(LOOKS):
        mean, spread, margins = _margins(o, e, v, kept)
        strange = np.abs(o - mean)[:, 1:] > STANDS_OUT * np.sqrt(spread)[:, 1:]
        if np.array_equal(strange, kept == 0):
            break
        kept = np.where(strange, 0.0, 1.0)
    log10_p = two_sided_log10(*mid_p_tails(o.ravel(), mean.ravel(), spread.ravel())).reshape(o.shape)
    tested = (at_risk >= min_persons) & (at_risk[:, :1] - at_risk >= min_persons)
    tested[:, 0] = False
    q_bh, q_by = q_values(log10_p.ravel(), tested.ravel())
    z = np.divide(o - mean, np.sqrt(spread), out=np.zeros_like(mean), where=spread > 0)
    ratio = np.divide(o, mean, out=np.full_like(mean, np.nan), where=mean > 0)
    se = np.sqrt(1 / np.maximum(o, 0.5) + margins / np.maximum(mean, 1e-9) ** 2)
    return UnexpectedCare(
        mean,
        spread,
        ratio,
        ratio * np.exp(-Z * se),
        ratio * np.exp(Z * se),
        z,
        log10_p,
        tested,
        q_bh.reshape(o.shape),
        q_by.reshape(o.shape),
    )


def _margins(
    o: NDArray[np.float64], e: NDArray[np.float64], v: NDArray[np.float64], kept: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """What the kept cells' margins let expect in each cell, its variance in all, and the margins' part of it."""
    seen = o[:, 1:] * kept
    factor, margins = np.ones_like(o), np.zeros_like(o)
    treatment, group = _factors(seen, e[:, 1:] * kept)
    factor[:, 1:] = treatment * group
    mean = e * factor
    outside, others = seen.sum(axis=1, keepdims=True) - seen, seen.sum(axis=0, keepdims=True) - seen
    margins[:, 1:] = mean[:, 1:] ** 2 * (1 / (outside + 0.5) + 1 / (others + 0.5))
    own = np.maximum(mean - factor**2 * (e - v), 0.05 * mean)
    return mean, own + margins, margins


def _factors(
    o: NDArray[np.float64], e: NDArray[np.float64], rounds: int = 30
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Factors of each treatment and group for every cell, fitted in turn, the cell itself left out at the end."""
    group = np.ones((1, *o.shape[1:]))
    treatment = np.ones((o.shape[0], 1, o.shape[2]))
    for _ in range(rounds):
        treatment = (o.sum(axis=1, keepdims=True) + 0.5) / ((e * group).sum(axis=1, keepdims=True) + 0.5)
        group = (o.sum(axis=0, keepdims=True) + 0.5) / ((e * treatment).sum(axis=0, keepdims=True) + 0.5)
    without = []
    for axis, other in ((1, group), (0, treatment)):
        seen, due = o.sum(axis=axis, keepdims=True) - o, (e * other).sum(axis=axis, keepdims=True) - e * other
        without.append((seen + 0.5) / (due + 0.5))
    return without[0], without[1]
