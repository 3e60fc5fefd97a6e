"""A generated region with every source and every trap: what was planted is found again, by the generator's books."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lakehouse.ingest import IngestSummary, ingest
from lakehouse.settings import Settings, load_settings
from lakehouse.synthetic import SynthSummary, synthesise
from lakehouse.tables import table_path

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.slow

PERSONS, SEED, RATE = 300, 20260, 0.04


@pytest.fixture(scope="module")
def region(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Settings, SynthSummary, IngestSummary]:
    """All sources with all traps, made and ingested once."""
    root = tmp_path_factory.mktemp("region")
    settings = load_settings(root / "home", "test")
    made = synthesise(
        spark, settings, root / "out", PERSONS, SEED, defects=RATE, years=(2017, 2021), sources="all"
    )
    return settings, made, ingest(spark, settings, made.delivery)


def test_every_source_balances_and_every_file_is_read(
    region: tuple[Settings, SynthSummary, IngestSummary],
) -> None:
    _, made, summary = region
    assert all(entry.balanced for entry in summary.files)
    delivered = {
        path.relative_to(made.delivery).as_posix() for path in made.delivery.rglob("*") if path.is_file()
    }
    assert {entry.name for entry in summary.files} >= {name for name in made.rows if made.rows[name]}
    assert delivered >= {entry.name for entry in summary.files}


def test_the_books_of_every_trap_agree_with_the_lake(
    spark: SparkSession, region: tuple[Settings, SynthSummary, IngestSummary]
) -> None:
    settings, made, _ = region
    book: dict[str, dict[str, Any]] = json.loads(Path(made.truth).read_text(encoding="utf-8"))["traps"]
    planned: dict[str, list[tuple[str, str, int]]] = {}
    for trap, kept in book.items():
        for each in kept["expected"]:
            planned.setdefault(each["table"], []).append((trap, each["where"], each["rows"]))
    wrong = []
    for table, checks in planned.items():
        path = table_path(settings, table)
        found = [0] * len(checks)
        if (path / "_delta_log").is_dir():
            sums = [f"count_if({where})" for _, where, _ in checks]
            row = spark.read.format("delta").load(str(path)).selectExpr(*sums).first()
            assert row is not None
            found = [int(value) for value in row]
        wrong += [
            (trap, table, where, f"booked {rows}, found {seen}")
            for (trap, where, rows), seen in zip(checks, found, strict=True)
            if rows != seen
        ]
    assert wrong == []
    assert [trap for trap, kept in book.items() if not kept["planted"]] == []
