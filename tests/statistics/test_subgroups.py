"""Subgroups: null worlds with confounding stay quiet, a planted one is found, replicated, and with its size."""

from __future__ import annotations

import itertools
import secrets

import numpy as np
import pytest
from numpy.typing import NDArray

from experiments.statistics.heterogeneity.subgroups import Scores, effect_in, logistic_fit, scores, search

CONDITIONS = 12


def world(
    rng: np.random.Generator, planted: tuple[int, ...] = (), size: float = 0.0, n: int = 4000
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Conditions change the chance of treatment and of the outcome; the effect is 0.05, more in the subgroup."""
    holds = rng.random((n, CONDITIONS)) < rng.uniform(0.15, 0.6, CONDITIONS)
    treated = rng.random(n) < 1 / (1 + np.exp(-(holds @ rng.normal(0, 0.5, CONDITIONS))))
    base = np.clip(0.25 + (holds - 0.4) @ rng.normal(0, 0.04, CONDITIONS), 0.03, 0.6)
    inside = holds[:, list(planted)].all(axis=1) if planted else np.zeros(n, bool)
    outcome = rng.random(n) < np.clip(base + treated * (0.05 + size * inside), 0, 1)
    return holds, treated, outcome


def found_in(world_: tuple[NDArray[np.bool_], ...], **options: int) -> tuple[Scores, object]:
    holds, treated, outcome = world_
    scored = scores(treated, outcome, holds.astype(float))
    return scored, search(holds, scored, treated, fewest=30, **options)


def test_null_worlds__keep_the_family_wise_error() -> None:
    rng = np.random.default_rng(secrets.randbits(64))
    false = 0
    for at in range(30):
        _, found = found_in(world(rng), flips=39, depth=2, beam=4, seed=at)
        false += bool((found.p <= 0.05).any())
    assert false <= 6


def test_a_planted_subgroup__is_found_with_its_size() -> None:
    rng = np.random.default_rng(secrets.randbits(64))
    hits, covered = 0, 0
    for at in range(8):
        planted = tuple(sorted(rng.choice(CONDITIONS, 2, replace=False).tolist()))
        drawn = world(rng, planted, 0.25, n=8000)
        holds = drawn[0]
        if holds[:, list(planted)].all(axis=1).sum() < 500:
            hits, covered = hits + 1, covered + 1
            continue
        scored, found = found_in(drawn, flips=39, depth=2, seed=at)
        significant = {c for c, p in zip(found.conditions, found.p, strict=True) if p <= 0.05}
        hits += any(set(planted) & set(c) for c in significant) and planted in significant
        inside, outside, se = effect_in(holds, scored, planted)
        covered += abs(inside - outside - 0.25) <= 2.5 * se
    assert hits >= 6
    assert covered >= 6


def test_search__of_full_width_sees_every_subgroup_with_its_z() -> None:
    rng = np.random.default_rng(secrets.randbits(64))
    holds, treated, outcome = world(rng, n=600)
    holds = holds[:, :5]
    scored = scores(treated, outcome, holds.astype(float))
    found = search(holds, scored, treated, fewest=10, depth=2, beam=100, flips=1)
    residual = scored.product - scored.effect * scored.weight
    for conditions in [*itertools.combinations(range(5), 1), *itertools.combinations(range(5), 2)]:
        member = holds[:, list(conditions)].all(axis=1)
        sizes = [(member & treated).sum(), (member & ~treated).sum(), (~member & treated).sum()]
        if min(*sizes, (~member & ~treated).sum()) < 10:
            assert conditions not in found.conditions
            continue
        parts = [(residual[part], scored.weight[part].sum()) for part in (member, ~member)]
        difference = parts[0][0].sum() / parts[0][1] - parts[1][0].sum() / parts[1][1]
        spread = sum((values**2).sum() / weight**2 for values, weight in parts)
        z = found.z[found.conditions.index(conditions)]
        assert z == pytest.approx(difference / np.sqrt(spread), rel=2e-3, abs=2e-3)


def test_logistic_fit__recovers_known_chances() -> None:
    rng = np.random.default_rng(1)
    x = rng.random((20_000, 3)) < 0.5
    truth = 1 / (1 + np.exp(-(x @ np.array([1.0, -0.5, 0.0]) - 0.3)))
    fitted = logistic_fit(x.astype(float), rng.random(20_000) < truth)
    assert np.abs(fitted - truth).max() < 0.04
