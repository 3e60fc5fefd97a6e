"""Shared fixtures: one Spark session for the whole run, a home folder that vanishes afterwards."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from lakehouse.settings import Settings, load_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def pytest_configure(config: pytest.Config) -> None:
    """No test may find the user's own lake, nor talk to a tracking server."""
    for name in ("PATTERNLAKE_HOME", "PATTERNLAKE_PROFILE", "MLFLOW_TRACKING_URI"):
        os.environ.pop(name, None)
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


hypothesis.settings.register_profile("patternlake", deadline=None)
hypothesis.settings.load_profile("patternlake")
"""An example that compiles a kernel, or runs on a machine at work, is late and not wrong: no deadlines."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With ``PATTERNLAKE_EXAMPLES`` every property is tried on so many examples at most (``make coverage``)."""
    if most := int(os.environ.get("PATTERNLAKE_EXAMPLES", "0")):
        for item in items:
            function = getattr(item, "obj", None)
            given = getattr(function, "_hypothesis_internal_use_settings", None)
            if given is not None:
                few = hypothesis.settings(given, max_examples=min(most, given.max_examples))
                getattr(function, "__func__", function)._hypothesis_internal_use_settings = few


def pytest_sessionstart(session: pytest.Session) -> None:
    """Fetch Delta's JARs once before several workers would do so at the same time."""
    spread = getattr(session.config.option, "numprocesses", None)
    if spread and not any(Path(pwd.getpwuid(os.getuid()).pw_dir).glob(".ivy2*/jars/*delta-spark*")):
        start = "from lakehouse.session import spark_session; from lakehouse.settings import load_settings; "
        start += "import sys, pathlib; spark_session(load_settings(pathlib.Path(sys.argv[1]), 'test'), 'jars').stop()"
        with tempfile.TemporaryDirectory() as home:
            subprocess.run([sys.executable, "-c", start, home], check=True, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def session_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Home folder of the shared Spark session (its local folders lie in it)."""
    return tmp_path_factory.mktemp("session-home")


@pytest.fixture(scope="session")
def spark(session_home: Path) -> Iterator[SparkSession]:
    """The one Spark session of a test run."""
    from lakehouse.session import spark_session

    session = spark_session(load_settings(session_home, "test"), "patternlake-tests")
    yield session
    session.stop()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with an empty home of its own for each test."""
    return load_settings(tmp_path / "home", "test")


@pytest.fixture(scope="session")
def foreign_data() -> Path:
    """Folder of foreign data sets, or a skip that says how to get them."""
    given = os.environ.get("PATTERNLAKE_DATA")
    if not given or not Path(given).is_dir():
        pytest.skip("PATTERNLAKE_DATA names no folder: set it to the foreign data sets to run this test")
    return Path(given)
