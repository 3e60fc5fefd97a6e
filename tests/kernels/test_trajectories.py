"""The path kernel counts what the definition read literally counts, whatever the order, the cuts or the epoch."""

from __future__ import annotations

import random

import numpy as np
import pytest

from experiments.kernels.design import PairScanSettings
from experiments.kernels.pairs.reference import ReferencePass
from experiments.kernels.passes import OverPersons
from experiments.kernels.persons import Persons
from experiments.kernels.trajectories import PathCounts, PathPass
from tests.oracles import pair_scan as definition
from tests.oracles import trajectories as oracle
from tests.support.small_worlds import as_persons, small_world, with_bands

SHIFT = 1461


def some_paths(rng: random.Random, codes: int, length: int) -> list[tuple[int, ...]]:
    made = {tuple(rng.sample(range(codes), length)) for _ in range(25)}
    return sorted(made)


def count(
    persons: Persons, settings: PairScanSettings, paths: list[tuple[int, ...]], last_day: int, pieces: int = 1
) -> PathCounts:
    run = OverPersons(persons, pieces)
    reference = run(ReferencePass, {"settings": settings})
    given = {
        "settings": settings,
        "reference": reference,
        "paths": np.array(paths, np.int32),
        "last_day": last_day,
    }
    return run(PathPass, {**given, "terminal": (1,), "bin_days": 1})  # type: ignore[no-any-return]


@pytest.mark.parametrize("block", range(4))
def test_paths__equal_the_oracle(block: int) -> None:
    for seed in range(40 * block, 40 * block + 40):
        people, codes = small_world(seed)
        rng = random.Random(seed)
        if codes < 4:
            continue
        length, horizon = rng.randint(2, min(codes, 5)), rng.choice([1826, 365, 10])
        paths = some_paths(rng, codes, length)
        last_day = max((day for person in people for day, _, _ in person.records), default=0)
        counts = count(
            as_persons(people, codes),
            with_bands(codes, horizon),
            paths,
            last_day,
            pieces=rng.randint(1, 3),
        )
        facts = oracle.count_paths(people, paths, horizon, last_day, (1,))
        for row, path in enumerate(paths):
            assert counts.at_risk[row].tolist() == facts[path].at_risk
            assert counts.stepped[row].tolist() == facts[path].stepped
            lags = np.bincount([lag - 1 for lag in facts[path].lags], minlength=horizon + 1)
            seen = np.bincount(facts[path].seen, minlength=horizon + 1)
            np.testing.assert_array_equal(counts.times[row, 0], lags)
            np.testing.assert_array_equal(counts.times[row, 1], seen)


def test_a_path_of_two_codes_is_a_pair_of_the_scan() -> None:
    for seed in range(30):
        people, codes = small_world(seed)
        answer = definition.scan(people)
        paths = [(a, b) for a in range(codes) for b in range(codes) if a != b]
        counts = count(as_persons(people, codes), with_bands(codes), paths, 10**6)
        for row, pair in enumerate(paths):
            assert counts.stepped[row].sum() == answer.observed.get(pair, 0)
            assert counts.expected[row, :, 0].sum() == pytest.approx(answer.expected.get(pair, 0.0), abs=1e-9)
            assert counts.expected[row, :, 1].sum() == pytest.approx(answer.variance.get(pair, 0.0), abs=1e-9)


def test_counts_add_up_and_depend_on_no_order_and_no_epoch() -> None:
    for seed in range(20):
        people, codes = small_world(seed)
        if codes < 4:
            continue
        rng = random.Random(seed)
        persons, settings = as_persons(people, codes), with_bands(codes)
        paths = some_paths(rng, codes, 3)
        whole = count(persons, settings, paths, 30_000)
        order = np.random.default_rng(seed).permutation(persons.count)
        moved = persons._replace(days=persons.days + SHIFT, birth_year=persons.birth_year + np.int16(4))
        for other in (
            count(persons, settings, paths, 30_000, pieces=4),
            count(persons.take(order), settings, paths, 30_000),
            count(moved, settings, paths, 30_000 + SHIFT),
        ):
            for name, array in whole.to_arrays().items():
                np.testing.assert_array_equal(array, other.to_arrays()[name], err_msg=name)


def test_a_stratum_the_reference_has_not_seen_and_unsorted_paths_are_refused() -> None:
    people, codes = small_world(3)
    persons, settings = as_persons(people, codes), with_bands(codes)
    nobody = ReferencePass(settings)
    nobody.add(persons.part(0, 1))
    with pytest.raises(ValueError, match="a stratum is missing"):
        counter = PathPass(settings, nobody.result(), np.array([[0, 1]], np.int32), 0)
        counter.add(persons)
    with pytest.raises(ValueError, match="lexicographic"):
        PathPass(settings, nobody.result(), np.array([[1, 0], [0, 1]], np.int32), 0)
