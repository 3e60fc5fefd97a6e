"""How far a count lies above what is expected, shrunk toward none: information components, empirical Bayes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special


def information_component(
    observed: NDArray[np.float64], expected: NDArray[np.float64], level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """IC = log2((O + ½) / (E + ½)) with the limits of a Gamma(O + ½, rate E + ½) (Norén et al. 2013).

    Quantiles are looked up once a distinct count, so millions of pairs cost no more than thousands.

    ``observed`` and ``expected`` [pair]; returns IC, lower and upper limit [pair], in bits.
    """
    counts, place = np.unique(observed, return_inverse=True)
    tail = (1.0 - level) / 2
    base = np.log2(expected + 0.5)
    low = np.log2(special.gammaincinv(counts + 0.5, tail))[place] - base
    high = np.log2(special.gammainccinv(counts + 0.5, tail))[place] - base
    return np.log2(counts + 0.5)[place] - base, low, high


class Prior(NamedTuple):
    """Two gamma laws of the relative rate and the share of the first (DuMouchel 1999)."""

    alpha1: float
    beta1: float
    alpha2: float
    beta2: float
    share: float


def fit_prior(count: NDArray[np.float64], expected: NDArray[np.float64]) -> Prior:
    """Prior that makes the counts most likely: each is a mixture of two negative binomials.

    ``count`` and ``expected`` [pair] (DuMouchel 1999).
    """
    n, e = count[expected > 0], expected[expected > 0]

    def lack(theta: NDArray[np.float64]) -> float:
        return -float(np.logaddexp(*_log_marginals(_prior(theta), n, e)).sum())

    start = np.array([np.log(0.2), np.log(0.06), np.log(1.4), np.log(1.8), np.log(0.1 / 0.9)])
    found = optimize.minimize(lack, start, method="Nelder-Mead", options={"maxiter": 4000, "maxfev": 4000})
    return _prior(found.x)


def ebgm(
    count: NDArray[np.float64], expected: NDArray[np.float64], prior: Prior, level: float = 0.90
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Empirical-Bayes geometric mean of the relative rate, and the ends of its interval (EB05 and EB95).

    ``count`` and ``expected`` [pair]; returns mean, lower and upper end [pair] (DuMouchel 1999).
    """
    share = special.expit(-np.subtract(*_log_marginals(prior, count, expected)[::-1]))
    laws = [(prior.alpha1 + count, prior.beta1 + expected), (prior.alpha2 + count, prior.beta2 + expected)]
    logs = [special.digamma(shape) - np.log(rate) for shape, rate in laws]
    middle = np.exp(share * logs[0] + (1 - share) * logs[1])
    tail = (1 - level) / 2
    ends = [_mixture_quantile(share, laws, q) for q in (tail, 1 - tail)]
    return middle, ends[0], ends[1]


def temporal_ic(
    observed: NDArray[np.float64], expected: NDArray[np.float64], control: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Temporal information component with limits (Norén et al. 2010): E is raised by the control windows.

    ``control`` [.., window] holds O/E of the control windows; the largest of them, at least 1, multiplies E.
    """
    raised = expected * np.maximum(control.max(axis=-1, initial=1.0), 1.0)
    return information_component(observed, raised)


def max_statistic_p(
    observed: NDArray[np.float64],
    expected: NDArray[np.float64],
    windows: NDArray[np.bool_],
    rng: np.random.Generator,
    draws: int = 999,
) -> float:
    """p of the best of several windows that share days, corrected for having chosen it.

    ``observed`` and ``expected`` are by disjoint piece of time, ``windows`` [window, piece] says which pieces make
    up each. The statistic is the largest log-likelihood ratio of a window with more than expected; its law under
    no effect is drawn from Poisson counts of the pieces.
    """
    wanted = _largest_ratio(observed[None, :] @ windows.T, expected @ windows.T)[0]
    drawn = _largest_ratio(rng.poisson(expected, (draws, len(expected))) @ windows.T, expected @ windows.T)
    return float((1 + (drawn >= wanted - 1e-12).sum()) / (1 + draws))


def _largest_ratio(count: NDArray[Any], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio = special.xlogy(count, count / np.maximum(expected, 1e-12)) - (count - expected)
    best: NDArray[np.float64] = np.where(count > expected, ratio, 0.0).max(axis=-1)
    return best


def _prior(theta: NDArray[np.float64]) -> Prior:
    a1, b1, a2, b2 = np.exp(np.clip(theta[:4], -15, 10)).tolist()
    return Prior(a1, b1, a2, b2, float(special.expit(theta[4])))


def _log_marginals(
    prior: Prior, n: NDArray[np.float64], e: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logarithms of share and probability of the count under each of the two laws."""

    def one(alpha: float, beta: float) -> NDArray[np.float64]:
        binomial: NDArray[np.float64] = (
            special.gammaln(alpha + n)
            - special.gammaln(alpha)
            - special.gammaln(n + 1)
            + alpha * np.log(beta / (beta + e))
            + special.xlogy(n, e / (beta + e))
        )
        return binomial

    return (
        np.log(max(prior.share, 1e-300)) + one(prior.alpha1, prior.beta1),
        np.log(max(1 - prior.share, 1e-300)) + one(prior.alpha2, prior.beta2),
    )


def _mixture_quantile(
    share: NDArray[np.float64], laws: list[tuple[NDArray[np.float64], NDArray[np.float64]]], q: float
) -> NDArray[np.float64]:
    """Quantile of a mixture of two gamma laws by bisection on the logarithm, 60 halvings."""
    ends = [special.gammaincinv(shape, q) / rate for shape, rate in laws]
    low, high = (np.log(np.maximum(each(*ends), 1e-300)) for each in (np.minimum, np.maximum))
    for _ in range(60):
        middle = 0.5 * (low + high)
        at = np.exp(middle)
        below = share * special.gammainc(laws[0][0], at * laws[0][1])
        below += (1 - share) * special.gammainc(laws[1][0], at * laws[1][1])
        low, high = np.where(below < q, middle, low), np.where(below < q, high, middle)
    return np.exp(0.5 * (low + high))
