"""Data and record for a notebook: inside ``with open_study(...)`` every read lands on an MLflow run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.settings import Settings, load_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from lakehouse.study.session import Study


@contextmanager
def open_study(
    study_id: str,
    *,
    home: str | Path | None = None,
    profile: str | None = None,
    question: str = "Exploring in a notebook.",
    settings: Settings | None = None,
    spark: SparkSession | None = None,
) -> Iterator[Study]:
    """A study opened for exploring: ``study.table(...)`` gives a Spark frame, ``study.pandas(...)`` a pandas one.

    The pandas frame is one of ``pyspark.pandas``. An MLflow run is open meanwhile, so ``mlflow.log_metric`` and
    the like land on it. On the way out, also by an error, the run gets the scope record (what was truly read),
    its tags and one input a table, and the ledger its receipt. The Spark session stays for the next cell.
    """
    from experiments.run.runner import record_definitions
    from experiments.tracking import mlflow_runs
    from experiments.tracking import run_record as tracking
    from experiments.tracking.code_version import code_version
    from lakehouse.definitions import load
    from lakehouse.governance.ledger import ledger
    from lakehouse.governance.permits.files import lake_kind
    from lakehouse.governance.permits.study_definition import StudyDefinition
    from lakehouse.session import spark_session
    from lakehouse.study.session import open_data

    chosen = settings or load_settings(home, profile)
    session = spark or spark_session(chosen, "patternlake notebook")
    facts = {"kind": lake_kind(chosen)}
    with mlflow_runs.run(
        chosen,
        study=study_id,
        job="notebook",
        use_case="explore",
        question=question,
        facts=facts,
        active=True,
    ) as record:
        intent = {"run": record.run_id, "study": study_id, "job": "notebook", "code": code_version()}
        ledger.append(
            chosen, "intent", {**intent, "definitions": load(chosen, StudyDefinition, study_id).hashes}
        )
        with open_data(session, chosen, study_id) as study:
            record.bind(study)
            try:
                yield study
            finally:
                record_definitions(record, study.definitions)
                scope = tracking.scope_record(study)
                record.store_scope(scope)
                record.issue_receipt("inside the study")
        if record.state != tracking.ACCOUNTED:
            record.withhold()
