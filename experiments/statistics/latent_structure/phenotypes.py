"""Groups of codes that persons have together: found by factors, kept where they come again, tested on unseen persons."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, sparse

from experiments.statistics.distributions.tails import mid_p_tails
from experiments.statistics.error_control.multiplicity import q_values

SMALL = 1e-12
SMOOTH = 20.0
"""Codes of the general population that every factor is taken to have seen."""
PRIOR = 3.0
"""Codes drawn from the mixture of everybody that every person is taken to have had besides."""


SHORT, STARTS = 12, 4
"""Rounds every start is given, and how many starts there are for each that is climbed to its end."""

Factors = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Weights [person, factor] and codes [factor, code]."""


def factorise(has: sparse.csr_matrix, factors: int, seed: int, rounds: int = 100) -> Factors:
    """Non-negative factors of a person × code matrix under the Kullback-Leibler loss (Lee & Seung 2001).

    Returns weights [person, factor] and factors [factor, code]; each factor's codes add up to 1, each person's
    weights to the number of their codes: the likelihood is that of drawing the codes from a mixture of the factors.
    The last factor is fixed to how frequent the codes are, so that the others need not say it; ``SMOOTH`` codes of it
    are added to each of them, and ``PRIOR`` of everybody's mixture to each person, lest few codes say too much.
    """
    return climb(has, start(has, factors, seed), rounds)


def likeliest(has: sparse.csr_matrix, factors: int, seed: int, kept: int, rounds: int = 100) -> list[Factors]:
    """The likeliest first of ``kept`` factorisations, themselves the likeliest of ``STARTS`` times as many starts.

    Many a start ends with two groups of codes in one factor. A few rounds tell such a start from a better one
    (Biernacki, Celeux & Govaert 2003), so that more of them can be looked at in the same time. ``has`` is [person, code].
    """
    tried = [factorise(has, factors, seed + each, SHORT) for each in range(STARTS * kept)]
    best = sorted(tried, key=lambda each: -likelihood(has, *each))[:kept]
    climbed = [climb(has, each, rounds - SHORT) for each in best]
    return sorted(climbed, key=lambda each: -likelihood(has, *each))


def start(has: sparse.csr_matrix, factors: int, seed: int) -> Factors:
    """Factors drawn around how frequent the codes are; ``has`` is [person, code], factors as in :func:`factorise`."""
    rng = np.random.default_rng(seed)
    persons, codes = has.shape
    share = shares(has)
    h = share * rng.gamma(1.0, 1.0, (factors + 1, codes)) + SMALL
    h[-1] = share
    h /= h.sum(axis=1, keepdims=True)
    size = np.asarray(has.sum(axis=1))
    w = rng.gamma(5.0, 0.2, (persons, factors + 1)) + SMALL
    w *= size / w.sum(axis=1, keepdims=True)
    return w, h


def climb(has: sparse.csr_matrix, begun: Factors, rounds: int) -> Factors:
    """Rounds of multiplicative updates of what was begun; ``has`` is [person, code], factors as in :func:`factorise`."""
    w, h = begun[0], begun[1].copy()
    share, size = shares(has), np.asarray(has.sum(axis=1))
    row, column = has.nonzero()
    for _ in range(rounds):
        ratio = sparse.csr_matrix((1.0 / _at(w, h, row, column), (row, column)), shape=has.shape)
        w = w * (ratio @ h.T) + PRIOR * w.sum(axis=0) / w.sum()
        w *= size / w.sum(axis=1, keepdims=True)
        ratio = sparse.csr_matrix((1.0 / _at(w, h, row, column), (row, column)), shape=has.shape)
        h[:-1] = (h * (ratio.T @ w).T)[:-1] + SMOOTH * share
        h /= h.sum(axis=1, keepdims=True)
    return w, h


def shares(has: sparse.csr_matrix) -> NDArray[np.float64]:
    """How frequent each code is among all codes of all persons.

    ``has`` [person, code]; returns [code].
    """
    total: NDArray[np.float64] = np.asarray(has.sum(axis=0)).ravel() / max(float(has.sum()), 1.0)
    return total


def likelihood(has: sparse.csr_matrix, w: NDArray[np.float64], h: NDArray[np.float64]) -> float:
    """Poisson log-likelihood of the matrix, without terms that do not depend on the factors.

    ``has`` [person, code], ``w`` [person, factor], ``h`` [factor, code].
    """
    return float(np.log(_at(w, h, *has.nonzero())).sum() - (w.sum(axis=0) * h.sum(axis=1)).sum())


def _at(
    w: NDArray[np.float64], h: NDArray[np.float64], row: NDArray[np.int32], column: NDArray[np.int32]
) -> NDArray[np.float64]:
    out: NDArray[np.float64] = np.einsum("ij,ij->i", w[row], h.T[column])
    return np.maximum(out, SMALL)


def mixtures(
    has: sparse.csr_matrix, h: NDArray[np.float64], weights: NDArray[np.float64], rounds: int = 40
) -> NDArray[np.float64]:
    """Each person's mixture of given factors, whose ``weights`` over everybody are known; rows add up to 1.

    ``has`` [person, code], ``h`` [factor, code], ``weights`` [factor]; returns [person, factor].
    """
    w = np.tile(weights, (has.shape[0], 1))
    row, column = has.nonzero()
    for _ in range(rounds):
        ratio = sparse.csr_matrix((1.0 / _at(w, h, row, column), (row, column)), shape=has.shape)
        w = w * (ratio @ h.T) + PRIOR * weights
        w /= w.sum(axis=1, keepdims=True)
    return w


