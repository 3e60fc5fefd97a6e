"""Reading in a notebook: whatever was read through the study is on the MLflow run, also when the cell fails."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import mlflow
import pytest

from experiments import open_study
from lakehouse.definitions import load
from lakehouse.definitions.loader import as_tag
from lakehouse.errors import ConfigurationError, PermissionRefused
from lakehouse.governance.ledger import ledger
from lakehouse.governance.permits.files import grant_all
from lakehouse.governance.permits.study_definition import StudyDefinition
from lakehouse.ingest.delivery_definition import DeliveryThresholds
from lakehouse.settings import Settings, load_settings
from tests.support.small_lake import write_small_lake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = load_settings(tmp_path_factory.mktemp("notebook") / "home", "test")
    write_small_lake(spark, settings)
    grant_all(settings, "demo")
    return settings


def only_run() -> Any:
    (run,) = mlflow.search_runs(search_all_experiments=True, output_format="list", max_results=1)
    return run


def test_what_was_read_is_on_the_run(spark: SparkSession, lake: Settings) -> None:
    with open_study("demo", settings=lake, spark=spark, question="Who has A?") as study:
        assert study.table("gold.event").filter("code = 'ICD10//A'").select("code").count() == 10
        assert len(study.pandas("gold.vocabulary")[["code_id"]]) == 10
        mlflow.log_metric("looked_at", 2)
        thresholds = study.use(DeliveryThresholds, "default")
        with pytest.raises(ConfigurationError, match="nearest known one is 'default'"):
            study.use(DeliveryThresholds, "defalt")
    run = only_run()
    assert run.info.status == "FINISHED" and run.data.metrics == {"looked_at": 2.0}
    tags = run.data.tags
    assert (tags["study_id"], tags["scope_state"], tags["kind"]) == ("demo", "accounted", "synthetic")
    assert tags["release_state"] == "inside the study" and tags["mlflow.note.content"] == "Who has A?"
    names = {one.dataset.name for one in run.inputs.dataset_inputs}
    assert names == {"gold.event@1", "gold.vocabulary@1"}
    stored = json.loads((lake.results / "demo" / run.info.run_id / "scope.json").read_text())
    assert stored["digest"] == tags["scope_digest"]
    assert {read["table"] for read in stored["reads"]} == {"gold.event", "gold.vocabulary"}
    assert mlflow.active_run() is None
    defined = load(lake, StudyDefinition, "demo")
    used = {defined.name: defined.hash, thresholds.name: thresholds.hash}
    receipt = json.loads((lake.results / "demo" / run.info.run_id / "receipt.json").read_text())
    assert receipt["definitions"] == used and tags["definitions"] == as_tag(used)
    intents = [each["body"] for each in ledger.entries(lake) if each["kind"] == "intent"]
    (intent,) = (body for body in intents if body["run"] == run.info.run_id)
    assert intent["definitions"] == {defined.name: defined.hash}


def test_a_failing_cell_leaves_its_reads_on_a_failed_run(spark: SparkSession, lake: Settings) -> None:
    with pytest.raises(ZeroDivisionError), open_study("demo", settings=lake, spark=spark) as study:
        study.table("gold.event").select("day").count()
        _ = 1 / 0
    run = only_run()
    assert run.info.status == "FAILED" and "ZeroDivisionError" in run.data.tags["failure_reason"]
    assert [one.dataset.name for one in run.inputs.dataset_inputs] == ["gold.event@1"]
    assert run.data.tags["scope_state"] == "accounted"


def test_reading_around_the_study_is_marked(spark: SparkSession, lake: Settings) -> None:
    with open_study("demo", settings=lake, spark=spark):
        with pytest.raises(PermissionRefused, match="past the study"):
            spark.read.format("delta").load(str(lake.lake / "gold" / "person")).count()
        next((lake.lake / "gold" / "person").glob("*.parquet")).read_bytes()
    tags = only_run().data.tags
    assert tags["scope_state"] != "accounted" and tags["release_state"] == "withheld"
    assert "could not be accounted for" in tags["mlflow.note.content"]


def test_a_refused_study_leaves_a_failed_run_that_says_why(spark: SparkSession, lake: Settings) -> None:
    (lake.lake / "lake.toml").write_text('kind = "real"\n')
    try:
        with pytest.raises(PermissionRefused), open_study("demo", settings=lake, spark=spark):
            raise AssertionError("never inside")
    finally:
        (lake.lake / "lake.toml").write_text('kind = "synthetic"\n')
    run = only_run()
    assert run.info.status == "FAILED" and "no real persons" in run.data.tags["failure_reason"]
