"""From the rows of a cohort to subgroups: null worlds quiet, planted ones found and confirmed in the locked half."""

from __future__ import annotations

import secrets

import numpy as np

from experiments.analyses.subgroups.search import FIXED, conditions_of, find_subgroups
from experiments.kernels.cohort import CohortRows


def cohort_rows(rng: np.random.Generator, persons: int, planted: float) -> CohortRows:
    """Ten earlier codes; age, code 0 and code 1 change both the choice and the risk; code 3 changes the effect."""
    has = rng.random((persons, 10)) < rng.uniform(0.1, 0.5, 10)
    has[:, 3] = rng.random(persons) < 0.3
    age = rng.integers(20, 95, persons)
    lean = 0.6 * has[:, 0] - 0.5 * has[:, 1] + (age - 55) / 60
    treated = rng.random(persons) < 1 / (1 + np.exp(-lean))
    risk = 0.08 + 0.1 * has[:, 0] + 0.05 * has[:, 1] + (age - 20) / 600 + 0.04 * treated
    outcome = rng.random(persons) < risk + planted * (treated & has[:, 3])
    sex, year = rng.integers(1, 3, persons), rng.integers(2012, 2022, persons)
    facts = np.stack([treated, outcome, sex, age, year, has.sum(axis=1), rng.integers(0, 2, persons)], axis=1)
    offsets = np.concatenate([[0], np.cumsum(has.sum(axis=1))])
    return CohortRows(facts.astype(np.int32), offsets.astype(np.int64), np.nonzero(has)[1].astype(np.int32))


def test_null_worlds__call_no_subgroup() -> None:
    rng = np.random.default_rng(secrets.randbits(64))
    significant = 0
    for seed in range(12):
        cohort = conditions_of(cohort_rows(rng, 5000, 0.0), 60, 60)
        result = find_subgroups(cohort, fewest=30, depth=2, flips=39, seed=seed, level=0.05)
        significant += bool((result.found.p <= 0.05).any())
    assert significant <= 3


def test_planted_subgroups__are_found_and_confirmed() -> None:
    rng = np.random.default_rng(secrets.randbits(64))
    found, confirmed = 0, 0
    for seed in range(5):
        cohort = conditions_of(cohort_rows(rng, 12_000, 0.2), 60, 60)
        assert cohort.codes.tolist() == list(range(10))
        result = find_subgroups(cohort, fewest=30, depth=2, flips=39, seed=seed, level=0.05)
        at = result.found.conditions.index((len(FIXED) + 3,))
        found += bool(result.found.p[at] <= 0.05)
        confirmed += int(result.replicated[at] == 1)
        assert abs(result.found.inside[at] - result.found.outside[at] - 0.2) < 4 * result.found.se[at]
    assert found == 5
    assert confirmed >= 4
