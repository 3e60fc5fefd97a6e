"""Jobs of the toolbox over a study: Spark and permit between give the same figures as one process without them."""

from __future__ import annotations

import importlib.util
import secrets
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from experiments.job import Job
from experiments.kernels.cohort import CohortPass
from experiments.kernels.competing import CompetingPass, FollowUp
from experiments.kernels.design import PairScanSettings
from experiments.kernels.passes import OverPersons
from experiments.mining.care_scan import scan_care
from experiments.mining.pairs import scan_pairs
from experiments.mining.phenotype_scan import scan_phenotypes
from experiments.mining.subgroup_scan import scan_subgroups
from experiments.pair_scan import InProcess, scan
from experiments.statistics.cumulative_incidence import cumulative_incidence
from experiments.subgroup_effects import conditions_of
from lakehouse.errors import UsageError
from lakehouse.settings import load_settings
from tests.spark.test_pathway_job import Params as PathwayParams
from tests.support.small_lake import write_small_lake
from tests.support.study_lab import TABLES, Lab
from tests.support.timelines import add_persons
from tests.support.worlds import World, null_world

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[2]
CODES = 60
PERMITTED = TABLES.replace('["code_id", "code"]', '["code_id", "code", "domain", "text", "level"]') + (
    '\n[tables."gold.observation_period"]\ndirect = ["person_id", "start_day", "end_day"]\n'
)


