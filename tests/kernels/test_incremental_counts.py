"""Incremental counts: whoever comes, leaves or changes, the table is the one of a scan over everybody from the beginning."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.analyses.pairs.incremental_counts import IncrementalCounts
from experiments.analyses.pairs.incremental_store import StoredCounts, read_kept, write_kept
from experiments.analyses.pairs.scan import scan
from experiments.kernels.pairs.fingerprints import Fingerprints
from experiments.kernels.pairs.no_longer_at_risk import NoLongerAtRiskCounts, NoLongerAtRiskPass
from experiments.kernels.passes import OverPersons
from tests.oracles.pair_scan import Person
from tests.support.small_worlds import WASHOUTS, as_persons, small_world, with_bands
from tests.support.worlds import planted_world


def same(one: pa.Table, other: pa.Table) -> None:
    for name in one.column_names:
        assert one.column(name).combine_chunks().equals(other.column(name).combine_chunks()), name


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**40), st.integers(0, 2**20))
def test_tables__are_identical_whoever_came_left_or_changed(seed: int, choice: int) -> None:
    people, n_codes = small_world(seed)
    rng = random.Random(choice)
    options = with_bands(n_codes, washout_days=rng.choice(WASHOUTS))
    fate = [rng.choice(["stays", "stays", "stays", "comes", "leaves", "changes"]) for _ in people]
    fate[0] = "stays"
    new = [Person(p.sex, p.birth_year, p.half, p.records[: len(p.records) // 2]) for p in people]
    before = [p for p, what in zip(people, fate, strict=True) if what != "comes"]
    left = [p for p, what in zip(people, fate, strict=True) if what in ("leaves", "changes")]
    came = [
        p if what == "comes" else n
        for p, n, what in zip(people, new, fate, strict=True)
        if what in ("comes", "changes")
    ]
    now = [p for p, what in zip(people, fate, strict=True) if what == "stays"] + came
    kept = IncrementalCounts.of(OverPersons(as_persons(before, n_codes)), options)
    first = scan(kept.over(OverPersons(as_persons(before, n_codes), 2)), options, min_persons=1, level=0.9)
    same(first.table, scan(OverPersons(as_persons(before, n_codes)), options, min_persons=1, level=0.9).table)
    kept.update(
        OverPersons(as_persons(came, n_codes)), OverPersons(as_persons(left, n_codes)) if left else None
    )
    again = scan(kept.over(OverPersons(as_persons(now, n_codes))), options, min_persons=1, level=0.9)
    whole = scan(OverPersons(as_persons(now, n_codes)), options, min_persons=1, level=0.9)
    same(again.table, whole.table)
    kept.settle(0.0)
    assert not kept.changes
    same(
        scan(kept.over(OverPersons(as_persons(now, n_codes))), options, min_persons=1, level=0.9).table,
        whole.table,
    )
    assert (again.strata, again.persons, again.significant) == (
        whole.strata,
        whole.persons,
        whole.significant,
    )


def test_one_more_per_cent_of_persons__gives_the_identical_table_without_counting_the_others_again() -> None:
    world = planted_world(
        random.randrange(2**31), persons=15_000, codes=250, harmful=8, protective=4, chains=1
    )
    options = with_bands(world.n_codes)
    old, new = world.persons.part(0, 14_850), world.persons.part(14_850, 15_000)
    kept = IncrementalCounts.of(OverPersons(old), options)
    scan(kept.over(OverPersons(old)), options, level=0.5)
    asked: list[int] = []

    def everybody(name: str, arguments: dict[str, object]) -> object:
        asked.append(len(np.asarray(arguments["pairs"])))
        return OverPersons(world.persons)(name, arguments)

    kept.update(OverPersons(new))
    again = scan(kept.over(everybody), options)  # type: ignore[arg-type]
    same(again.table, scan(OverPersons(world.persons), options).table)
    assert not asked, "every significant pair had been looked at before"


def test_counts__travel_as_arrays_and_too_many_codes_are_refused() -> None:
    people, n_codes = small_world(5)
    counts = OverPersons(as_persons(people, n_codes))(NoLongerAtRiskPass, {"settings": with_bands(n_codes)})
    sent = NoLongerAtRiskCounts.from_arrays(counts.to_arrays())
    for name, array in counts.to_arrays().items():
        assert np.array_equal(sent.to_arrays()[name], array)
    nothing = counts.plus(counts, -1)
    assert not nothing.groups.size and not nothing.what.size and not nothing.preceded.any()
    with pytest.raises(ValueError, match="at most"):
        NoLongerAtRiskPass(with_bands(40_000))


def equal(one: IncrementalCounts, other: IncrementalCounts) -> None:
    assert one.settings == other.settings and len(one.changes) == len(other.changes)
    for mine, theirs in zip(one.changes, other.changes, strict=True):
        for field, array in mine.to_arrays().items():
            np.testing.assert_array_equal(array, theirs.to_arrays()[field])
    for name in ("reference", "not_at_risk", "significant"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine is None) == (theirs is None)
        for field, array in mine.to_arrays().items() if mine else ():
            np.testing.assert_array_equal(array, theirs.to_arrays()[field], err_msg=f"{name}.{field}")
            assert array.dtype == theirs.to_arrays()[field].dtype


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**40), st.data())
def test_other_numbers_of_codes__give_the_counts_of_persons_with_these_numbers(
    seed: int, data: st.DataObject
) -> None:
    people, n_codes = small_world(seed)
    more = n_codes + data.draw(st.integers(0, 5))
    places = np.array(sorted(data.draw(st.permutations(range(more)))[:n_codes]))
    persons = as_persons(people, n_codes)
    moved = persons._replace(codes=places[persons.codes].astype(np.int32))
    kept, other = (
        IncrementalCounts.of(OverPersons(crowd), with_bands(n))
        for crowd, n in ((persons, n_codes), (moved, more))
    )
    for each, crowd in ((kept, persons), (other, moved)):
        scan(each.over(OverPersons(crowd)), each.settings, min_persons=1, level=0.9)
    equal(kept.renumbered(places, more), other)


def test_incremental_counts__come_back_from_disk_and_a_torn_file_is_none(tmp_path: Path) -> None:
    people, n_codes = small_world(random.randrange(2**31))
    run = OverPersons(as_persons(people, n_codes))
    kept = IncrementalCounts.of(run, with_bands(n_codes))
    prints = Fingerprints(np.sort(np.random.default_rng().integers(0, 2**64, 30, np.uint64)))
    path = tmp_path / "folder" / "kept"
    for _ in range(2):
        write_kept(path, StoredCounts(kept, prints, ["a", "ø"], 7))
        back = read_kept(path)
        assert back is not None and (back.names, back.version) == (["a", "ø"], 7)
        equal(back.counts, kept)
        np.testing.assert_array_equal(back.prints.values, prints.values)
        scan(kept.over(run), kept.settings, min_persons=1, level=0.9)
        kept.update(OverPersons(as_persons(people[:1], n_codes)))
    assert path.stat().st_mode & 0o077 == 0 and [*path.parent.iterdir()] == [path]
    whole = path.read_bytes()
    for torn in (
        b"",
        whole[:100],
        whole[:-1],
        whole + b"x",
        whole.replace(b'"format": 2', b'"format": 1', 1),
    ):
        path.write_bytes(torn)
        assert read_kept(path) is None
    assert read_kept(tmp_path / "nothing") is None
