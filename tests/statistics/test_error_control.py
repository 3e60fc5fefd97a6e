"""Error rates over a tree, and over everything a study has ever tested: equal to their definitions, and kept."""

from __future__ import annotations

import secrets

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.statistics.error_control.multiplicity import KEPT, HypothesisTally, harmonic
from experiments.statistics.error_control.tree_errors import tree_bh
from tests.oracles import error_rates as definition

P = st.sampled_from([1e-9, 1e-5, 0.001, 0.004, 0.01, 0.03, 0.049, 0.2, 0.7, 1.0])
TREES = st.lists(
    st.lists(st.lists(P, min_size=1, max_size=4), min_size=1, max_size=3), min_size=1, max_size=4
)


@given(TREES)
def test_tree_bh__equals_its_definition(tree: list[list[list[float]]]) -> None:
    leaves = [
        (c, b, place, p)
        for c, chapter in enumerate(tree)
        for b, block in enumerate(chapter)
        for place, p in enumerate(block)
    ]
    groups = np.array([(c, 100 * c + b) for c, b, _, _ in leaves])
    order = np.random.default_rng(len(leaves)).permutation(len(leaves))
    selected, _ = tree_bh(np.log10([leaves[at][3] for at in order]), groups[order], 0.05)
    said = sorted(leaves[at][:3] for at in order[selected])
    assert said == sorted(definition.tree_bh(tree, 0.05))


def test_tree_bh__refuses_what_is_no_tree() -> None:
    with pytest.raises(ValueError, match="two nodes"):
        tree_bh(np.zeros(2), np.array([[0, 5], [1, 5]]))


def test_tree_bh__opens_no_family_in_null_worlds_and_finds_crowded_effects() -> None:
    rng = np.random.default_rng(secrets.randbits(64))
    groups = np.stack([np.arange(4000) // 400, np.arange(4000) // 20], axis=1)
    opened, found, false = 0, 0, []
    for _ in range(60):
        log10_p = np.log10(rng.random(4000))
        opened += tree_bh(log10_p, groups)[0].any()
        log10_p[40:60] = -np.abs(rng.normal(6.5, 1, 20))
        selected, _ = tree_bh(log10_p, groups)
        found += selected[40:60].sum()
        outside = selected.sum() - selected[40:60].sum()
        false.append(outside / max(selected.sum(), 1))
    assert opened <= 10
    assert found >= 0.9 * 60 * 20
    assert np.mean(false) <= 0.05


@given(st.lists(st.lists(P, min_size=1, max_size=20), min_size=1, max_size=5))
def test_ever_tested__q_values_are_those_of_all_tests_together(runs: list[list[float]]) -> None:
    everything = [p for run in runs for p in run]
    kept = HypothesisTally.merge([HypothesisTally.of(np.log10(run)) for run in runs])
    bh, by = kept.q_values(np.log10(runs[0]))
    for q, price, p in zip(bh, by, runs[0], strict=True):
        true = definition.q_bh(everything)[everything.index(p)]
        assert q == pytest.approx(true) if true <= KEPT else q >= KEPT
        if true <= KEPT:
            assert price == pytest.approx(min(true * harmonic(len(everything)), 1.0))


def test_ever_tested__more_looks_cost_more() -> None:
    rng = np.random.default_rng(secrets.randbits(64))
    first = HypothesisTally.of(np.array([-6.0, -1.0, -0.3]))
    later = HypothesisTally.merge([first, HypothesisTally.of(np.log10(rng.uniform(0.2, 1, 10_000)))])
    assert first.q_values(np.array([-6.0]))[0] == pytest.approx(3e-6)
    assert later.q_values(np.array([-6.0]))[0] == pytest.approx(10_003e-6)
    assert harmonic(2000) == pytest.approx(sum(1 / k for k in range(1, 2001)))
