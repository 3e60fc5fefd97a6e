"""Further sources of the synthetic region: chosen by name, the same bytes for the same seed, planted truth that adds up."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse.errors import UsageError
from lakehouse.synthetic.block import World, make_block
from lakehouse.synthetic.forms import encode, join_parts
from lakehouse.synthetic.generator import (
    Planter,
    all_generators,
    chosen_generators,
    known_defect_rates,
    planted_defects,
)
from lakehouse.synthetic.identity import numbers, renumbered
from lakehouse.synthetic.layout import FileKind
from lakehouse.synthetic.parts import write_block
from tests.support.synthetic_timeline import region

OURS = ("cpr", "epj", "fmk", "lab", "lmdb", "lpr2", "lpr_a", "smr")


def test_sources_are_chosen_by_name_and_unknown_ones_refused() -> None:
    assert chosen_generators("default") == ()
    assert {generator.name for generator in chosen_generators("all")} == set(all_generators()) >= set(OURS)
    assert [generator.name for generator in chosen_generators("lpr2,lab")] == ["lpr2", "lab"]
    with pytest.raises(UsageError, match="no synthetic source 'lpr9'"):
        chosen_generators("lpr9")


def test_known_defects_are_switched_on_by_number_or_by_share() -> None:
    generators = chosen_generators("lpr2,cpr")
    assert known_defect_rates("", 0.0, generators) == {}
    assert known_defect_rates("t3, T22=0.1", 0.0, generators) == {"T03": 0.02, "T22": 0.1}
    assert set(known_defect_rates("", 0.05, generators).values()) == {0.05}
    for bad in ("T99", "T22=2", "x"):
        with pytest.raises(UsageError, match="names no known defect"):
            known_defect_rates(bad, 0.0, generators)


def test_known_defects_of_one_file_never_meet_and_the_planted_truth_adds_up() -> None:
    planter = Planter({"T01": 0.5, "T02": 0.5}, np.random.default_rng(1))
    fitting = np.ones(1000, bool)
    one, other = planter.choose("T01", fitting, "x"), planter.choose("T02", fitting, "x")
    assert not set(one) & set(other) and len(one) > 400 and len(other) > 200
    assert len(planter.choose("T03", fitting)) == 0
    planter.expect("T01", "gold.event", "true", 5)
    planter.expect("T03", "gold.event", "true", 5)
    truth = planted_defects(planter.tallies(), planter.rates)
    assert truth["T01"] == {
        "planted": len(one),
        "expected": [{"table": "gold.event", "where": "true", "rows": 5}],
    }
    assert set(truth) == {"T01", "T02"}


@pytest.fixture(scope="module")
def world() -> World:
    return region(11, years=(2018, 2019))


@pytest.mark.parametrize("name", OURS)
def test_a_source_is_the_same_every_time(name: str, world: World, tmp_path: Path) -> None:
    block, generator = make_block(world, 0, 120), all_generators()[name]
    rates = known_defect_rates("", 0.1, (generator,))
    tallies = [write_block(block, world, tmp_path / str(turn), 0.0, (generator,), rates) for turn in range(2)]
    assert tallies[0] == tallies[1]
    made = {path.relative_to(tmp_path / "0") for path in (tmp_path / "0").rglob("000000")}
    for path in made:
        assert (tmp_path / "0" / path).read_bytes() == (tmp_path / "1" / path).read_bytes()
    rows = Counter({path: number for path, what, number in tallies[0] if what == "rows"})
    own = {kind.path(year) for kind in generator.files for year in ((2018, 2019) if kind.yearly else (None,))}
    assert own <= set(rows) and sum(rows[path] for path in own) > 100


def test_a_changed_number_is_carried_by_rows_from_before_and_can_not_be_issued(world: World) -> None:
    block = renumbered(make_block(world, 0, 300), world, 0.5)
    people = block.people
    assert people.former is not None and people.changed is not None
    changed = np.flatnonzero(people.former > 0)
    assert 20 < len(changed) < 250
    before = numbers(people, changed, people.changed[changed] - 1).to_pylist()
    after = numbers(people, changed, people.changed[changed]).to_pylist()
    assert (
        before == people.former[changed].astype(str).tolist()
        and after == people.cpr[changed].astype(str).tolist()
    )
    assert all(60 < int(number[:2]) < 92 for number in before)
    assert len({*before, *people.cpr.astype(str).tolist()}) == len(before) + people.count


@pytest.mark.parametrize("form", ["csv", "fixed", "parquet", "sas"])
def test_parts_of_every_form_become_one_file(form: str, tmp_path: Path) -> None:
    kind = FileKind("x", "y", "cp1252", ("a", "b"), form=form, widths=(3, 4))
    for number, (first, second) in enumerate([("æ", 1), ("bbb", 22)]):
        rows = {"a": pa.array([first]), "b": pa.array([second])}
        (tmp_path / "parts").mkdir(exist_ok=True)
        (tmp_path / "parts" / str(number)).write_bytes(encode(rows, kind))
    target = tmp_path / kind.path()
    join_parts(tmp_path / "parts", target, kind)
    assert not list((tmp_path / "parts").iterdir())
    if form == "csv":
        assert target.read_bytes() == "a;b\næ;1\nbbb;22\n".encode("cp1252")
    elif form == "fixed":
        assert target.read_bytes() == "æ  1   \nbbb22  \n".encode("cp1252")
    elif form == "parquet":
        assert pq.read_table(target).to_pydict() == {"a": ["æ", "bbb"], "b": [1, 22]}
    else:
        import pyreadstat

        frame, _ = pyreadstat.read_sas7bdat(str(target))
        assert json.loads(frame.to_json()) == {"a": {"0": "æ", "1": "bbb"}, "b": {"0": 1.0, "1": 22.0}}
