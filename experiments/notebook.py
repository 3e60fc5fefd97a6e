"""Data and record for a notebook: inside ``with open_study(...)`` every read lands on an MLflow run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.settings import Settings, load_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from lakehouse.study import Study


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
    """A study opened for exploring: ``study.table(...)`` gives a Spark frame, ``study.pandas(...)`` a
    pandas-like one.

    An MLflow run is open meanwhile, so ``mlflow.log_metric`` and the like land on it. On the way out, also by
    an error, the run gets the scope record (what was truly read), its tags and one input a table. The Spark
    session stays for the next cell.
    """
    from experiments import tracking
    from experiments.evidence import ACCOUNTED
    from lakehouse.session import spark_session
    from lakehouse.study import open_data

    chosen = settings or load_settings(home, profile)
    session = spark or spark_session(chosen, "patternlake notebook")
    with tracking.run(
        chosen, study=study_id, job="notebook", use_case="explore", question=question, facts={}
    ) as record:
        with open_data(session, chosen, study_id) as study:
            record.bind(study)
            try:
                yield study
            finally:
                record.store_scope(tracking.scope_record(study))
        if record.state != ACCOUNTED:
            record.withhold()
