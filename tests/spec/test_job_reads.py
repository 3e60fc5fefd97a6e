"""What a job reads hangs on its parameters; the dry run and the permit check name all that is missing for just these."""

from __future__ import annotations

import dataclasses
import itertools
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from experiments.cli import app
from experiments.run.definition import Job, load_job
from experiments.run.runner import dry_run
from lakehouse.data_model import GOLD
from lakehouse.governance.permits.files import grant_all, load_permit
from lakehouse.progress import Progress
from lakehouse.settings import Settings, load_settings

JOBS = {
    path.stem: load_job(path) for path in sorted((Path(__file__).resolve().parents[2] / "jobs").glob("*.py"))
}
EVERYBODYS = {"gold.timeline", "gold.vocabulary"}


def choices(job: Job) -> list[Any]:
    """Parameters with every switch of the job on or off, in all combinations; other parameters as they are."""
    default = job.params()
    switches = [f.name for f in dataclasses.fields(job.params) if isinstance(getattr(default, f.name), bool)]
    return [
        dataclasses.replace(default, **dict(zip(switches, values, strict=True)))
        for values in itertools.product((False, True), repeat=len(switches))
    ]


def missing_in(lines: list[str]) -> set[str]:
    """Tables of which something is missing, as the lines say."""
    names = [line.split()[1] for line in lines if line.startswith("MISSING gold")]
    return {name if name in GOLD else name.rpartition(".")[0] for name in names}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = load_settings(tmp_path_factory.mktemp("reads") / "home", "test")
    settings.lake.mkdir(parents=True)
    (settings.lake / "lake.toml").write_text('kind = "synthetic"\n')
    grant_all(settings, "everything")
    grant_all(settings, "little")
    permit = settings.definition("permits", "little")
    kept, whole = [], permit.read_text("utf-8").split("\n[")
    for part in whole:
        if not part.startswith('tables."') or part.startswith(
            tuple(f'tables."{name}"' for name in EVERYBODYS)
        ):
            kept.append(part)
    permit.write_text("\n[".join(kept), "utf-8")
    assert set(load_permit(settings, "little").tables) == EVERYBODYS
    return settings


@pytest.mark.parametrize("name", sorted(JOBS))
def test_reads__are_columns_of_gold_for_every_choice_of_switches(name: str) -> None:
    for params in choices(JOBS[name]):
        for table, columns in JOBS[name].reads_for(params).items():
            assert columns and set(columns) <= set(GOLD[table].column_names), (params, table)


@pytest.mark.parametrize("name", sorted(JOBS))
def test_permit_check_and_dry_run__name_the_same_missing_grants_for_these_parameters(
    name: str, home: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    job = JOBS[name]
    seen = set()
    for params in choices(job):
        expected = {table for table in job.reads_for(params) if table not in EVERYBODYS}
        given = [
            f"--set={key}={value}"
            for key, value in dataclasses.asdict(params).items()
            if isinstance(value, bool)
        ]
        for study, missing in (("everything", set()), ("little", expected)):
            options = ["permit", "check", name, "--study", study, "--lake", str(home.home), *given]
            result = CliRunner().invoke(app, options)
            told = missing_in(result.output.splitlines())
            assert told == missing, (params, study, result.output)
            assert (result.exit_code == 0) == (not missing), result.output
            dry_run(job, home, study, params, Progress(quiet=True))
            lines = capsys.readouterr().out.splitlines()
            assert missing_in(lines) == missing
            assert {line.split()[1] for line in lines if line.startswith("read ")} == set(
                job.reads_for(params)
            )
            assert [line for line in lines if line.startswith("gives ")]
        seen.add(frozenset(expected))
    if name == "mine_pairs":
        whole = {"gold.person", "gold.event", "gold.place", "gold.observation_period"}
        assert len(seen) == 8 and frozenset(whole) in seen, (
            "sites, artefacts_by_place, emigration, and all together"
        )
    if name == "describe_study":
        assert seen == {frozenset(), frozenset({"gold.person"})}


def test_what_a_switch_adds_is_told_by_the_list_of_jobs() -> None:
    told = CliRunner().invoke(app, ["jobs", "mine_pairs"]).output
    for parameter, table in (
        ("sites", "gold.person"),
        ("emigration", "gold.observation_period"),
        ("artefacts_by_place", "gold.place"),
    ):
        part = told[told.index(f"--set {parameter}=true") :]
        assert table in part[:400], parameter


def test_the_command_that_repeats_a_run_can_be_typed() -> None:
    from experiments.run.runner import command_line

    own = JOBS["list_persons"]
    params = dataclasses.replace(own.params(), first="ICD10//E11", then="LAB//a code; with signs")
    told = command_line(own, "demo", params)
    assert shlex.split(told) == [
        "patternlake", "run", "list_persons", "--study", "demo", "--set", "first=ICD10//E11",
        "--set", "then=LAB//a code; with signs",
    ]  # fmt: skip
    stranger = dataclasses.replace(own, name="count_residents")
    assert command_line(stranger, "demo", own.params()) == "patternlake run count_residents.py --study demo"
