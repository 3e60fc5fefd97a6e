"""The whole scan in one process: invariants of its table, whatever the parts, and what it finds."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from experiments.analyses.pairs import scan as pair_scan
from experiments.analyses.pairs.robustness import beside_without_washout
from experiments.analyses.pairs.scan import PairScan, scan
from experiments.kernels.design import PairScanSettings
from experiments.kernels.pairs.significant import SignificantPass
from experiments.kernels.passes import OverPersons
from experiments.kernels.persons import Persons
from tests.support.prevalent_world import CODES, DRUG, HARM, OLD, prevalent_world
from tests.support.small_worlds import WASHOUTS, as_persons, small_world
from tests.support.worlds import World, planted_world


@pytest.fixture(scope="module")
def world() -> World:
    return planted_world(20, persons=30_000, codes=120, harmful=8, protective=4, chains=2)


@pytest.fixture(scope="module")
def found(world: World) -> PairScan:
    return scan(OverPersons(world.persons), PairScanSettings(world.n_codes), terminal=(world.death,))


def column(table: pa.Table, name: str) -> np.ndarray:
    return table.column(name).to_numpy(zero_copy_only=False)


def test_table__has_every_ordered_pair_and_sums_to_what_happened(world: World, found: PairScan) -> None:
    codes = np.unique(world.persons.codes)
    assert found.table.num_rows == len(codes) * (len(codes) - 1)
    b, o, e = (column(found.table, name) for name in ("code_b", "O", "E"))
    np.testing.assert_allclose(np.bincount(b, o), np.bincount(b, e), rtol=0, atol=1e-6)
    assert (
        column(found.table, "n_person")
        == sum(column(found.table, n) for n in ("n_before", "n_after", "n_same_day"))
    ).all()
    assert found.persons == world.persons.count


def test_parts__change_nothing(world: World, found: PairScan) -> None:
    rng = np.random.default_rng(5)
    shuffled = world.persons.take(rng.permutation(world.persons.count))
    for pieces in (2, 7):
        again = scan(OverPersons(shuffled, pieces), PairScanSettings(world.n_codes), terminal=(world.death,))
        assert again.table.equals(found.table)
        assert again.null == found.null


def test_goes__change_nothing(world: World, found: PairScan, monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[type] = []
    inner = OverPersons(world.persons)

    def counted(name: type, arguments: dict[str, Any]) -> Any:
        passes.append(name)
        return inner(name, arguments)

    monkeypatch.setattr(pair_scan, "_ENTRIES_AT_ONCE", 20_000)
    monkeypatch.setattr(pair_scan, "_ENTRIES_A_EXPOSURE", 0)
    again = scan(counted, PairScanSettings(world.n_codes), terminal=(world.death,))
    assert passes.count(SignificantPass) > 2
    assert again.table.equals(found.table)


def test_tested__is_decided_by_margins(world: World, found: PairScan) -> None:
    n_a, n_b, a = (column(found.table, name) for name in ("n_a", "n_b", "code_a"))
    expected = (n_a >= 5) & (n_b >= 5) & (a != world.death)
    np.testing.assert_array_equal(column(found.table, "tested"), expected)
    assert found.tested == expected.sum()
    for name in ("q_bh", "q_by", "q_empirical", "calibrated_p"):
        np.testing.assert_array_equal(found.table.column(name).is_valid().to_numpy(), expected)


def test_called__have_what_others_lack(found: PairScan) -> None:
    significant = column(found.table, "called")
    assert 0 < significant.sum() == found.significant
    for name in ("rr", "rr_low", "rr_high", "direction", "nsr", "lag_q50"):
        valid = found.table.column(name).is_valid().to_numpy()
        assert not valid[~significant].any()
        assert valid[significant].all()
    rows = found.table.filter(pa.array(significant)).to_pylist()
    assert all(row["rr_low"] <= row["rr"] <= row["rr_high"] for row in rows)
    assert all(row["lag_q05"] <= row["lag_q50"] <= row["lag_q95"] <= 1826 for row in rows)


def test_strong_effects__are_found_with_their_size_order_and_replication(
    world: World, found: PairScan
) -> None:
    rows = {(row["code_a"], row["code_b"]): row for row in found.table.to_pylist()}
    strong = [effect for effect in world.truth.planted if abs(effect.rr - 1) * effect.expected**0.5 > 9]
    assert len(strong) >= 6
    for effect in strong:
        row = rows[effect.a, effect.b]
        assert row["called"]
        assert row["direction"] == "forward"
        assert abs(row["rr"] / effect.rr - 1) < 5 / effect.expected**0.5
    assert sum(rows[effect.a, effect.b]["replicated_person"] is True for effect in strong) > len(strong) / 2


def test_washout__takes_away_what_was_there_before_and_says_what_stands_without_it() -> None:
    persons = as_persons(prevalent_world(secrets.randbits(40)), CODES)
    plain, washed = (
        scan(OverPersons(persons), PairScanSettings(CODES, washout_days=days)).table for days in (0, 365)
    )
    table, remark = beside_without_washout(washed, plain, 365)
    found, before = (
        {(row["code_a"], row["code_b"]): row for row in each.filter(each.column("called")).to_pylist()}
        for each in (table, plain)
    )
    assert (OLD, HARM) in before and (DRUG, HARM) in before
    assert OLD not in set(table.column("code_a").to_pylist())
    row = found[DRUG, HARM]
    assert row["called_without_washout"] and row["rr"] > 1.2
    assert row["rr_without_washout"] == before[DRUG, HARM]["rr"]
    assert row["direction_without_washout"] == before[DRUG, HARM]["direction"]
    others = table.filter(pc.invert(table.column("called")))
    for name in ("called", "rr", "direction"):
        assert others.column(f"{name}_without_washout").null_count == others.num_rows
    both = sum(pair in before for pair in found)
    assert f"{len(found)} pairs significant so, {both} are significant without" in remark
    assert f"{len(before)} pairs are significant in all" in remark


def test_family__is_flagged(world: World) -> None:
    family = np.full(world.n_codes, -1, np.int64)
    family[[3, 8, 11]] = 7
    result = scan(
        OverPersons(world.persons.part(0, 3000)),
        PairScanSettings(world.n_codes),
        family=family,
        min_persons=20,
    )
    flagged = [row for row in result.table.select(["code_a", "code_b", "flags"]).to_pylist() if row["flags"]]
    assert {(row["code_a"], row["code_b"]) for row in flagged} == {
        (a, b) for a in (3, 8, 11) for b in (3, 8, 11) if a != b
    }
    assert {row["flags"] for row in flagged} == {"overlap"}


def test_nobody__is_scanned_without_complaint() -> None:
    people, n = small_world(2)
    persons: Persons = as_persons(people, n).part(0, 0)
    result = scan(OverPersons(persons), PairScanSettings(n))
    assert (result.table.num_rows, result.persons, result.tested, result.significant) == (0, 0, 0, 0)


def test_small_worlds__are_scanned_whatever_they_hold() -> None:
    for seed in range(30):
        people, n = small_world(seed)
        options = PairScanSettings(n, washout_days=WASHOUTS[seed % 4])
        result = scan(OverPersons(as_persons(people, n)), options, min_persons=1, level=0.6)
        b, o, e = (column(result.table, name) for name in ("code_b", "O", "E"))
        np.testing.assert_allclose(np.bincount(b, o, n), np.bincount(b, e, n), atol=1e-9)
