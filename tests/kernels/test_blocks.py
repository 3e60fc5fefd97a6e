"""A scan in blocks of codes, however little memory it is given, is the scan of all codes at once to the last bit."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.analyses.pairs.scan import scan
from experiments.kernels.packing import pack
from experiments.kernels.pairs.baseline import Baseline
from experiments.kernels.pairs.followed import PairPass
from experiments.kernels.pairs.reference import ReferenceCounts, ReferencePass
from experiments.kernels.pairs.reference_blocks import ReferenceBlocks, blocks_within
from experiments.kernels.pairs.significant import Present
from experiments.kernels.passes import OverPersons
from tests.support.small_worlds import WASHOUTS, as_persons, small_world, with_bands
from tests.support.worlds import planted_world


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**40), st.integers(0, 400_000), st.sampled_from(WASHOUTS))
def test_tables__are_identical_in_any_memory(seed: int, memory: int, washout: int) -> None:
    people, n_codes = small_world(seed)
    persons, options = as_persons(people, n_codes), with_bands(n_codes, washout_days=washout)
    whole = scan(OverPersons(persons), options, min_persons=1, level=0.9)
    blocked = scan(OverPersons(persons, 2), options, min_persons=1, level=0.9, memory=memory)
    assert blocked.table.equals(whole.table)
    assert (blocked.null, blocked.significant, blocked.replicated) == (
        whole.null,
        whole.significant,
        whole.replicated,
    )


def test_a_planted_world__is_found_alike_in_many_blocks() -> None:
    seed = random.randrange(2**31)
    world = planted_world(seed, persons=20_000, codes=150, harmful=8, protective=4, chains=2)
    options = with_bands(world.n_codes)
    passes: list[type] = []

    def run_pass(name: type, arguments: dict[str, Any]) -> Any:
        passes.append(name)
        return OverPersons(world.persons)(name, arguments)

    whole = scan(run_pass, options, terminal=(world.death,))
    assert passes.count(PairPass) == passes.count(ReferencePass) == 1
    strata, passes = whole.strata, []
    blocked = scan(run_pass, options, terminal=(world.death,), memory=30 * strata * 40)
    assert passes.count(PairPass) >= 4 and blocked.significant > 5, seed
    assert blocked.table.equals(whole.table), seed


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**40), st.data())
def test_counts_of_a_block__are_a_part_of_those_of_all_codes(seed: int, data: st.DataObject) -> None:
    people, n = small_world(seed)
    options = with_bands(n, washout_days=data.draw(st.sampled_from(WASHOUTS)))
    run = OverPersons(as_persons(people, n))
    low = data.draw(st.integers(0, n - 1))
    high = data.draw(st.integers(low + 1, n))
    whole = run(ReferencePass, {"settings": options})
    part = run(ReferencePass, {"settings": options, "block": (low, high)})
    np.testing.assert_array_equal(part.keys, whole.keys)
    np.testing.assert_array_equal(part.every, whole.every)
    np.testing.assert_array_equal(part.cells, whole.cells[..., low:high])
    np.testing.assert_array_equal(whole.every, whole.exposed.sum(axis=2))
    pairs = run(PairPass, {"settings": options, "baseline": Baseline.of(whole)})
    some = run(PairPass, {"settings": options, "baseline": Baseline.of(part)})
    for name in ("preceded", "beside", "not_at_risk"):
        np.testing.assert_array_equal(getattr(some, name), getattr(pairs, name)[low:high])


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**40), st.integers(1, 2_000_000), st.data())
def test_packed_blocks__give_back_any_codes(seed: int, memory: int, data: st.DataObject) -> None:
    people, n = small_world(seed)
    options, run = with_bands(n), OverPersons(as_persons(people, n))
    whole = run(ReferencePass, {"settings": options})
    blocks = blocks_within(memory, n, max(len(whole.keys), 1))
    assert blocks[0][0] == 0 and blocks[-1][1] == n
    counted = [run(ReferencePass, {"settings": options, "block": block}) for block in blocks]
    held = ReferenceBlocks(blocks, counted[0])
    for each in counted[1:]:
        held.add(each)
    codes = np.array(sorted(data.draw(st.sets(st.integers(0, n - 1), min_size=1))))
    np.testing.assert_array_equal(held.of(codes).cells, whole.cells[..., codes])
    np.testing.assert_array_equal(held.persons_with, whole.persons_with())
    np.testing.assert_array_equal(held.present.bits, Present.of(whole).bits)
    for number, block in enumerate(blocks):
        assert held.block(number).block == block
        np.testing.assert_array_equal(held.block(number).cells, counted[number].cells)


@pytest.mark.parametrize("large", [0, 300, 70_000])
def test_packed_counts__merge_as_they_would_unpacked(large: int) -> None:
    rng = np.random.default_rng()
    parts = []
    for _ in range(3):
        keys = np.sort(rng.choice(50, 20, replace=False)).astype(np.int64)
        cells = rng.integers(0, 9, (20, 2, 3, 40)).astype(np.int32)
        cells[rng.random(cells.shape) < 0.01] += large
        parts.append(
            ReferenceCounts(
                keys,
                cells,
                np.array([5, 6]),
                cells[:, :, 2].sum(axis=2, dtype=np.int64),
                cells[:, :, 2].sum(axis=2, dtype=np.int64),
            )
        )
    whole = ReferenceCounts.merge(parts)
    packed = ReferenceCounts.merge_packed([pack(part.to_arrays()) for part in parts])
    for name, array in whole.to_arrays().items():
        np.testing.assert_array_equal(packed.to_arrays()[name], array)


def test_blocks__keep_to_the_memory_where_it_holds_one_code() -> None:
    for _ in range(200):
        n, strata = random.randrange(1, 20_000), random.randrange(1, 60_000)
        memory = random.randrange(1, 10**10)
        blocks = blocks_within(memory, n, strata)
        widest = max(high - low for low, high in blocks)
        assert [low for low, _ in blocks[1:]] == [high for _, high in blocks[:-1]]
        assert widest == 1 or widest * max(30 * strata, 44 * n + 4 * strata) <= memory * (1 + 1 / widest)
