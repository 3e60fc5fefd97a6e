"""The record of a run in a real tracking store: what a reviewer finds there, and what must not be there."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pyarrow.parquet as pq
import pytest

from experiments.findings import Findings
from experiments.products.base import Calibration, Tally
from experiments.products.patterns import PERSON_COUNTS, Patterns
from experiments.products.search import Search
from experiments.report.context import ReportContext
from experiments.run.publish import Outcome, conclude
from experiments.statistics.error_control.empirical_null import empirical_null
from experiments.tracking import mlflow_runs
from experiments.tracking.audit import audit
from experiments.tracking.lake_source import LakeTableSource
from lakehouse.errors import DisclosureRefused, PermissionRefused
from lakehouse.governance.ledger import receipts
from lakehouse.governance.suppression.disclosure import Thresholds
from lakehouse.governance.suppression.totals import assert_clean
from lakehouse.settings import Settings, load_settings
from tests.support.pattern_tables import patterns, scope_like
from tests.support.tracking_store import look_into

QUESTION = "Which codes follow which?"
PARAMS = {"horizon_days": 1826, "min_persons": 5, "level": "default", "sites": False}
RAW = patterns(30, persons=20_000, planted=12)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One store for all tests here: making a new one takes seconds."""
    settings = load_settings(tmp_path_factory.mktemp("tracking") / "home", "test")
    settings.artifacts.mkdir(parents=True)
    look_into(settings)
    return settings


@pytest.fixture(scope="module")
def done(settings: Settings) -> Outcome:
    """A run as a reviewer finds it."""
    return run_job(settings)


def run_job(
    settings: Settings,
    raw: Patterns = RAW,
    scope: Mapping[str, Any] | None = None,
    study: str = "demo",
    kind: str = "synthetic",
    question: str = QUESTION,
) -> Outcome:
    """A finished run as the job runner makes it."""
    facts = {
        "permit_id": "p1",
        "permit_hash": "ab" * 32,
        "purpose": "research",
        "seed": 7,
        "kind": kind,
    }
    with mlflow_runs.run(
        settings, study=study, job="mine_pairs", use_case="A1", question=question, facts=facts
    ) as run:
        run.made |= {"params": PARAMS}
        calibration = Calibration(*empirical_null(raw.z_of_tested()))
        searched = replace(raw, search=Search(codes=30, calibration=calibration))
        context = ReportContext(
            question=question, persons=20_000, command="patternlake run mine_pairs", job="mine_pairs", study=study,
            scope=scope or scope_like(), attrition=[("everyone", 20_010), ("in the period", 20_000)],
            parameters=raw.meta.params,
        )  # fmt: skip
        return conclude(run, Findings((searched,), 20_000), context)


def tally_of(outcome: Outcome) -> Tally:
    """What the run's one product tested and found."""
    (checked,) = outcome.checked
    assert checked.tally is not None
    return checked.tally


def artifacts(run_id: str) -> dict[str, Path]:
    """Files of a run in the tracking store, by their path in it."""
    folder = Path(mlflow.artifacts.download_artifacts(run_id=run_id))
    return {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}


