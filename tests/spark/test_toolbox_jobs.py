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

from experiments.analyses.anomalous_care.study import scan_care
from experiments.analyses.pairs.follow_up import follow
from experiments.analyses.pairs.scan import scan
from experiments.analyses.pairs.study import scan_pairs
from experiments.analyses.phenotypes.study import scan_phenotypes
from experiments.analyses.subgroups.search import conditions_of
from experiments.analyses.subgroups.study import scan_subgroups
from experiments.execution.over_spark import COLUMNS
from experiments.execution.timelines import timelines
from experiments.job import RunnableJob
from experiments.kernels.cohort import CohortPass
from experiments.kernels.design import PairScanSettings
from experiments.kernels.pairs.competing import CompetingPass, FollowUp
from experiments.kernels.passes import OverPersons
from experiments.kernels.persons import Persons
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


def question(name: str) -> RunnableJob:
    """The job of a file in ``jobs``."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "jobs" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    job: RunnableJob = getattr(module, name)
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


def test_pairs__carry_families_breaks_and_incidence(toolbox: Lab, world: World) -> None:
    params = replace(question("mine_pairs").params(), level="full", q_level=0.9999)
    with toolbox.open("toolbox") as study:
        table = scan_pairs(study, params).patterns.table
    settings = PairScanSettings(world.n_codes)
    plain = scan(OverPersons(world.persons), settings, terminal=(world.death,), level=0.9999).table
    number = {name: at for at, name in enumerate(code_names(world))}
    pairs = zip(*(plain.column(name).to_pylist() for name in ("code_a", "code_b")), strict=True)
    place = {pair: at for at, pair in enumerate(pairs)}
    rows = table.to_pylist()
    assert len(rows) == plain.num_rows
    for row in rows:
        at = place[number[row["code_a"]], number[row["code_b"]]]
        assert row["O"] == plain.column("O")[at].as_py()
        assert row["E"] == pytest.approx(plain.column("E")[at].as_py(), rel=1e-9)
        assert row["V"] == pytest.approx(plain.column("V")[at].as_py(), rel=1e-9)
        assert row["called"] == plain.column("called")[at].as_py()
        assert (row["cif"] is not None) == row["called"] or (row["called"] and not row["O"])
        assert row["called_tree"] is not None


def test_follow_up__ends_with_the_data_or_with_emigration_as_in_one_process(
    toolbox: Lab, world: World
) -> None:
    names = code_names(world)
    last = int(world.persons.days.max())
    order = np.argsort(-np.bincount(world.persons.codes, minlength=world.n_codes), kind="stable")[:4]
    wanted = np.array(
        [(a, b) for a in sorted(order.tolist()) for b in sorted(order.tolist()) if a != b], np.int32
    )
    with toolbox.open("toolbox") as study:
        over = timelines(study, "full")
        mined = np.array([over.codes.names.index(name) for name in names])
        pairs = mined[wanted].astype(np.int32)
        timeline = over.frame.select(*COLUMNS)
        counts = follow(study, timeline, over.codes, pairs, 900, True, over.watch)
    follow_up = FollowUp(world.n_codes + 1, 900, (world.death,), world.n_codes)
    plain = OverPersons(with_ends(world.persons, last, world.n_codes))(
        CompetingPass, {"follow_up": follow_up, "pairs": wanted}
    )
    for at in range(len(wanted)):
        assert counts.by_day(at)[0] == plain.by_day(at)[0] > 0
        assert np.array_equal(counts.by_day(at)[1], plain.by_day(at)[1])


def with_ends(persons: Persons, last: int, end: int) -> Persons:
    """The persons observed until the last day of the data, written as one more event."""
    sizes = np.diff(persons.offsets)
    at = persons.offsets[1:][sizes > 0]
    offsets = np.concatenate([[0], np.cumsum(sizes + (sizes > 0))]).astype(np.int64)
    return persons._replace(
        offsets=offsets,
        codes=np.insert(persons.codes, at, end).astype(np.int32),
        days=np.insert(persons.days, at, last).astype(np.int32),
        settings=np.insert(persons.settings, at, -1).astype(np.int8),
    )


def test_subgroups__are_those_of_the_cohort_in_one_process(toolbox: Lab, world: World) -> None:
    params = replace(
        question("mine_subgroups").params(),
        treatment="ATC//C07AB00",
        control="ATC//C07AB01",
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
    calibration = found.patterns.search.calibration
    assert calibration is not None and calibration.sd <= 1.15
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
