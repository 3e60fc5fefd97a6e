"""Phenotypes: null worlds with age and utilisation stay quiet, planted ones are found, stable and replicated."""

from __future__ import annotations

import secrets

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from experiments.statistics.latent_structure.phenotypes import (
    factorise,
    find_phenotypes,
    held_out_gain,
    likelihood,
    matched,
    mixtures,
    together,
)

CODES = 80


def world(
    rng: np.random.Generator, persons: int, planted: int
) -> tuple[sparse.csr_matrix, sparse.csr_matrix, NDArray[np.int64]]:
    """Persons × codes of both halves, strata of the locked half; phenotypes are blocks of eight codes."""
    popularity = rng.gamma(0.8, 1.0, CODES) + 0.05
    age = rng.integers(0, 8, persons)
    slope = rng.normal(0, 0.25, CODES)
    frailty = rng.gamma(2.0, 0.5, persons)
    rate = frailty[:, None] * popularity * np.exp(slope * (age[:, None] - 4)) * 0.08
    for block in range(planted):
        ill = rng.random(persons) < 0.1
        rate[ill, block * 8 : block * 8 + 8] += 0.9
    has = rng.random((persons, CODES)) < 1 - np.exp(-rate)
    bands = np.searchsorted([1, 2, 3, 4, 5, 6, 8, 10, 13, 17], has.sum(axis=1), side="right")
    strata = age * 100 + bands
    locked = rng.random(persons) < 0.5
    both = [sparse.csr_matrix(has[part].astype(float)) for part in (~locked, locked)]
    return both[0], both[1], strata[locked]


def test_null_worlds__call_no_phenotype() -> None:
    rng = np.random.default_rng(secrets.randbits(64))
    significant = 0
    for seed in range(5):
        found = find_phenotypes(*world(rng, 3000, 0), factors=6, seeds=2, seed=seed)
        significant += bool((found.q_bh <= 0.05).any())
    assert significant <= 2


def test_planted_phenotypes__are_found_stable_and_say_more_of_unseen_persons() -> None:
    rng = np.random.default_rng(secrets.randbits(64))
    hits, q, agreement, stability, better = [], [], [], [], 0
    for seed in range(4):
        found = find_phenotypes(*world(rng, 8000, 4), factors=7, seeds=5, seed=seed)
        none = find_phenotypes(*world(rng, 8000, 0), factors=7, seeds=2, seed=seed)
        better += found.gain > none.gain
        for first in range(0, 32, 8):
            shared = [len(set(range(first, first + 8)) & set(top.tolist())) for top in found.top]
            best = int(np.argmax(shared))
            hits.append(shared[best])
            q.append(found.q_bh[best])
            agreement.append(found.agreement[best])
            stability.append(found.stability[best])
    assert np.mean(np.array(hits) >= 5) >= 0.9
    assert np.mean(np.array(q) <= 0.05) >= 0.95
    assert np.median(agreement) >= 0.8
    assert np.median(stability) >= 0.7
    assert better >= 3


def test_factors__climb_the_likelihood_and_mix_to_one() -> None:
    rng = np.random.default_rng(3)
    opened, locked, _ = world(rng, 1500, 3)

    fits = [factorise(opened, 4, 1, rounds) for rounds in (1, 3, 10, 40)]
    climbs = [likelihood(opened, *fit) for fit in fits]
    w, h = fits[-1]
    assert climbs[-1] == pytest.approx(np.log((w @ h)[opened.nonzero()]).sum() - (w @ h).sum())
    assert climbs == sorted(climbs)
    _, h = factorise(opened, 4, 1)
    assert h.sum(axis=1) == pytest.approx(1.0)
    assert mixtures(locked, h, np.full(5, 0.2))[np.asarray(locked.sum(axis=1)).ravel() > 0].sum(
        axis=1
    ) == pytest.approx(1.0)
    assert matched(h, h[::-1]) == pytest.approx(1.0)
    share = np.asarray(opened.sum(axis=0)).ravel() / opened.sum()
    assert held_out_gain(locked, np.tile(share, (2, 1)), np.full(2, 0.5), share, 1) == pytest.approx(
        0.0, abs=1e-9
    )


def test_together__expects_what_margins_of_the_strata_make() -> None:
    """Everything within a stratum is independent: the expected pairs follow from the margins."""
    rng = np.random.default_rng(secrets.randbits(64))
    strata = rng.integers(0, 5, 4000)
    has = rng.random((4000, 6)) < (0.05 + 0.08 * strata)[:, None]
    found = together(sparse.csr_matrix(has.astype(float)), strata, [np.arange(6)])
    counts = np.array([has[strata == s].sum(axis=0) for s in range(5)])
    sizes = np.bincount(strata)
    by_hand = sum((c.sum() ** 2 - (c**2).sum()) / 2 / n for c, n in zip(counts, sizes, strict=True))
    assert found.expected[0] == pytest.approx(by_hand)


def test_together__spreads_as_much_as_redrawing_says() -> None:
    rng = np.random.default_rng(secrets.randbits(64))
    strata = np.repeat(np.arange(4), 60)
    has = rng.random((240, 4)) < 0.3
    found = together(sparse.csr_matrix(has.astype(float)), strata, [np.arange(4)])
    drawn = []
    for _ in range(1500):
        again = has.copy()
        for stratum in range(4):
            for code in range(4):
                rows = strata == stratum
                again[rows, code] = rng.permutation(has[rows, code])
        counts = again.sum(axis=1)
        drawn.append((counts * (counts - 1) / 2).sum())
    assert np.mean(drawn) == pytest.approx(found.expected[0], rel=0.03)
    assert np.var(drawn) == pytest.approx(found.variance[0], rel=0.2)