def test_a_reviewer_finds_question_permit_scope_findings_and_report(done: Outcome) -> None:
    outcome = done
    run = mlflow.get_run(outcome.run_id)
    assert mlflow.get_experiment(run.info.experiment_id).name == "A1/demo"
    assert run.info.run_name.startswith("mine_pairs-demo-") and run.info.status == "FINISHED"
    expected = {
        "study_id": "demo", "permit_id": "p1", "permit_hash": "ab" * 32, "purpose": "research", "seed": "7",
        "kind": "synthetic", "scope_state": "accounted", "scope_digest": scope_like()["digest"],
        "release_state": "checked", "data_versions": "gold.timeline@3 gold.vocabulary@1",
    }  # fmt: skip
    assert {name: run.data.tags[name] for name in expected} == expected
    assert run.data.tags["code_version"]
    assert "20,000 persons" in run.data.tags["mlflow.note.content"]
    assert run.data.params == {
        "horizon_days": "1826",
        "min_persons": "5",
        "level": "default",
        "sites": "False",
    }
    assert tomllib.loads(artifacts(outcome.run_id)["params.toml"].read_text()) == PARAMS
    assert run.data.metrics["pairs.tested"] == tally_of(outcome).tested > 100
    assert run.data.metrics["pairs.significant"] == tally_of(outcome).significant > 0
    assert 0.8 < run.data.metrics["calibration.sd_of_z"] < 1.3
    kept = artifacts(outcome.run_id)
    assert {"report.html", "scope.json", "params.toml", "patterns.parquet", "disclosure.json"} <= set(kept)
    assert {"figures/volcano.png", "figures/network.png", "figures/calibration.png"} <= set(kept)
    assert json.loads(kept["scope.json"].read_text()) == scope_like()


def test_inputs_name_table_version_and_columns_and_hold_no_values(done: Outcome) -> None:
    run = mlflow.get_run(done.run_id)
    inputs = {one.dataset.name: one for one in run.inputs.dataset_inputs}
    assert set(inputs) == {"gold.timeline@3", "gold.vocabulary@1"}
    timeline = inputs["gold.timeline@3"]
    assert json.loads(timeline.dataset.source) == {
        "table": "gold.timeline", "version": 3, "columns": ["birth_year", "code", "day", "sex", "split"],
    }  # fmt: skip
    assert {tag.key: tag.value for tag in timeline.tags} == {
        "columns.direct": "code, day, sex, birth_year", "columns.filter": "split", "mlflow.data.context": "mining",
    }  # fmt: skip
    assert timeline.dataset.profile in (None, "null", "")
    assert {"name": "day", "type": "ARRAY<INT>"} in json.loads(timeline.dataset.schema)["mlflow_colspec"]
    source = mlflow.data.get_source(timeline)
    assert isinstance(source, LakeTableSource), "found by its entry point"
    assert source.to_json() == timeline.dataset.source
    with pytest.raises(PermissionRefused, match="open_study"):
        source.load()


def test_no_small_count_is_anywhere_in_the_store(settings: Settings, done: Outcome) -> None:
    outcome = done
    assert_clean(settings.artifacts, PERSON_COUNTS, Thresholds())
    raw = pq.read_table(settings.results / "demo" / outcome.run_id / "patterns.parquet")
    assert raw.num_rows == RAW.table.num_rows, "the study keeps every pair"
    with sqlite3.connect(settings.home / "mlflow" / "mlflow.db") as store:
        metrics = dict(store.execute("select key, value from metrics").fetchall())
    counted = {name: value for name, value in metrics.items() if "person" in name}
    assert all(value == 0 or value >= 5 for value in counted.values())


def test_a_run_that_cannot_account_for_its_reads_releases_nothing(settings: Settings) -> None:
    outcome = run_job(settings, scope=scope_like(state="unaccounted"), study="around")
    assert outcome.state == "unaccounted" and outcome.report is None
    run = mlflow.get_run(outcome.run_id)
    assert run.data.tags["scope_state"] == "unaccounted" and run.data.tags["release_state"] == "withheld"
    assert "Withheld" in run.data.tags["mlflow.note.content"]
    assert set(artifacts(outcome.run_id)) == {"scope.json", "params.toml", "receipt.json"}
    assert not any(name.startswith("pairs.") for name in run.data.metrics)
    assert mlflow.search_registered_models(filter_string="name = 'around-mine_pairs'") == []
    assert not run.outputs.model_outputs
    assert (settings.results / "around" / outcome.run_id / "patterns.parquet").is_file()


