"""Effects of pathway types: null worlds stay quiet although sicker persons take other ways; planted ones are found."""

from __future__ import annotations

import secrets

import numpy as np
from numpy.typing import NDArray

from experiments.analyses.pathways.effects import Effects, feature_effects

FEATURES = 40


def world(rng: np.random.Generator, planted: NDArray[np.int64], rr: float) -> Effects:
    """8,000 pathways in 60 strata whose risk and whose ways both depend on the stratum."""
    risk = rng.beta(2, 12, 60)
    stratum = rng.integers(0, 60, 8000)
    lean = rng.normal(0, 0.8, FEATURES)
    chance = 1 / (1 + np.exp(-(rng.normal(-2, 0.7, FEATURES) + lean * (risk[stratum, None] - 0.14) * 15)))
    has = rng.random((8000, FEATURES)) < chance
    boost = np.where(has[:, planted].any(axis=1), rr, 1.0)
    outcome = rng.random(8000) < np.minimum(risk[stratum] * boost, 1)
    half = rng.integers(0, 2, 8000)
    group = stratum * 2 + half
    totals = np.stack([np.bincount(group, minlength=120), np.bincount(group, outcome, 120)], axis=1)
    cell = np.arange(FEATURES)[None, :] * 120 + group[:, None]
    n1 = np.bincount(cell[has], minlength=FEATURES * 120).astype(float)
    a = np.bincount(cell[has & outcome[:, None]], minlength=FEATURES * 120).astype(float)
    feature, place = np.divmod(np.flatnonzero(n1), 120)
    cells = np.stack([feature, place // 2, place % 2], axis=1)
    counts = np.stack([n1, a], axis=1)[n1 > 0]
    return feature_effects(cells, counts, totals.reshape(60, 2, 2), FEATURES, 20, 0.05)


def test_null_worlds__call_nothing() -> None:
    rng = np.random.default_rng(secrets.randbits(64))
    significant = [bool(world(rng, np.empty(0, np.int64), 1.0).significant.any()) for _ in range(100)]
    assert sum(significant) <= 14


def test_planted_types__are_found_with_their_size_and_little_else() -> None:
    rng = np.random.default_rng(secrets.randbits(64))
    found, confirmed, false, ratios, covered = 0, 0, [], [], []
    for _ in range(100):
        planted = np.array([int(rng.integers(FEATURES))])
        effects = world(rng, planted, 2.0)
        if effects.persons[planted[0]] < 300:
            continue
        hit = bool(effects.significant[planted[0]])
        found += hit
        confirmed += int(effects.replicated[planted[0]] == 1)
        false.append((effects.significant.sum() - hit) / max(effects.significant.sum(), 1))
        ratios.append(float(effects.risk.rr[planted[0]]))
        covered.append(bool(effects.risk.low[planted[0]] <= 2.0 <= effects.risk.high[planted[0]]))
    assert found >= 0.95 * len(ratios)
    assert confirmed >= 0.8 * len(ratios)
    assert np.mean(false) <= 0.05 + 3.5 * 0.16 / np.sqrt(len(false))
    assert abs(np.median(ratios) - 2.0) <= 0.15
    assert np.mean(covered) >= 0.8


def test_rare_features__are_not_tested() -> None:
    cells = np.array([[0, 0, 0], [1, 0, 0]])
    totals = np.array([[[100.0, 20.0], [0.0, 0.0]]])
    effects = feature_effects(cells, np.array([[3.0, 3.0], [30.0, 5.0]]), totals, 2, 5, 0.05)
    assert effects.tested.tolist() == [False, True]
    assert np.isnan(effects.q_bh[0])
