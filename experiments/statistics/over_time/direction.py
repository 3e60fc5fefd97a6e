"""Which of two codes comes first, judged against the order that calendar trends alone would give."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.statistics.distributions.tails import mid_p_tails, two_sided_log10

NONE, FORWARD, BACKWARD = 0, 1, 2


class Direction(NamedTuple):
    """By pair: null-effect ratio, adjusted sequence ratio, p against the ratio and against ½, verdict.

    ``verdict`` is 1 forward where the order differs from the trend's the way the effect has it, 2 backward
    where it differs the other way, 0 where it does not differ. NaN where there is no order to judge.
    """

    nsr: NDArray[np.float64]
    asr: NDArray[np.float64]
    p: NDArray[np.float64]
    p_half: NDArray[np.float64]
    verdict: NDArray[np.int8]


def null_effect_ratios(incidence: NDArray[np.int32], window: int) -> NDArray[np.float64]:
    """Null-effect ratio of every ordered pair of rows of ``incidence`` [code, day]: ΣI F / ΣI B.

    I counts first days of a, F those of b in the ``window`` days after, B in the days before, the day itself
    excluded (Tsiropoulos et al. 2009). B summed for (a, b) is F summed for (b, a): one product does all.
    """
    days = incidence.shape[1]
    before = np.zeros((len(incidence), days + 1))
    np.cumsum(incidence, axis=1, out=before[:, 1:])
    ends = np.minimum(np.arange(days) + window + 1, days)
    following = before[:, ends] - before[:, 1:]
    forward = incidence.astype(np.float64) @ following.T
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios: NDArray[np.float64] = forward / forward.T
    return ratios


def judge_order(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    nsr: NDArray[np.float64],
    harmful: NDArray[np.bool_],
    level: float = 0.05,
) -> Direction:
    """Two-sided mid-p of n(a first) among both orders against NSR / (1 + NSR), and against one half.

    ``harmful`` says whether b is more frequent after a: then a should come first more often than the trend
    has it, else less often.

    ``first`` and ``second`` (persons with a first, with b first), ``nsr`` and ``harmful`` [pair]; so is every
    result.
    """
    total = first + second
    with np.errstate(divide="ignore", invalid="ignore"):
        asr = first / second / nsr
        share = np.where(np.isinf(nsr), 1.0, nsr / (1.0 + nsr))
    judged = (total > 0) & np.isfinite(share) & (share > 0.0) & (share < 1.0)
    p = _two_sided(first, total, np.where(judged, share, 0.5))
    p[~judged] = np.nan
    p_half = _two_sided(first, total, np.full(len(first), 0.5))
    p_half[total == 0] = np.nan
    agrees = (first > total * share) == harmful
    clear = judged & (np.nan_to_num(p, nan=1.0) <= level)
    verdict = np.where(clear, np.where(agrees, FORWARD, BACKWARD), NONE).astype(np.int8)
    return Direction(nsr, asr, p, p_half, verdict)


def _two_sided(
    count: NDArray[np.float64], total: NDArray[np.float64], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    mean = total * share
    p: NDArray[np.float64] = 10.0 ** two_sided_log10(*mid_p_tails(count, mean, mean * (1.0 - share)))
    return p
