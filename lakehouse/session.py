"""The one builder of Spark sessions: every profile's properties, the right Python in the workers, quiet logs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.errors import ConfigurationError
from lakehouse.settings import Settings, conf_dir
from lakehouse.spark_internals.connection import prompt_answers

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
    prompt_answers()
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName(app)
    if submitted() or SparkSession.getActiveSession() is not None:
        return builder.getOrCreate()
    from lakehouse.doctor import ensure_java

    ensure_java()
    settings.scratch.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("SPARK_LOCAL_DIRS", str(settings.scratch))
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ.setdefault("SPARK_CONF_DIR", str(conf_dir() / "spark"))
    for key, value in settings.spark_properties().items():
        builder = builder.config(key, value)
    for key, value in overrides.items():
        builder = builder.config(key.replace("__", "."), value)
    with jvm_messages_in(settings.home / "logs" / f"spark-{os.getpid()}.log"):
        return builder.getOrCreate()


def submitted() -> bool:
    """Whether ``spark-submit`` started this process."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


@contextmanager
def jvm_messages_in(log: Path) -> Iterator[None]:
    """Let a JVM started inside the block write its messages to a file, so that standard error stays ours.

    When the start fails, the last lines of the file become the refusal. ``PATTERNLAKE_VERBOSE`` leaves
    everything on standard error.

    Raises :class:`ConfigurationError` when the start fails.
    """
    if os.environ.get("PATTERNLAKE_VERBOSE"):
        yield
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    terminal = os.dup(2)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(target, 2)
    os.close(target)
    try:
        yield
    except Exception as error:
        last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:]
        raise ConfigurationError(
            f"Spark did not start: {str(error).splitlines()[0] if str(error) else type(error).__name__}.",
            "Its last words were:\n  " + "\n  ".join(last) + "\n",
            f"See {log}, run 'patternlake doctor', or set PATTERNLAKE_VERBOSE=1.",
        ) from error
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