def held_out_gain(
    has: sparse.csr_matrix,
    h: NDArray[np.float64],
    weights: NDArray[np.float64],
    share: NDArray[np.float64],
    seed: int,
) -> float:
    """Mean log-likelihood a held-out code gains over its frequency alone, in bits.

    Of persons the factors were not learned from, every code is kept or held out by a coin; the kept ones give
    the person's mixture, the held-out ones are judged.

    ``has`` [person, code], ``h`` [factor, code], ``weights`` [factor], ``share`` [code].
    """
    rng = np.random.default_rng(seed)
    row, column = has.nonzero()
    kept = rng.random(len(row)) < 0.5
    known = sparse.csr_matrix((np.ones(kept.sum()), (row[kept], column[kept])), shape=has.shape)
    w = mixtures(known, h, weights)
    judged = ~kept & (np.asarray(known.sum(axis=1)).ravel()[row] > 0)
    if not judged.any():
        return 0.0
    mixed = _at(w, h, row[judged], column[judged])
    return float(np.mean(np.log2(mixed / np.maximum(share[column[judged]], SMALL))))


def matched(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosine of each factor of ``one`` with its partner in ``other``, partners chosen to agree best in all.

    Both [factor, code]; returns [factor of ``one``].
    """
    cosine = (one / np.linalg.norm(one, axis=1, keepdims=True)) @ (
        other / np.linalg.norm(other, axis=1, keepdims=True)
    ).T
    rows, columns = optimize.linear_sum_assignment(-cosine)
    out = np.zeros(len(one))
    out[rows] = cosine[rows, columns]
    return out


class CoOccurrence(NamedTuple):
    """By group of codes: pairs of its codes that persons have together, what their strata let expect, variance,
    log10 of the one-sided p that they have more."""

    observed: NDArray[np.float64]
    expected: NDArray[np.float64]
    variance: NDArray[np.float64]
    log10_p: NDArray[np.float64]


def together(
    has: sparse.csr_matrix, strata: NDArray[np.int64], groups: list[NDArray[np.int64]]
) -> CoOccurrence:
    """Do persons have the codes of a group together more often than chance within their stratum?

    The strata hold sex, age and how many codes a person has in all. If every code's holders were drawn anew
    within each, independently of all other codes, the joint holders of two codes would be hypergeometric, and any
    two such counts uncorrelated: mean and variance of their sum are exact.

    ``has`` [person, code], ``strata`` [person]; each group lists the columns of its codes; returns arrays
    [group].
    """
    _, stratum = np.unique(strata, return_inverse=True)
    sizes = np.bincount(stratum).astype(np.float64)
    member = sparse.csr_matrix((np.ones(len(stratum)), (stratum, np.arange(len(stratum)))))
    seen, mean, variance = [], [], []
    for group in groups:
        own = np.asarray(has[:, group].todense()) > 0
        counts = own.sum(axis=1).astype(np.float64)
        seen.append(float((counts * (counts - 1) / 2).sum()))
        n = np.asarray(member @ own.astype(np.float64))
        share, rest = n / sizes[:, None], n * (sizes[:, None] - n) / sizes[:, None]
        mean.append(float((sizes * _over_pairs(share)).sum()))
        variance.append(float((_over_pairs(rest) / np.maximum(sizes - 1, 1)).sum()))
    observed, expected, spread = (np.array(column) for column in (seen, mean, variance))
    _, upper = mid_p_tails(observed, expected, spread)
    return CoOccurrence(observed, expected, spread, upper / np.log(10.0))


def _over_pairs(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over unordered pairs of columns of their product, by row."""
    result: NDArray[np.float64] = (values.sum(axis=1) ** 2 - (values**2).sum(axis=1)) / 2
    return result


class Phenotypes(NamedTuple):
    """What was found in the open half: factors [factor, code], top codes of each, stability over seeds, the gain in
    bits on held-out persons, agreement with factors learned in the locked half, and the test there."""

    factors: NDArray[np.float64]
    top: list[NDArray[np.int64]]
    stability: NDArray[np.float64]
    gain: float
    agreement: NDArray[np.float64]
    together: CoOccurrence
    q_bh: NDArray[np.float64]
    q_by: NDArray[np.float64]


def find_phenotypes(
    opened: sparse.csr_matrix,
    locked: sparse.csr_matrix,
    strata: NDArray[np.int64],
    *,
    factors: int,
    top: int = 8,
    seeds: int = 4,
    seed: int = 0,
) -> Phenotypes:
    """Learn on the open half (the likeliest of several starts); test on the locked one, whose ``strata`` are given.

    ``opened`` and ``locked`` [person, code], ``strata`` [person of ``locked``].
    """
    best, *others = likeliest(opened, factors, seed, seeds)
    h = best[1][:-1]
    again = [matched(h, fit[1][:-1]) for fit in others]
    ((_, other),) = likeliest(locked, factors, seed, 1)
    share = shares(opened)
    lift = h * np.log(np.maximum(h, SMALL) / np.maximum(share, SMALL))
    groups = [np.sort(np.argsort(-row, kind="stable")[:top]) for row in lift]
    tested = together(locked, strata, groups)
    q_bh, q_by = q_values(tested.log10_p, np.ones(factors, bool))
    whole = best[0].sum(axis=0)
    gain = held_out_gain(locked, best[1], whole / whole.sum(), share, seed)
    return Phenotypes(
        h,
        groups,
        np.mean(again, axis=0) if again else np.ones(factors),
        gain,
        matched(h, other[:-1]),
        tested,
        q_bh,
        q_by,
    )
