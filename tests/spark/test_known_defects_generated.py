"""A generated region with every source and every known defect: what was planted is found again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lakehouse.delivery.find import all_sources
from lakehouse.delta.tables import table_path
from lakehouse.ingest.run import IngestSummary, ingest
from lakehouse.lake import Lake
from lakehouse.settings import Settings, load_settings
from lakehouse.synthetic import SynthSummary, synthesise
from tests.oracles.stored import silver_by_sql
from tests.support.frames import same_rows
from tests.support.planted_truth import compare_with_truth, unread

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.slow

PERSONS, SEED, RATE = 300, 20260, 0.04


@pytest.fixture(scope="module")
def region(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Settings, SynthSummary, IngestSummary]:
    """All sources with all known defects, made and ingested once."""
    root = tmp_path_factory.mktemp("region")
    settings = load_settings(root / "home", "test")
    made = synthesise(
        spark, settings, root / "out", PERSONS, SEED, defects=RATE, years=(2017, 2021), sources="all"
    )
    return settings, made, ingest(Lake(spark, settings), made.delivery)


def test_every_source_balances_and_every_file_is_read(
    region: tuple[Settings, SynthSummary, IngestSummary],
) -> None:
    _, made, summary = region
    assert all(entry.balanced for entry in summary.files)
    delivered = {
        path.relative_to(made.delivery).as_posix() for path in made.delivery.rglob("*") if path.is_file()
    }
    assert unread(made, summary) == set()
    assert delivered >= {entry.name for entry in summary.files}


def test_the_planted_truth_of_every_known_defect_agrees_with_the_lake(
    spark: SparkSession, region: tuple[Settings, SynthSummary, IngestSummary]
) -> None:
    settings, made, _ = region
    held = compare_with_truth(spark, settings, Path(made.truth))
    assert held.checks
    assert held.wrong == []
    assert held.missing == []


def test_silver_of_every_table_is_what_sql_makes_of_its_bronze(
    spark: SparkSession, region: tuple[Settings, SynthSummary, IngestSummary]
) -> None:
    settings, _, summary = region
    delivered = {entry.source_table for entry in summary.files if entry.rows_silver}
    tables = [
        table for source in all_sources()["danish"] for table in source.tables if table.name in delivered
    ]
    assert len(tables) > 40
    for table in tables:
        bronze, silver = (spark.read.format("delta").load(str(table_path(settings, name)))
                          for name in (table.bronze, table.silver))  # fmt: skip
        expected = silver_by_sql(bronze, table)
        assert silver.schema == expected.schema, table.name
        same_rows(silver, expected, table.name)
