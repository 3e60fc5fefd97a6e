"""Replication by place: halves that are equal and reproducible; what holds in some places alone is not found again."""

from __future__ import annotations

import secrets

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.analyses.pairs.robustness import balanced_halves, mirrored, replicate_sites
from experiments.analyses.pairs.scan import scan
from experiments.kernels.pairs.reference import ReferencePass
from experiments.kernels.pairs.removed import LOCKED, exposed_removed
from experiments.kernels.pairs.significant import Present, SignificantPass
from experiments.kernels.passes import OverPersons
from tests.support.sites_world import BOTH, CODES, LOCAL, sites_world
from tests.support.small_worlds import as_persons, small_world, with_bands


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 1000), max_size=30), st.randoms())
def test_halves__are_about_equal_and_depend_on_the_numbers_alone(sizes: dict[str, int], rng: object) -> None:
    halves = balanced_halves(sizes)
    assert halves.keys() == sizes.keys()
    sums = [sum(size for place, size in sizes.items() if halves[place] == half) for half in (0, 1)]
    assert abs(sums[0] - sums[1]) <= max(sizes.values(), default=0)
    shuffled = list(sizes.items())
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert balanced_halves(dict(shuffled)) == halves


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**40))
def test_exchanged_halves__count_as_if_persons_lived_in_the_other(seed: int) -> None:
    people, n = small_world(seed)
    persons, options = as_persons(people, n), with_bands(n)
    pairs = np.argwhere(~np.eye(n, dtype=bool)).astype(np.int32)
    sums = []
    for world in (persons, persons._replace(half=(1 - persons.half).astype(np.int8))):
        run = OverPersons(world)
        reference = run(ReferencePass, {"settings": options})
        arguments = {"settings": options, "present": Present.of(reference), "pairs": pairs}
        counts = run(SignificantPass, arguments)
        sums.append(exposed_removed(reference, counts)[:, LOCKED])
        sums.append(exposed_removed(*mirrored(reference, counts))[:, LOCKED])
    np.testing.assert_array_equal(sums[0], sums[3])
    np.testing.assert_array_equal(sums[1], sums[2])


@pytest.mark.parametrize("memory", [1 << 30, 2_000])
def test_what_holds_in_some_places_alone__is_not_found_again(memory: int) -> None:
    first = np.random.default_rng(secrets.randbits(64)).random(4_000) < 0.5
    persons = as_persons(sites_world(secrets.randbits(40), first), CODES)
    options = with_bands(CODES)
    table = scan(OverPersons(persons), options).table
    halved = OverPersons(persons._replace(half=(~first).astype(np.int8)), pieces=2)
    found, remark = replicate_sites(halved, options, table, 0.05, memory)
    rows = {(row["code_a"], row["code_b"]): row for row in found.to_pylist()}
    assert rows[BOTH]["called"] and rows[BOTH]["replicated_site"] is True
    assert rows[LOCAL]["called"] and rows[LOCAL]["replicated_site"] is False
    assert all(row["replicated_site"] is None for row in rows.values() if not row["called"])
    again = sum(bool(row["replicated_site"]) for row in rows.values())
    assert f"{again:,} of them again in the other" in remark


def test_one_place_or_nothing_called__is_told_by_nulls() -> None:
    persons = as_persons(sites_world(5, np.ones(800, bool)), CODES)
    options = with_bands(CODES)
    table = scan(OverPersons(persons), options).table
    found, _ = replicate_sites(
        OverPersons(persons._replace(half=np.zeros(800, np.int8))), options, table, 0.05
    )
    assert not any(found.column("replicated_site").to_pylist())
    nothing = scan(OverPersons(persons.part(0, 30)), options).table
    found, remark = replicate_sites(OverPersons(persons.part(0, 30)), options, nothing, 0.05)
    assert found.column("replicated_site").null_count == found.num_rows and "Of 0 significant pairs" in remark
