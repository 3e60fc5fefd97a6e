"""Runs kept apart and found again: open at the same time, written by version 0.1.0, failed, listed."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import mlflow
import pytest
from typer.testing import CliRunner

from experiments.cli import app
from experiments.products.base import Calibration, ProductModel
from experiments.products.patterns import Patterns
from experiments.tracking import metrics, mlflow_runs
from experiments.tracking.audit import audit
from experiments.tracking.parameters import as_toml
from experiments.tracking.run_list import listed
from experiments.tracking.run_record import RunRecord
from experiments.tracking.store import client_of, experiment_of
from experiments.tracking.tags import former, searches, tag_of
from lakehouse.governance.ledger import ledger
from lakehouse.governance.suppression.disclosure import Thresholds
from lakehouse.settings import Settings, load_settings
from tests.support.pattern_tables import patterns, scope_like
from tests.support.tracking_store import look_into

ROOT = Path(__file__).resolve().parents[2]
CHECKED: Patterns = patterns(30, persons=20_000, planted=12).cleaned(Thresholds())[0]
PAGE = ROOT / "docs" / "how-to-mlflow.md"
DEAD = 2**22 + 1
"""A process number that no process of this machine has: above the kernel's highest."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One store for the tests that only add runs to it."""
    return load_settings(tmp_path_factory.mktemp("apart") / "home", "test")


def begin(settings: Settings, study: str = "demo", **facts: object) -> Any:
    return mlflow_runs.run(
        settings, study=study, job="mine_pairs", use_case="A1", question="What?", facts=facts
    )


def whole(settings: Settings, number: int, barrier: threading.Barrier, files: Path) -> str:
    """Everything a run may write, each step at the same time as the other runs' same step."""
    with begin(settings, permit_id=f"p{number}", kind="synthetic") as run:
        barrier.wait(120)
        run.made |= {"params": {"number": number}}
        run.params({})
        barrier.wait(120)
        run.metrics(metrics.shared_metrics(persons=100 * number, tests=number, significant=number))
        barrier.wait(120)
        run.store_scope(scope_like())
        folder = files / str(number)
        folder.mkdir()
        (folder / "note.txt").write_text(f"of run {number}")
        barrier.wait(120)
        run.publish(folder)
        assert CHECKED.form.model is not None
        run.model(ProductModel(CHECKED.form.model, CHECKED.significant()))
        barrier.wait(120)
        run.issue_receipt("checked")
        run.describe(f"Summary {number}")
        return str(run.run_id)


def test_runs_open_at_the_same_time_in_two_homes_do_not_mix(tmp_path: Path) -> None:
    first, second, elsewhere = (load_settings(tmp_path / name, "test") for name in "abc")
    for each in (first, second):
        client_of(each)
        ledger.append(each, "intent", {"run": "an earlier one"})
    elsewhere.artifacts.mkdir(parents=True)
    look_into(elsewhere)
    barrier = threading.Barrier(3)
    with ThreadPoolExecutor(3) as pool:
        asked = [
            pool.submit(whole, settings, number, barrier, tmp_path)
            for number, settings in ((1, first), (2, first), (3, second))
        ]
        for each in as_completed(asked):
            if each.exception() is not None:
                barrier.abort()
                raise each.exception() or AssertionError
        ids = [each.result() for each in asked]
    for number, (run_id, settings) in enumerate(zip(ids, (first, first, second), strict=True), start=1):
        client = client_of(settings)
        run = client.get_run(run_id)
        assert run.info.status == "FINISHED" and run.data.params == {"number": str(number)}
        assert run.data.tags["permit_id"] == f"p{number}"
        assert run.data.tags["mlflow.note.content"] == f"Summary {number}"
        assert run.data.metrics == {"persons": 100 * number, "tests": number, "significant": number}
        assert {one.dataset.name for one in run.inputs.dataset_inputs} == {
            "gold.timeline@3", "gold.vocabulary@1",
        }  # fmt: skip
        (output,) = run.outputs.model_outputs
        model = client.get_logged_model(output.model_id)
        assert (model.source_run_id, model.params) == (run_id, {"number": str(number)})
        assert {one.key: one.value for one in model.metrics} == run.data.metrics
        (version,) = client.search_model_versions(f"run_id = '{run_id}'")
        assert (version.tags["model_id"], version.tags["permit_id"]) == (output.model_id, f"p{number}")
        (named,) = json.loads(model.tags["mlflow.modelVersions"])
        assert (named["name"], str(named["version"])) == (version.name, str(version.version))
        text = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/note.txt")
        assert text == f"of run {number}"
    assert audit(first) == audit(second) == []
    assert not client_of(elsewhere).search_runs([each.experiment_id for each in _experiments(elsewhere)])
    look_into(second)
    loaded = mlflow.pyfunc.load_model("models:/demo-mine_pairs/1")
    assert loaded.metadata.run_id == ids[2]


def _experiments(settings: Settings) -> list[Any]:
    return list(client_of(settings).search_experiments())


