"""The one builder of Spark sessions: every profile's properties, the right Python in the workers, quiet logs."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from lakehouse.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def spark_session(settings: Settings, app: str = "patternlake", **overrides: str) -> SparkSession:
    """The process's Spark session.

    Under ``spark-submit`` the properties file has already decided everything and none is set here, because
    settings made in code outrank the operator's. Started from plain Python (command line, tests, a
    notebook) the profile's properties file is read instead, so both ways run under the same settings.
    ``overrides`` (dots written as double underscores) serve tests alone.
    """
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName(app)
    if not submitted() and SparkSession.getActiveSession() is None:
        settings.scratch.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("SPARK_LOCAL_DIRS", str(settings.scratch))
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        for key, value in settings.spark_properties().items():
            builder = builder.config(key, value)
        for key, value in overrides.items():
            builder = builder.config(key.replace("__", "."), value)
    return builder.getOrCreate()


def submitted() -> bool:
    """Whether ``spark-submit`` started this process."""
    return "PYSPARK_GATEWAY_PORT" in os.environ
