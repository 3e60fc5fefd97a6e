"""What the pair scan does when asked: wash-out, replication and breaks in coding by place, over a study's timelines."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from experiments.analyses.pairs.robustness import FIRST, balanced_halves, replicate_sites
from experiments.analyses.pairs.scan import scan
from experiments.analyses.pairs.study import scan_pairs
from experiments.findings import Findings
from experiments.kernels.design import PairScanSettings
from experiments.kernels.passes import OverPersons
from experiments.kernels.persons import Persons
from lakehouse.data_model import GOLD
from lakehouse.errors import PermissionRefused, UsageError
from lakehouse.governance.scope.scope import State
from lakehouse.settings import load_settings
from tests.spark.test_toolbox_jobs import PERMITTED, question
from tests.support.prevalent_world import CODES, DRUG, HARM, NAMES, OLD, prevalent_world
from tests.support.sites_world import BOTH, LOCAL, sites_world
from tests.support.sites_world import CODES as SITE_CODES
from tests.support.sites_world import NAMES as SITE_NAMES
from tests.support.small_lake import write_small_lake
from tests.support.small_worlds import as_persons
from tests.support.study_lab import Lab
from tests.support.timelines import add_persons, add_timelines
from tests.support.timelines import replace as rewrite
from tests.support.visits_world import visits_world

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

    from lakehouse.settings import Settings


def mined(lab: Lab, permit: str, **params: Any) -> Findings:
    study = lab.open(permit)
    with study:
        found = scan_pairs(study, replace(question("mine_pairs").params(), level="full", **params))
    assert study.scope().state is State.ACCOUNTED, study.scope().reasons
    return found


def rows_of(found: Findings) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["code_a"], row["code_b"]): row for row in found.patterns.table.to_pylist()}


def test_contacts_of_the_vocabulary_begin_no_tested_pair(spark: SparkSession, tmp_path: Path) -> None:
    """Visits at random moments, each with a diagnosis in its stay, mined as a study mines them."""
    settings = load_settings(tmp_path / "home", "test")
    write_small_lake(spark, settings)
    lab = Lab(spark, settings)
    lab.permit("visits", tables=PERMITTED)
    people, codes = visits_world(secrets.randbelow(2**31), 1500)
    add_persons(spark, settings, people, codes.names)
    words = [
        (number, name, "contact" if number in codes.contacts else "condition", "X", None, name)
        for number, name in enumerate(codes.names)
    ]
    rewrite(spark, settings, "gold.vocabulary", words)
    found = mined(lab, "visits", horizon_days=60)
    rows = rows_of(found)
    contacts = {codes.names[number] for number in codes.contacts}
    plain = scan(OverPersons(people), PairScanSettings(len(codes.names), horizon_days=60), level=0.05)
    begins = np.isin(np.asarray(plain.table.column("code_a")), codes.contacts)
    assert (begins & np.asarray(plain.table.column("called"))).any(), "without the rule they are significant"
    assert not [
        pair for pair, row in rows.items() if pair[0] in contacts and (row["tested"] or row["called"])
    ]
    assert [pair for pair, row in rows.items() if pair[1] in contacts and row["tested"]]


def test_washout__removes_what_was_written_before_and_stands_beside_the_scan_without_it(
    spark: SparkSession, tmp_path: Path
) -> None:
    settings = load_settings(tmp_path / "home", "test")
    write_small_lake(spark, settings)
    lab = Lab(spark, settings)
    lab.permit("wash", tables=PERMITTED)
    persons = as_persons(prevalent_world(secrets.randbits(40), 3_000), CODES)
    add_persons(spark, settings, persons, NAMES)
    with pytest.raises(UsageError, match="washout_days"):
        mined(lab, "wash", washout_days=-1)
    found = mined(lab, "wash", washout_days=365, artefacts=False)
    rows = rows_of(found)
    plain, washed = (
        scan(OverPersons(persons), PairScanSettings(CODES, washout_days=days)).table for days in (0, 365)
    )
    assert len(rows) == washed.num_rows
    for row in washed.to_pylist():
        mine = rows[NAMES[row["code_a"]], NAMES[row["code_b"]]]
        for name in ("O", "n_a", "called", "direction", "replicated_person"):
            assert mine[name] == row[name], (name, mine)
        assert [mine["E"], mine["V"]] == pytest.approx([row["E"], row["V"]], rel=1e-9)
        assert mine["rr"] == (row["rr"] and pytest.approx(row["rr"], rel=1e-9))
    for row in plain.to_pylist():
        mine = rows.get((NAMES[row["code_a"]], NAMES[row["code_b"]]), {"called": False})
        if mine["called"]:
            assert mine["called_without_washout"] == row["called"]
            assert mine["rr_without_washout"] == (row["rr"] and pytest.approx(row["rr"], rel=1e-9))
    assert not any(NAMES[OLD] in pair for pair in rows)
    harm = rows[NAMES[DRUG], NAMES[HARM]]
    assert harm["called"] and harm["called_without_washout"]
    assert harm["cif"] == pytest.approx(harm["O"] / (harm["n_a"] - harm["n_after"]), rel=0.1)
    assert any(remark.startswith("Wash-out:") for remark in found.remarks)
    assert found.patterns.meta.params["washout_days"] == 365
    kept = mined(lab, "wash", washout_days=365, artefacts=False, keep=True)
    assert kept.patterns.table.equals(found.patterns.table)


def test_findings__are_looked_for_again_in_other_municipalities(spark: SparkSession, tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "home", "test")
    write_small_lake(spark, settings)
    lab = Lab(spark, settings)
    lab.permit(
        "places", tables=PERMITTED.replace('"sex", "birth_year"]', '"sex", "birth_year", "municipality"]')
    )
    lab.permit("placeless", tables=PERMITTED)
    rng = np.random.default_rng(secrets.randbits(64))
    home = rng.choice(["101", "147", "461", "607", "751", ""], 3_000, p=[0.3, 0.2, 0.2, 0.15, 0.1, 0.05])
    halves = balanced_halves(Counter(place for place in home.tolist() if place))
    first = np.array([halves.get(place, FIRST) == FIRST for place in home.tolist()])
    persons = as_persons(sites_world(secrets.randbits(40), first), SITE_CODES)
    add_persons(spark, settings, persons, SITE_NAMES)
    rewrite(
        spark,
        settings,
        "gold.person",
        [
            (f"02{number:032x}", "U", None, 1960, place or None, None, None, "hand", None)
            for number, place in enumerate(home.tolist())
        ],
    )
    with pytest.raises(PermissionRefused, match="municipality"):
        mined(lab, "placeless", sites=True)
    found = mined(lab, "places", sites=True, artefacts=False, incidence=False)
    rows = rows_of(found)
    everywhere, somewhere = ((SITE_NAMES[a], SITE_NAMES[b]) for a, b in (BOTH, LOCAL))
    assert rows[everywhere]["replicated_site"] is True
    assert rows[somewhere]["called"] and rows[somewhere]["replicated_site"] is False
    assert all(row["replicated_site"] is None for row in rows.values() if not row["called"])
    placed = np.flatnonzero(home != "")
    whole = scan(OverPersons(persons), PairScanSettings(SITE_CODES))
    halved = OverPersons(placed_persons(persons, placed, ~first))
    alone = replicate_sites(halved, whole.settings, whole.table, 0.05)
    for row in alone[0].to_pylist():
        mine = rows[SITE_NAMES[row["code_a"]], SITE_NAMES[row["code_b"]]]
        assert mine["replicated_site"] == row["replicated_site"]
    assert alone[1] in found.remarks


def placed_persons(persons: Persons, placed: np.ndarray, other: np.ndarray) -> Persons:
    """Those whose place is known, halved by it."""
    return persons.take(placed)._replace(half=other[placed].astype(np.int8))


PLACED = """
[tables."gold.event"]
direct = ["person_id", "day", "code", "domain", "status", "code_role", "flag", "place"]
[tables."gold.place"]
direct = ["place", "institution", "valid_from"]
"""


def test_a_hospital_that_starts_writing_a_code__flags_it(spark: SparkSession, tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "home", "test")
    write_small_lake(spark, settings)
    lab = Lab(spark, settings)
    rest = PERMITTED[PERMITTED.index('[tables."gold.timeline"]') :]
    lab.permit("hospitals", tables=PLACED + rest)
    lab.permit("placeless", tables=PERMITTED)
    rng = np.random.default_rng(secrets.randbits(64))
    moved, names = 3, [f"ICD10//K{code:02d}" for code in range(8)]
    month = date(2015, 1, 1)
    events: set[tuple[int, int, int, str]] = set()
    for number in range(40):
        day = (month - date(1970, 1, 1)).days
        month = (month + timedelta(days=32)).replace(day=1)
        for hospital in ("west", "east"):
            for code in range(len(names)):
                often = 24 if code != moved else 40 * ((number < 20) == (hospital == "west"))
                for _ in range(rng.poisson(often)):
                    where = f"{hospital} {rng.integers(3)}"
                    events.add((int(rng.integers(900)), day + int(rng.integers(28)), code, where))
    people: list[list[tuple[int, int]]] = [[] for _ in range(900)]
    for who, day, code, _ in events:
        people[who].append((day, code))
    add_timelines(spark, settings, [sorted(set(person)) for person in people], names)
    rewrite_events(spark, settings, events, names)
    units = [(f"{hospital} {n}", hospital) for hospital in ("west", "east") for n in range(3)]
    rewrite(
        spark,
        settings,
        "gold.place",
        [(place, "SOR", None, place, None, hospital, *[None] * 6) for place, hospital in units],
    )
    with pytest.raises(PermissionRefused, match=r"gold\.place"):
        mined(lab, "placeless", artefacts_by_place=True)
    found = mined(lab, "hospitals", artefacts_by_place=True, incidence=False)
    for pair, row in rows_of(found).items():
        assert ("artefact" in (row["flags"] or "")) == (names[moved] in pair), row
    told = [remark for remark in found.remarks if "places" in remark]
    assert len(told) == 1 and f"{names[moved]} (fewer than 5 places)" in told[0]
    assert not any(word in " ".join(found.remarks) for word in ("west", "east"))
    whole = mined(lab, "hospitals", incidence=False)
    assert not any("artefact" in (row["flags"] or "") for row in rows_of(whole).values())


def rewrite_events(
    spark: SparkSession, settings: Settings, events: set[tuple[int, int, int, str]], names: list[str]
) -> None:
    """Write ``gold.event`` anew from (person, day, code, place)."""
    columns = GOLD["gold.event"].column_names
    rows = []
    for who, day, code, place in sorted(events):
        facts = {"person_id": f"02{who:032x}", "day": day, "code": names[code], "place": place}
        facts |= {"domain": "diagnosis", "status": "active", "code_role": "main", "source": "hand"}
        rows.append(tuple(facts.get(name) for name in columns))
    rewrite(spark, settings, "gold.event", rows)