def former_run(settings: Settings, study: str, tags: dict[str, str], ends: bool = True) -> str:
    """A run as version 0.1.0 left it in MLflow: the same tags with a dot for the first underscore."""
    client = client_of(settings)
    experiment = experiment_of(settings, client, f"A1/{study}")
    run_id = str(client.create_run(experiment, run_name=f"mine_pairs-{study}").info.run_id)
    for name, value in tags.items():
        client.set_tag(run_id, former(name), value)
    if ends:
        client.set_terminated(run_id, "FINISHED")
    return run_id


def test_runs_of_version_0_1_0_are_found_audited_and_swept(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "home", "test")
    client, digest = client_of(settings), "ab" * 32
    tags = {"permit_id": "p1", "scope_state": "accounted", "receipt_hash": digest, "use_case": "A1"}
    old = former_run(settings, "old", tags)
    body = {"run": old, "study": "old", "job": "mine_pairs", "receipt": digest, "state": "accounted"}
    ledger.append(settings, "receipt", body)
    client.create_registered_model("old-mine_pairs")
    client.create_model_version("old-mine_pairs", "file:///nowhere", old, tags={"receipt.hash": digest})
    assert audit(settings) == []
    stored = client.get_run(old).data.tags
    assert stored["use.case"] == "A1" == tag_of(stored, "use_case") and "use_case" not in stored
    with begin(settings, "old", permit_id="p1") as new:
        pass
    experiment = client.get_run(old).info.experiment_id
    found = {
        run.info.run_id
        for one in searches("permit_id", "p1")
        for run in client.search_runs([experiment], one)
    }
    assert found == {old, new.run_id}, (
        "the old experiment goes on, and a permit finds the runs of both versions"
    )
    lost = former_run(
        settings, "old", {"process_id": str(DEAD), "process_host": new.facts["process_host"]}, ends=False
    )
    with begin(settings, "old"):
        pass
    swept = client.get_run(lost)
    assert swept.info.status == "FAILED" and "without a word" in tag_of(swept.data.tags, "failure_reason")
    client.set_tag(old, "scope.state", "breach")
    client.set_model_version_tag("old-mine_pairs", "1", "receipt.hash", "0" * 64)
    told = " ".join(audit(settings))
    assert f"run {old}: its scope state was changed" in told
    assert "model old-mine_pairs version 1 has no valid receipt" in told


def test_a_failed_run_has_its_numbers_and_switches_and_agrees_with_the_ledger(home: Settings) -> None:
    with pytest.raises(KeyError), begin(home, "fails") as run:
        run.made |= {"params": {"persons": 5, "deep": True, "code": "I21 of 010170-1234", "share": 0.5}}
        raise KeyError("x")
    found = client_of(home).get_run(run.run_id)
    assert found.info.status == "FAILED"
    assert found.data.params == {"persons": "5", "deep": "True", "share": "0.5"}
    assert not [line for line in audit(home) if run.run_id in line]


def test_parameters_are_written_once_and_the_jobs_own_value_counts(home: Settings) -> None:
    with begin(home) as run:
        run.made |= {"params": {"horizon_days": 365, "code": None, "codes": ("a", "b")}}
        run.params({"horizon_days": 9, "more": 1.5})
        run.params({"more": 2.5, "late": 1})
    client = client_of(home)
    assert client.get_run(run.run_id).data.params == {
        "horizon_days": "365", "code": "None", "codes": "('a', 'b')", "more": "1.5", "late": "1",
    }  # fmt: skip
    text = mlflow.artifacts.load_text(f"{client.get_run(run.run_id).info.artifact_uri}/params.toml")
    assert tomllib.loads(text) == {"horizon_days": 365, "codes": ["a", "b"], "more": 1.5, "late": 1}
    assert "# code is not set" in text


def test_parameters_of_every_type_are_valid_toml() -> None:
    values = {
        "text": 'a "quoted"\nline', "æ": "blå", "yes": True, "far": math.inf, "near": -math.inf, "none": math.nan,
        "deep": {"a": [1, 2.5], "b": {}}, "e": 1e-9, "place": Path("x"),
    }  # fmt: skip
    found = tomllib.loads(as_toml({name.replace("æ", "ae"): value for name, value in values.items()}))
    assert math.isnan(found.pop("none"))
    assert found == {
        "text": 'a "quoted"\nline', "ae": "blå", "yes": True, "far": math.inf, "near": -math.inf,
        "deep": {"a": [1, 2.5], "b": {}}, "e": 1e-9, "place": "x",
    }  # fmt: skip


def test_shared_metrics_hide_few_persons_and_are_described_in_the_manual(home: Settings) -> None:
    few = metrics.shared_metrics(persons=3, tests=0, seconds=math.nan)
    assert metrics.may_be_logged(few, Thresholds()) == {"tests": 0.0}
    assert metrics.may_be_logged({"persons": 0.0, "x": 2.0}, Thresholds()) == {"persons": 0.0, "x": 2.0}
    given = metrics.shared_metrics(
        persons=20_000, tests=9, significant=2, replicated=1, shown=8, hidden=3, seconds=1.5,
        calibration=Calibration(mean=-0.2, sd=1.01, pairs=7),
    )  # fmt: skip
    assert tuple(given) == metrics.SHARED and given["calibration_mean_of_z"] == -0.2
    table = PAGE.read_text("utf-8").partition("## Compare runs")[2]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == metrics.SHARED
    with begin(home) as run:
        run.metrics(few)
    assert client_of(home).get_run(run.run_id).data.metrics == {"tests": 0.0}