def question(name: str) -> Job:
    """The job of a file in ``jobs``."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "jobs" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    job: Job = getattr(module, name)
    return job


def code_names(world: World) -> list[str]:
    """The most frequent codes are two medicines of one group, then medicines and diagnoses in turn."""
    order = np.argsort(-np.bincount(world.persons.codes, minlength=world.n_codes)[:CODES], kind="stable")
    names = [""] * CODES
    for rank, code in enumerate(order):
        names[code] = f"ATC//C07AB{rank:02d}" if rank % 3 != 2 else f"ICD10//K{rank:02d}"
    return [*names, "CPR//DEATH"]


@pytest.fixture(scope="module")
def world() -> World:
    return null_world(secrets.randbelow(2**31), bursts=True, persons=3000, codes=CODES)


@pytest.fixture(scope="module")
def toolbox(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, world: World) -> Lab:
    settings = load_settings(tmp_path_factory.mktemp("toolbox") / "home", "test")
    write_small_lake(spark, settings)
    lab = Lab(spark, settings)
    lab.permit("toolbox", tables=PERMITTED)
    add_persons(spark, settings, world.persons, code_names(world), deaths=("CPR//DEATH",))
    return lab


def test_pairs__with_breaks_families_and_follow_up(toolbox: Lab, world: World) -> None:
    params = replace(question("mine_pairs").params(), level="full", q_level=0.9, emigration=True)
    with toolbox.open("toolbox") as study:
        table = scan_pairs(study, params).patterns.table
    plain = scan(
        InProcess(world.persons), PairScanSettings(world.n_codes), terminal=(world.death,), level=0.9
    ).table
    names = code_names(world)
    order = np.argsort(np.argsort(names))
    place = {
        (int(a), int(b)): at
        for at, (a, b) in enumerate(
            zip(*(np.asarray(plain.column(c)) for c in ("code_a", "code_b")), strict=True)
        )
    }
    number = {name: at for at, name in enumerate(names)}
    rows = table.to_pylist()
    assert len(rows) == plain.num_rows and order.size
    for row in rows[:200]:
        at = place[number[row["code_a"]], number[row["code_b"]]]
        assert row["O"] == plain.column("O")[at].as_py()
    called = [row for row in rows if row["called"]][:5]
    pairs = np.array([[number[row["code_a"]], number[row["code_b"]]] for row in called], np.int32)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    follow_up = FollowUp(world.n_codes, params.horizon_days, (world.death,), -1)
    counts = OverPersons(world.persons)(CompetingPass, {"follow_up": follow_up, "pairs": pairs})
    for at, (a, b) in enumerate(pairs.tolist()):
        row = next(r for r in called if (number[r["code_a"]], number[r["code_b"]]) == (a, b))
        free = cumulative_incidence(*counts.by_day(at))
        assert row["cif"] == pytest.approx(free.share, abs=0.25)
        assert row["cif_low"] <= row["cif"] <= row["cif_high"]


def test_subgroups__are_those_of_the_cohort_in_one_process(toolbox: Lab, world: World) -> None:
    params = replace(
        question("mine_subgroups").params(),
        outcome="ICD10//K02",
        horizon_days=700,
        min_persons=8,
        level="full",
        flips=19,
        depth=1,
    )
    with toolbox.open("toolbox") as study:
        findings = scan_subgroups(study, params)
    names = code_names(world)
    treated, control = names.index("ATC//C07AB00"), names.index("ATC//C07AB01")
    arguments = {
        "n_codes": world.n_codes,
        "treated": treated,
        "control": control,
        "outcomes": [names.index("ICD10//K02")],
        "horizon_days": 700,
        "until": int(world.persons.days.max()) - 700,
    }
    rows = OverPersons(world.persons)(CohortPass, arguments)
    assert findings.persons == len(rows.facts)
    cohort = conditions_of(rows, params.conditions, 16)
    table = findings.patterns.table
    for row in table.to_pylist():
        assert row["code_a"] == "ATC//C07AB00" and row["code_b"] == "ATC//C07AB01"
        if row["items"] == ["SEX//F"]:
            assert row["n_person"] == cohort.holds[:, 0].sum()
    assert table.num_rows >= 3


def test_anomalous_care_and_phenotypes__run_whole_and_stay_quiet(toolbox: Lab) -> None:
    care = replace(
        question("mine_anomalous_care").params(),
        outcomes="CPR//DEATH,ICD10//K02",
        level="full",
        min_persons=10,
    )
    kinds = replace(question("mine_phenotypes").params(), factors=4, seeds=2, level="full")
    with toolbox.open("toolbox") as study:
        found = scan_care(study, care)
        phenotypes = scan_phenotypes(study, kinds)
    table = found.patterns.table
    assert table.num_rows > 500
    assert sum(table.column("called").to_pylist()) <= 2
    assert found.null is not None and found.null.sd <= 1.15
    assert phenotypes.patterns.table.num_rows == 4
    assert all(len(items) == kinds.top for items in phenotypes.patterns.table.column("items").to_pylist())


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("mine_subgroups", {"treatment": "NOWHERE"}),
        ("mine_subgroups", {"min_persons": 1}),
        ("mine_subgroups", {"flips": 3}),
        ("mine_anomalous_care", {"outcomes": "NOWHERE"}),
        ("mine_anomalous_care", {"groups": 0}),
        ("mine_phenotypes", {"factors": 1}),
        ("mine_pathways", {"start": "NOWHERE"}),
    ],
)
def test_parameters_without_meaning__are_refused(toolbox: Lab, name: str, change: dict[str, object]) -> None:
    job = question(name)
    params = replace(job.params(), level="full") if name != "mine_pathways" else job.params()
    with toolbox.open("toolbox") as study, pytest.raises(UsageError):
        job.ask(study, replace(params, **change))
    assert PathwayParams().level == "full"


def test_the_example_for_notebooks__runs_on_the_small_lake(lab: Lab) -> None:
    spec = importlib.util.spec_from_file_location(
        "explore_study", ROOT / "docs" / "examples" / "explore_study.py"
    )
    assert spec is not None and spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    with lab.open() as study:
        domains = example.persons_by_domain(study).to_pandas()
        ages = example.ages(study).to_pandas()
        busiest = example.busiest_codes(study).to_pandas()
    assert domains.loc["diagnosis", "persons"] == 10 and domains.loc["medicine", "persons"] == 9
    assert ages.empty, "nobody of a decade of two or three persons is shown"
    assert busiest.iloc[0]["persons"] == 10 and busiest.index.is_unique
