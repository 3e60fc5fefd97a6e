"""Relative risk with an exact-style interval, its reference free of the exposed."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.statistics.distributions.tails import tail_pair


class RelativeRisk(NamedTuple):
    """Relative risk with the limits of its interval; NaN where nothing is expected."""

    rr: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def relative_risk(
    observed: NDArray[np.float64],
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    variance: NDArray[np.float64],
    uncertainty: NDArray[np.float64],
    level: float = 0.95,
) -> RelativeRisk:
    """Relative risk, and the rates at which each mid-p tail of the count equals half of what is left.

    The expected count comes from persons not exposed. Part of it (``after``) is of persons who became exposed
    later and had the outcome after that, so it already carries the effect: at rate r the count has the mean
    r x ``before`` + ``after``, hence RR = (O - ``after``) / ``before``. ``variance`` is that of the count
    among the exposed, ``uncertainty`` that of the expected count, which comes from a finite reference.

    All arrays [pair]; so are the ratio and its limits.
    """
    out = RelativeRisk(*(np.full(len(observed), np.nan) for _ in range(3)))
    lack = before + after - variance - uncertainty
    _limits(observed, before, after, lack, math.log((1.0 - level) / 2), *out)
    return out


@compiled
def _limits(
    observed: NDArray[np.float64],
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    lack: NDArray[np.float64],
    log_tail: float,
    rr: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> None:
    for at in range(len(observed)):
        if before[at] <= 0.0:
            continue
        expected = before[at] + after[at]
        rr[at] = max(observed[at] - after[at], 0.0) / before[at]
        low[at] = 0.0
        if observed[at] > 0.0:
            ratio = _solve(observed[at], expected, lack[at], log_tail, True)
            low[at] = max(ratio * expected - after[at], 0.0) / before[at]
        ratio = _solve(observed[at], expected, lack[at], log_tail, False)
        high[at] = max(ratio * expected - after[at], 0.0) / before[at]


@compiled
def _miss(
    log_rate: float, observed: float, expected: float, lack: float, log_tail: float, low: bool
) -> float:
    """How far the tail at this rate lies above what is wanted; rises with the rate for the lower limit."""
    rate = math.exp(log_rate)
    lower, upper = tail_pair(observed, rate * expected, rate * rate * lack)
    return max(upper, -1e6) - log_tail if low else log_tail - max(lower, -1e6)


@compiled
def _solve(observed: float, expected: float, lack: float, log_tail: float, low: bool) -> float:
    """Ratio to the expected count at which the tail is as wanted: false position (Illinois) on the log scale."""
    middle = math.log(max(observed, 0.5) / expected)
    step = 2.5 / math.sqrt(max(observed, 0.5))
    left, right = (middle - step, middle) if low else (middle, middle + step)
    f_left = _miss(left, observed, expected, lack, log_tail, low)
    f_right = _miss(right, observed, expected, lack, log_tail, low)
    for _ in range(200):
        if f_left <= 0.0 <= f_right:
            break
        if f_left > 0.0:
            right, f_right, left = left, f_left, left - step
            f_left = _miss(left, observed, expected, lack, log_tail, low)
        else:
            left, f_left, right = right, f_right, right + step
            f_right = _miss(right, observed, expected, lack, log_tail, low)
        step *= 1.5
    for _ in range(200):
        if right - left < 1e-10 or f_right == f_left:
            break
        guess = (left * f_right - right * f_left) / (f_right - f_left)
        if not left < guess < right or f_right - f_left > 1e4:
            guess = 0.5 * (left + right)
        f_guess = _miss(guess, observed, expected, lack, log_tail, low)
        if abs(f_guess) < 1e-11:
            return math.exp(guess)
        if f_guess < 0.0:
            left, f_left, f_right = guess, f_guess, 0.5 * f_right
        else:
            right, f_right, f_left = guess, f_guess, 0.5 * f_left
    return math.exp(0.5 * (left + right))