def test_every_search_of_the_manual_finds_the_run_it_describes(home: Settings) -> None:
    searches_told = re.findall(r"\| `((?:tags|metrics|params|attributes)\..*)` \|", PAGE.read_text("utf-8"))
    assert len(searches_told) == 10
    facts = {"permit_id": "demo", "permit_hash": "…", "scope_state": "accounted", "release_state": "withheld"}
    with pytest.raises(KeyError), begin(home, "asthma", permit_id="demo", permit_hash="…") as run:
        run.tag(**facts)
        run.made |= {"params": {"horizon_days": 1826}}
        run.metrics({"significant": 3, "calibration_sd_of_z": 1.0})
        raise KeyError("x")
    client = client_of(home)
    experiment = client.get_run(run.run_id).info.experiment_id
    for told in searches_told:
        (found,) = client.search_runs([experiment], told)
        assert found.info.run_id == run.run_id, told


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, dict[str, str]]:
    """A home with a run of each state, and one whose folder was left by version 0.1.0."""
    settings = load_settings(tmp_path_factory.mktemp("several") / "home", "test")
    ids: dict[str, str] = {}

    def leave(name: str, study: str, state: str, work: Callable[[RunRecord], object]) -> None:
        with begin(settings, study, permit_id=f"permit-{study}") as run:
            ids[name] = run.run_id
            run.store_scope(scope_like(state=state))
            work(run)
            run.issue_receipt("checked")

    leave("good", "one", "accounted", lambda run: run.metrics({"significant": 12}))
    leave("around", "two", "unaccounted", lambda run: run.withhold())
    with pytest.raises(ZeroDivisionError):
        leave("failed", "two", "accounted", lambda run: 1 / 0)
    old = settings.results / "one" / ("0d" * 16)
    old.mkdir(parents=True)
    told = {"permit": {"id": "permit-one"}, "state": "accounted", "started": "2026-11-30T20:47:32+00:00"}
    (old / "scope.json").write_text(json.dumps(told))
    (old / "receipt.json").write_text(
        json.dumps({**told, "job": "mine_sets", "question": "Old?", "verdict": "checked"})
    )
    CHECKED.write_file(old / "patterns.parquet")
    return settings, ids | {"old": old.name}


def test_runs_are_found_by_study_permit_state_and_job(several: tuple[Settings, dict[str, str]]) -> None:
    settings, ids = several

    def names(**wanted: str) -> set[str]:
        found = {each.run for each in listed(settings, **wanted)}
        return {name for name, run_id in ids.items() if run_id in found}

    assert names() == {"good", "around", "failed", "old"}
    assert names(study="one") == {"good", "old"} == names(permit="permit-one")
    assert names(state="unaccounted") == {"around"} == names(state="withheld")
    assert names(state="failed") == {"failed"} and names(state="checked") == {"old"}
    assert names(job="mine_sets") == {"old"} and names(study="one", job="mine_pairs") == {"good"}
    by_id = {each.run: each for each in listed(settings)}
    assert by_id[ids["good"]].significant == 12 and by_id[ids["failed"]].significant is None
    assert by_id[ids["old"]].significant == CHECKED.significant().num_rows > 0
    assert by_id[ids["old"]].started.startswith("2026-11-30") and by_id[ids["old"]].question == "Old?"
    assert (settings.results / "one" / ids["good"] / "run.json").stat().st_mode & 0o077 == 0


def test_the_list_of_runs_comes_without_spark_or_mlflow(several: tuple[Settings, dict[str, str]]) -> None:
    settings, ids = several
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom experiments.cli import app\n"
        f"told = CliRunner().invoke(app, ['runs', '--lake', {str(settings.home)!r}, '--permit', 'permit-one'])\n"
        "assert told.exit_code == 0, told.output\nprint(told.output)\n"
        "print(sorted({'pyspark', 'mlflow'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    *lines, last = done.stdout.strip().splitlines()
    assert last == "[]"
    assert lines[0].split() == [
        "run", "started", "job", "study", "permit", "state", "outcome", "significant", "question",
    ]  # fmt: skip
    assert {line.split()[0] for line in lines[1:] if line} == {ids["good"][:12], ids["old"][:12]}
    assert "inside the study" in done.stdout and "12" in done.stdout


def test_the_list_as_json_has_whole_ids_and_says_when_nothing_fits(
    several: tuple[Settings, dict[str, str]],
) -> None:
    settings, ids = several
    command = ["runs", "--lake", str(settings.home)]
    told = CliRunner().invoke(app, [*command, "--state", "unaccounted", "--json"])
    assert json.loads(told.output)["run"] == ids["around"]
    assert CliRunner().invoke(app, [*command, "--study", "none"]).output == "No run fits.\n"