def test_the_model_answers_what_tends_to_come_next(done: Outcome) -> None:
    version = mlflow.MlflowClient().get_model_version("demo-mine_pairs", "1")
    assert version.tags["scope_digest"] == scope_like()["digest"] and version.tags["run_id"] == done.run_id
    model = mlflow.pyfunc.load_model("models:/demo-mine_pairs/1")
    assert model.metadata.metadata["scope_state"] == "accounted"
    assert [column.name for column in model.metadata.signature.inputs] == ["person", "code"]
    checked, _ = RAW.cleaned(Thresholds())
    strongest = next(row for row in checked.significant().to_pylist() if row["rr"] > 1)
    answer = model.predict(pd.DataFrame({"person": ["x"], "code": [strongest["code_a"]]}))
    row = answer[answer["code"] == strongest["code_b"]].iloc[0]
    assert row["rr"] == pytest.approx(strongest["rr"]) and row["because_of"] == strongest["code_a"]
    assert row["persons"] == strongest["O"] >= 5
    with pytest.raises(mlflow.exceptions.MlflowException):
        model.predict(pd.DataFrame({"wrong": ["x"]}))


def test_a_run_that_raises_is_failed_with_a_reason_and_without_its_values(settings: Settings) -> None:
    with (
        pytest.raises(KeyError),
        mlflow_runs.run(settings, study="demo", job="j", use_case="A1", question=QUESTION, facts={}) as run,
    ):
        raise KeyError("0101701234 had I21")
    failed = mlflow.get_run(run.run_id)
    assert failed.info.status == "FAILED"
    assert failed.data.tags["failure_reason"].startswith("KeyError in test_tracking.py, line ")
    assert not any("0101701234" in value for value in failed.data.tags.values())
    details = run.folder / "failure.txt"
    assert "0101701234" in details.read_text() and details.stat().st_mode & 0o077 == 0


def test_a_refusal_is_told_in_its_own_words(settings: Settings) -> None:
    with (
        pytest.raises(PermissionRefused),
        mlflow_runs.run(settings, study="demo", job="j", use_case="A1", question=QUESTION, facts={}) as run,
    ):
        raise PermissionRefused(
            "gold.spell is not granted.", "The permit names gold.timeline.", "Ask for it."
        )
    assert mlflow.get_run(run.run_id).data.tags["failure_reason"].startswith("gold.spell is not granted.")


