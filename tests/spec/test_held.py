"""Persons held in memory between passes: they come back as they were, all of a partition or none of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.execution import held_persons as held_module
from experiments.execution import shared_memory
from experiments.execution.held_persons import HeldPersons
from experiments.execution.shared_memory import SharedMemory
from experiments.kernels.persons import Persons
from tests.support.small_worlds import as_persons, small_world


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HeldPersons:
    monkeypatch.setattr(shared_memory, "MEMORY", tmp_path)
    monkeypatch.setattr(held_module, "MEMORY", tmp_path)
    context: Any = SimpleNamespace(master="local[2]")
    memory = SharedMemory.of(context)
    assert memory is not None
    return HeldPersons(memory)


def worlds(seeds: list[int]) -> list[Persons]:
    return [as_persons(*small_world(seed)) for seed in seeds]


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 2**40), max_size=3))
def test_what_is_held_comes_back_as_it_was(held: HeldPersons, seeds: list[int]) -> None:
    partition = len(list(held.memory.folder.iterdir()))
    batches = worlds(seeds)
    given_on = list(held.holding(partition, batches))
    assert [each is batch for each, batch in zip(given_on, batches, strict=True)] == [True] * len(batches)
    again = list(held.batches(partition))
    assert len(again) == len(batches)
    for one, other in zip(again, batches, strict=True):
        for name in Persons._fields:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
            assert getattr(one, name).flags.writeable, "kernels are compiled once, for arrays they may write"


def test_whoever_writes_into_the_arrays_changes_no_one_elses(held: HeldPersons) -> None:
    list(held.holding(0, worlds([7])))
    (first,) = held.batches(0)
    first.codes[:] = 99
    (second,) = held.batches(0)
    assert not (second.codes == 99).all()


def test_a_partition_that_does_not_fit_does_not_count(
    held: HeldPersons, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(held.holding(0, worlds([1, 2])))
    assert held.whole(1)
    monkeypatch.setattr(held_module, "SHARE", 0.0)
    assert len(list(held.holding(1, worlds([3])))) == 1, "the pass itself goes on"
    assert not held.whole(2)
    assert list(held.holding(2, [])) == []
    assert not held.whole(3)


def test_a_pass_that_ends_early_holds_nothing(held: HeldPersons) -> None:
    next(iter(held.holding(0, worlds([1, 2]))))
    assert not held.whole(1)
