"""One small lake for all tests of studies: ten persons, read by many and changed by none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lakehouse.settings import load_settings
from tests.support.small_lake import write_small_lake
from tests.support.study_lab import Lab

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def lab(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The ten persons' lake with the permit and study ``lab``."""
    settings = load_settings(tmp_path_factory.mktemp("study") / "home", "test")
    write_small_lake(spark, settings)
    made = Lab(spark, settings)
    made.permit("lab")
    return made