@pytest.mark.parametrize(("signal", "reason"), [("KILL", "ended without a word"), ("TERM", "SystemExit")])
def test_a_run_whose_process_dies_is_marked_failed(settings: Settings, signal: str, reason: str) -> None:
    code = f"""
        import os, signal, time
        from pathlib import Path
        from experiments.tracking import mlflow_runs
        from lakehouse.settings import load_settings
        settings = load_settings({str(settings.home)!r}, "test")
        with mlflow_runs.run(settings, study="demo", job="j", use_case="A1", question="?", facts={{}}) as run:
            print(run.run_id, flush=True)
            os.kill(os.getpid(), signal.SIG{signal})
            time.sleep(30)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False,
        cwd=Path(mlflow_runs.__file__).parents[2], env=os.environ | {"PYTHONPATH": "."},
    )  # fmt: skip
    assert done.returncode != 0
    run_id = done.stdout.split()[0]
    with mlflow_runs.run(settings, study="demo", job="j", use_case="A1", question="?", facts={}) as later:
        assert mlflow.get_run(later.run_id).info.status == "RUNNING"
    dead = mlflow.get_run(run_id)
    assert dead.info.status == "FAILED" and reason in dead.data.tags["failure_reason"]


def test_a_scope_with_small_counts_is_shown_without_them(settings: Settings) -> None:
    scope = scope_like()
    scope["reads"][0] |= {"persons": 19_998, "predicates": ["person_id = 'deadbeefdeadbeefdeadbeefdeadbeef'"]}
    scope["reads"][1] |= {"persons": 20_000}
    outcome = run_job(settings, scope=scope, study="small")
    shown = json.loads(artifacts(outcome.run_id)["scope.json"].read_text())
    assert [read["persons"] for read in shown["reads"]] == [19_995, 20_000]
    assert shown["reads"][0]["predicates"] == ["person_id = '…'"] and "shown" in shown
    exact = json.loads((settings.results / "small" / outcome.run_id / "scope.json").read_text())
    assert exact == scope


def test_loading_the_record_keeper_warns_about_nothing() -> None:
    code = "import warnings; warnings.simplefilter('error', UserWarning); import experiments.tracking"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stderr == "", done.stderr


def test_nothing_is_told_to_the_makers_of_the_tracking_store() -> None:
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true" and os.environ["DO_NOT_TRACK"] == "true"
    from mlflow.telemetry.utils import is_telemetry_disabled

    assert is_telemetry_disabled()


def test_the_page_of_a_run_says_what_a_reviewer_asks(done: Outcome) -> None:
    note = mlflow.get_run(done.run_id).data.tags["mlflow.note.content"]
    for part in (
        "Permit p1",
        "research",
        "**accounted**",
        "report.html",
        "model_card.md",
        "patternlake release request",
    ):
        assert part in note
    card = artifacts(done.run_id)["model_card.md"].read_text()
    for part in (
        QUESTION,
        "Permit p1",
        "accounted",
        "persons counted",
        "What it is not for",
        "patternlake run mine_pairs",
    ):
        assert part in card


def test_real_data_go_through_the_gate_before_mlflow(settings: Settings) -> None:
    passed = run_job(settings, study="real", kind="real")
    assert mlflow.get_run(passed.run_id).data.tags["gate_verdict"] == "pass"
    assert "patterns.parquet" in artifacts(passed.run_id)
    with pytest.raises(DisclosureRefused, match="personal number"):
        run_job(settings, study="leak", kind="real", question="What follows in 010190-1234?")
    found = mlflow.search_runs(search_all_experiments=True, filter_string="tags.study_id = 'leak'")
    assert found.iloc[0]["status"] == "FAILED" and found.iloc[0]["tags.gate_verdict"] == "fail"
    assert set(artifacts(str(found.iloc[0]["run_id"]))) == {"scope.json", "params.toml"}


def test_a_run_deleted_or_a_tag_changed_afterwards_is_found_by_the_ledger(settings: Settings) -> None:
    outcome, other = run_job(settings, study="audited"), run_job(settings, study="audited")
    mine = [
        line
        for line in audit(settings)
        if outcome.run_id in line or other.run_id in line or "audited" in line
    ]
    assert mine == []
    client = mlflow.MlflowClient()
    client.delete_run(outcome.run_id)
    client.set_tag(other.run_id, "scope_state", "breach")
    client.set_model_version_tag("audited-mine_pairs", "1", "receipt_hash", "0" * 64)
    told = " ".join(audit(settings))
    assert f"run {outcome.run_id} was deleted in MLflow" in told
    assert f"run {other.run_id}: its scope state was changed" in told
    assert "model audited-mine_pairs version 1 has no valid receipt" in told


def test_every_run_leaves_a_signed_receipt_and_its_models_name_it(settings: Settings, done: Outcome) -> None:
    receipt = json.loads((settings.results / "demo" / done.run_id / "receipt.json").read_text())
    receipts.require(settings, receipt)
    shown = json.loads(artifacts(done.run_id)["receipt.json"].read_text())
    assert shown["exact"] == receipts.receipt_hash(receipt) and shown["verdict"] == "checked"
    assert {"report.html", "patterns.parquet", "model/patterns.parquet"} <= set(receipt["artefacts"])
    version = mlflow.MlflowClient().get_model_version("demo-mine_pairs", "1")
    assert version.tags["receipt_hash"] == receipts.receipt_hash(receipt)


def test_no_model_is_registered_without_a_valid_receipt(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "faults", lambda *all: ["its signature does not hold"])
    with pytest.raises(PermissionRefused, match="no valid receipt"):
        run_job(settings, study="forged")
    assert mlflow.search_registered_models(filter_string="name = 'forged-mine_pairs'") == []
