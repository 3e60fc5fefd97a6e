"""Treatments in subpopulations: the kernel equals its oracle in any cut, null worlds stay quiet, planted ones are found."""

from __future__ import annotations

import secrets

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.kernels.care import CareCounts, CarePass
from experiments.kernels.pairs.reference import ReferencePass
from experiments.kernels.passes import OverPersons
from experiments.kernels.persons import Persons
from experiments.statistics.observed_expected.unexpected_care import UnexpectedCare, unexpected
from tests.oracles.care import care
from tests.support.small_worlds import as_persons, small_world, with_bands
from tests.support.worlds import null_world


def counted(persons: Persons, n_codes: int, pieces: int, *chosen: list[int]) -> CareCounts:
    run, settings_ = OverPersons(persons, pieces), with_bands(n_codes)
    reference = run(ReferencePass, {"settings": settings_})
    names = ("treatments", "groups", "outcomes")
    arrays = {name: np.array(codes, np.int32) for name, codes in zip(names, chosen, strict=True)}
    return run(CarePass, {"settings": settings_, "reference": reference, **arrays})


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 2**40), st.integers(1, 3))
def test_counts__equal_the_oracle_in_any_cut(seed: int, pieces: int) -> None:
    people, n_codes = small_world(seed)
    treatments, groups, outcomes = (
        list(range(0, n_codes, 2)),
        list(range(n_codes)),
        list(range(1, n_codes, 2)),
    )
    counts = counted(as_persons(people, n_codes), n_codes, pieces, treatments, groups, outcomes)
    wanted = care(people, treatments, groups, outcomes)
    at_risk, observed, expected, variance = counts.figures()
    for t, treatment in enumerate(treatments):
        for g, group in enumerate([-1, *groups]):
            for y, outcome in enumerate(outcomes):
                cell = wanted.get((treatment, group, outcome), [0.0] * 4)
                assert [at_risk[t, g, y], observed[t, g, y]] == cell[:2]
                assert [expected[t, g, y], variance[t, g, y]] == pytest.approx(cell[2:], abs=1e-9)
    whole = counted(as_persons(people, n_codes), n_codes, 1, treatments, groups, outcomes)
    assert np.array_equal(whole.expected, counts.expected)


def test_null_worlds__with_frailty_and_stays_call_nothing() -> None:
    for _ in range(2):
        world = null_world(secrets.randbelow(2**31), bursts=True, persons=60_000, codes=300)
        order = np.argsort(-np.bincount(world.persons.codes, minlength=300))
        lists = (order[10:50].tolist(), order[50:110].tolist(), [*order[:6].tolist(), world.death])
        found = unexpected(*counted(world.persons, world.n_codes, 1, *lists).figures(), 20)
        cells = found.tested & (found.expected >= 5)
        assert 0.75 <= float(found.z[cells].std()) <= 1.1, (
            "the margins are counted as more uncertain than they are"
        )
        assert int((found.q_bh[found.tested] <= 0.05).sum()) <= 1


def interaction(rng: np.random.Generator, size: float) -> UnexpectedCare:
    """Counts of 30 treatments, 40 groups, 3 outcomes whose effects multiply, but for one cell."""
    at_risk = rng.integers(100, 2000, (30, 41, 3))
    at_risk[:, 0] = at_risk[:, 1:].sum(axis=1)
    expected = at_risk * rng.uniform(0.05, 0.2, (1, 41, 3))
    factor = np.exp(rng.normal(0, 0.4, (30, 1, 3)) + rng.normal(0, 0.4, (1, 41, 3)))
    factor[4, 7, 1] *= size
    observed = rng.poisson(expected * factor)
    observed[:, 0], expected[:, 0] = observed[:, 1:].sum(axis=1), expected[:, 1:].sum(axis=1)
    return unexpected(at_risk, observed, expected, expected, 20)


def test_effects_that_multiply__are_no_interaction_and_a_planted_one_is_found() -> None:
    rng = np.random.default_rng(secrets.randbits(64))
    quiet = sum(not (interaction(rng, 1.0).q_bh <= 0.05).any() for _ in range(20))
    assert quiet >= 15
    hits, false, neighbours, ratios = [], [], 0, []
    for _ in range(120):
        found = interaction(rng, 2.5)
        significant = found.q_bh <= 0.05
        hit = bool(significant[4, 7, 1])
        if found.expected[4, 7, 1] >= 40:
            hits.append(hit)
            ratios.append(found.ratio[4, 7, 1])
        significant[4, 7, 1] = False
        false.append(significant.sum() / max(significant.sum() + hit, 1))
        neighbours += int(significant[4, :, 1].sum() + significant[:, 7, 1].sum())
    assert np.mean(hits) >= 0.97
    assert np.mean(false) <= 0.05 + 3.5 * 0.16 / np.sqrt(len(false))
    assert neighbours <= 4
    assert np.median(ratios) == pytest.approx(2.5, rel=0.1)
