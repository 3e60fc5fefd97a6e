"""Exact-style tail probabilities of a count whose mean and variance are known, however far out.

A sum of unequal coin flips is matched by the law with the same mean E and variance V: a binomial with
n = E²/(E-V) and probability (E-V)/E where V < E, a Poisson where they agree, a negative binomial where V > E.
n need not be whole: tails are regularised incomplete beta functions, taken in logarithms since national
figures underflow a double. All tails are mid-p: half of the probability of the count itself belongs to each.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
_LARGEST_SIZE = 1e12
_LN10 = math.log(10.0)
_TINY = 1e-300
_ROUNDING = 1e-9


def mid_p_tails(
    observed: NDArray[np.float64],
    expected: NDArray[np.float64],
    variance: NDArray[np.float64],
    threads: int = 2,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Natural logarithms of the lower and the upper mid-p tail of each whole ``observed`` count.

    The two probabilities add up to 1. Where nothing is expected both are 1/2.

    All arrays of one shape, any: [test] as a rule; so are both results.
    """
    lower, upper = np.empty(len(observed)), np.empty(len(observed))
    cuts = np.linspace(0, len(observed), 4 * threads + 1).astype(int)

    def work(part: int) -> None:
        span = slice(cuts[part], cuts[part + 1])
        _tails(observed[span], expected[span], variance[span], lower[span], upper[span])

    if len(observed) < 10_000:
        _tails(observed, expected, variance, lower, upper)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(4 * threads)))
    return lower, upper


def two_sided_log10(lower: NDArray[np.float64], upper: NDArray[np.float64]) -> NDArray[np.float64]:
    """log10 of the two-sided p-value from both tails: twice the smaller, never above 1.

    ``lower`` and ``upper`` are natural logarithms of one shape, [test] as a rule; so is the result.
    """
    result: NDArray[np.float64] = np.minimum((math.log(2.0) + np.minimum(lower, upper)) / _LN10, 0.0)
    return result


@compiled
def _tails(
    observed: NDArray[np.float64],
    expected: NDArray[np.float64],
    variance: NDArray[np.float64],
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
) -> None:
    for at in range(len(observed)):
        lower[at], upper[at] = tail_pair(observed[at], expected[at], expected[at] - variance[at])


@compiled
def tail_pair(observed: float, expected: float, lack: float) -> tuple[float, float]:
    """Logarithms of both mid-p tails; ``lack`` is E - V, how far the variance falls short of Poisson's.

    A matched binomial cannot exceed its n. Where the count does, n is raised to the count with the mean
    kept, which widens the law: the answer errs on the side of caution. A count that was certain (V = 0 and
    O = E, but for rounding) says nothing.
    """
    rounding = _ROUNDING * max(expected, 1.0)
    if expected <= 0.0 or (expected - lack <= rounding and abs(observed - expected) <= rounding):
        return -math.log(2.0), -math.log(2.0)
    if lack >= 0.0:
        size = min(expected * expected / max(lack, _TINY), _LARGEST_SIZE)
        size = max(size, observed, expected)
        share = expected / size
        pmf = log_binomial(observed, size, share)
        above = _upper_over_pmf(observed, share * (size - observed), size - observed, share)
    else:
        size = min(expected * expected / -lack, _LARGEST_SIZE)
        share = expected / (size + expected)
        pmf = math.log(size / (size + observed)) + log_binomial(size, size + observed, 1.0 - share)
        above = _upper_over_pmf(observed, share * (size + observed), size, share)
    if observed >= expected:
        log_upper = pmf + math.log(0.5 + above)
        if log_upper < -math.log(2.0):
            return math.log1p(-math.exp(log_upper)), log_upper
        log_upper = min(log_upper, -1e-17)
        return math.log(max(-math.expm1(log_upper), _TINY)), log_upper
    log_lower = pmf + math.log(0.5 + _lower_over_pmf(observed, size, share, lack >= 0.0))
    log_lower = min(log_lower, -1e-17)
    return log_lower, math.log(max(-math.expm1(log_lower), _TINY))


@compiled
def _lower_over_pmf(observed: float, size: float, share: float, binomial: bool) -> float:
    """P(X < k) / P(X = k), adding terms from k - 1 downwards: every one positive."""
    total, term, count = 0.0, 1.0, observed
    while count >= 1.0:
        if binomial:
            term *= count * (1.0 - share) / ((size - count + 1.0) * share)
        else:
            term *= count / ((count - 1.0 + size) * share)
        total += term
        count -= 1.0
        if term < 1e-16 * total:
            break
    return total


@compiled
def _upper_over_pmf(observed: float, first: float, b: float, share: float) -> float:
    """P(X > k) / P(X = k): the continued fraction of the incomplete beta function I_share(k + 1, b).

    ``first`` is the leading factor of the next term over this one, times k + 1. Lentz's method, as in
    Press et al., Numerical Recipes, §6.4.
    """
    if b <= 0.0:
        return 0.0
    a = observed + 1.0
    c, d = 1.0, 1.0 - (a + b) * share / (a + 1.0)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    value = d
    for m in range(1, 100_000):
        step = m * (b - m) * share / ((a + 2 * m - 1.0) * (a + 2 * m))
        d = 1.0 + step * d
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        c = 1.0 + step / c
        c = c if abs(c) > _TINY else _TINY
        value *= d * c
        step = -(a + m) * (a + b + m) * share / ((a + 2 * m) * (a + 2 * m + 1.0))
        d = 1.0 + step * d
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        c = 1.0 + step / c
        c = c if abs(c) > _TINY else _TINY
        value *= d * c
        if abs(d * c - 1.0) < 1e-14:
            break
    return first / a * value


@compiled
def log_binomial(count: float, size: float, share: float) -> float:
    """log P(X = count) of a binomial with real-valued size, by Loader's saddle point: exact for any size."""
    rest = size - count
    if count <= 0.0:
        return size * math.log1p(-share) if share < 1.0 else (0.0 if size == 0.0 else -math.inf)
    if rest <= 0.0:
        return count * math.log(share)
    if share >= 1.0:
        return -math.inf
    correction = _stirling_error(size) - _stirling_error(count) - _stirling_error(rest)
    deviance = _deviance(count, size * share) + _deviance(rest, size * (1.0 - share))
    return correction - deviance - _HALF_LOG_2PI + 0.5 * (math.log(size / count) - math.log(rest))


@compiled
def _stirling_error(x: float) -> float:
    """log Γ(x + 1) less Stirling's formula."""
    if x < 16.0:
        return math.lgamma(x + 1.0) - (x + 0.5) * math.log(x) + x - _HALF_LOG_2PI
    y = 1.0 / (x * x)
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - y / 1188) * y) * y) * y) / x


@compiled
def _deviance(x: float, mean: float) -> float:
    """x log(x / mean) + mean - x without cancellation."""
    difference = x - mean
    if abs(difference) < 0.1 * (x + mean):
        v = difference / (x + mean)
        total = difference * v
        term, square, j = 2.0 * x * v, v * v, 1
        while j < 1000:
            term *= square
            following = total + term / (2 * j + 1)
            if following == total:
                return following
            total = following
            j += 1
    return x * math.log(x / mean) + mean - x
