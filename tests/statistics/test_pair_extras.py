"""Beside a pair's own test: codes replaced in 2019 are named and flagged, families judged, follow-up counted."""

from __future__ import annotations

import secrets
from collections import Counter
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.analyses.pairs.coding_breaks import broken_codes, flag_artefacts
from experiments.analyses.pairs.enrichment import add_incidence, call_by_tree, tree_of
from experiments.analyses.pairs.scan import scan
from experiments.kernels.design import PairScanSettings
from experiments.kernels.pairs.competing import CompetingPass, FollowUp
from experiments.kernels.pairs.months import FIRST_YEAR, MonthPass
from experiments.kernels.passes import OverPersons
from tests.support.populations import BREAK, FIRST_DAY
from tests.support.small_worlds import as_persons, small_world
from tests.support.worlds import World, null_world


@pytest.fixture(scope="module")
def world() -> World:
    return null_world(secrets.randbelow(2**31), bursts=True, persons=40_000, codes=400)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**40), st.integers(1, 3))
def test_months__equal_a_plain_count(seed: int, pieces: int) -> None:
    people, n_codes = small_world(seed)
    persons = as_persons(people, n_codes)
    counts = OverPersons(persons, pieces)(MonthPass, {"n_codes": n_codes})
    plain: Counter[tuple[int, int]] = Counter()
    for code, day in zip(persons.codes.tolist(), persons.days.tolist(), strict=True):
        when = date(1970, 1, 1) + timedelta(days=day)
        plain[code, (when.year - FIRST_YEAR) * 12 + when.month - 1] += 1
    seen = {(int(c), int(m)): int(counts.events[c, m]) for c, m in np.argwhere(counts.events)}
    assert seen == dict(plain)


def test_codes_replaced_by_others__are_named_with_their_month_and_their_pairs_flagged(world: World) -> None:
    counts = OverPersons(world.persons)(MonthPass, {"n_codes": world.n_codes})
    broken = broken_codes(counts, ["ICD10"] * (world.n_codes - 1) + ["CPR"])
    replaced = {code for pair in world.truth.decoys["calendar"][-5:] for code in pair}
    found = {each.code: each for each in broken}
    assert len(set(found) & replaced) >= 0.7 * len(replaced)
    when = date(1970, 1, 1) + timedelta(days=FIRST_DAY + BREAK * 2922 // 32)
    for code in set(found) & replaced:
        year, month = map(int, found[code].month.split("-"))
        assert abs((year - when.year) * 12 + month - when.month) <= 1
        assert found[code].kind in ("new", "retired")
    assert len(set(found) - replaced) <= 2
    table = scan(OverPersons(world.persons), PairScanSettings(world.n_codes)).table
    flagged = flag_artefacts(table, broken, world.n_codes)
    a, b = (np.asarray(flagged.column(name)) for name in ("code_a", "code_b"))
    hit = np.isin(a, list(found)) | np.isin(b, list(found))
    words = np.array(flagged.column("flags").to_pylist(), dtype=object)
    assert {*words[hit]} <= {"artefact", "overlap artefact"}
    assert {*words[~hit]} <= {"", "overlap"}


def test_families__find_crowded_effects_and_stay_quiet_without() -> None:
    rng = np.random.default_rng(secrets.randbits(64))
    names = [f"ICD10//{'CEI'[n % 3]}{n // 3:02d}" for n in range(60)]
    a, b = np.nonzero(~np.eye(60, dtype=bool))
    families = [name[:8] for name in names]
    quiet = 0
    for _ in range(20):
        log10_p = np.log10(rng.random(len(a)))
        table = pa.table({"code_a": a, "code_b": b, "log10_p": log10_p, "tested": np.ones(len(a), bool)})
        quiet += not call_by_tree(table, names, families, 0.05).any()
        crowd = np.array(
            [families[x] == "ICD10//C0" and families[y] == "ICD10//E0" for x, y in zip(a, b, strict=True)]
        )
        log10_p[crowd] = -5.0
        table = table.set_column(2, "log10_p", pa.array(log10_p))
        significant = call_by_tree(table, names, families, 0.05)
        assert significant[crowd].all()
        assert significant[~crowd].sum() <= 3
    assert quiet >= 16
    assert tree_of("ICD10//E11", "ICD10//E1") == ("ICD10//E", "ICD10//E|ICD10//E1")
    assert tree_of("LPR//ADMISSION", "") == ("LPR", "LPR|LPR")


def test_incidence__stands_in_the_rows_of_the_pairs_followed(world: World) -> None:
    table = scan(OverPersons(world.persons), PairScanSettings(world.n_codes)).table
    rows = np.argsort(-np.asarray(table.column("O")), kind="stable")[:3]
    pairs = np.stack([np.asarray(table.column(name))[np.sort(rows)] for name in ("code_a", "code_b")], axis=1)
    follow_up = FollowUp(world.n_codes, 1826, (world.death,), -1)
    counts = OverPersons(world.persons, 3)(CompetingPass, {"follow_up": follow_up, "pairs": pairs})
    found = add_incidence(table, counts)
    assert found.column("cif").null_count == found.num_rows - 3
    for row in np.sort(rows).tolist():
        line = found.slice(row, 1).to_pylist()[0]
        at_risk, _ = counts.by_day(int(np.searchsorted(np.sort(rows), row)))
        assert line["cif"] == pytest.approx(line["O"] / at_risk, rel=0.02)
        assert line["cif_low"] < line["cif"] < line["cif_high"]
        assert 0 <= line["died_first"] < 1
