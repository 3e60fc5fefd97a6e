"""A lake of many deliveries holds in gold what a lake of the last one holds; every delivery can be travelled back to."""

from __future__ import annotations

import datetime
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lakehouse.delivery.register import entries
from lakehouse.gold.build import state_at
from lakehouse.gold.current_silver import silver_rows
from lakehouse.identity.pseudonyms import root_key_file
from lakehouse.ingest.run import ingest
from lakehouse.lake import Lake
from lakehouse.settings import load_settings
from tests.support.deliveries import ANNA, BENT, write_delivery, write_file
from tests.support.redeliveries import deliveries, gold_content

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def compare_with_last_alone(spark: SparkSession, root: Path, seed: int, count: int) -> None:
    """Ingest a sequence into one lake and its last delivery into another, and hold their gold together."""
    numbers = random.Random(seed)
    many, last = load_settings(root / "many", "test"), load_settings(root / "last", "test")
    shutil.copy(root_key_file(many, create=True), root_key_file(last, create=True))
    folder = None
    for folder in deliveries(root / "out", numbers, count):
        summary = ingest(Lake(spark, many), folder)
        for entry in summary.files:
            assert entry.balanced
    assert folder is not None
    ingest(Lake(spark, last), folder)
    found, expected = gold_content(many.lake), gold_content(last.lake)
    for name in sorted(found.keys() | expected.keys()):
        assert found.get(name) == expected.get(name), f"{name} differs (seed {seed})"


@pytest.mark.slow
def test_a_lake_of_many_deliveries_equals_one_of_the_last(spark: SparkSession, tmp_path: Path) -> None:
    compare_with_last_alone(spark, tmp_path, random.SystemRandom().randrange(1 << 32), 3)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(5))
def test_random_sequences_of_deliveries(spark: SparkSession, tmp_path: Path, part: int) -> None:
    compare_with_last_alone(spark, tmp_path, random.SystemRandom().randrange(1 << 32), 6)


def test_only_what_differs_is_read_and_each_delivery_can_be_seen_again(
    spark: SparkSession, tmp_path: Path
) -> None:
    settings = load_settings(tmp_path / "home", "test")
    name = "dod/dodsaars.csv"
    lines = [f"{ANNA};2020-01-{day:02d};C{day:02d}" for day in range(1, 21)]
    ingest(Lake(spark, settings), write_delivery(tmp_path / "a", {name: lines}, delivered="2025-01-15"))
    later = [*lines[5:], f"{BENT};2020-01-01;I21", "spoiled"]
    write_delivery(tmp_path / "b", {}, delivered="2025-02-15")
    write_file(tmp_path / "b" / "december_2024", name, ["overtaken"])
    (second,) = ingest(
        Lake(spark, settings), write_delivery(tmp_path / "c", {name: later}, delivered="2025-02-15")
    ).files
    assert (second.rows_in, second.rows_kept, second.rows_gone) == (17, 15, 5)
    assert (second.rows_bronze, second.rows_silver, second.rows_quarantine) == (2, 1, 1)
    (late,) = ingest(Lake(spark, settings), tmp_path / "b").files
    assert (late.after, late.rows_bronze, late.delivered) == ("", 1, datetime.date(2024, 12, 31))
    table = next(
        table
        for _, table in state_at(entries(Lake(spark, settings)))[0].tables()
        if table.name == "dod_deaths"
    )
    seen = {}
    for day in (datetime.date(2025, 1, 20), datetime.date(2025, 2, 20)):
        state, _ = state_at(entries(Lake(spark, settings)), day)
        seen[day.month] = {row["cause"] for row in silver_rows(Lake(spark, settings), state, table).collect()}
    assert seen[1] == {line[-3:] for line in lines}
    assert seen[2] == {line[-3:] for line in lines[5:]} | {"I21"}


def test_a_file_that_goes_back_to_what_it_was_is_news(spark: SparkSession, tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "home", "test")
    name, one, two = "dod/dodsaars.csv", [f"{ANNA};2020-01-01;C10"], [f"{ANNA};2020-01-02;C10"]
    folders = [
        write_delivery(tmp_path / str(month), {name: lines}, delivered=f"2025-0{month}-15")
        for month, lines in enumerate((one, two, one), 1)
    ]
    for folder in folders:
        ingest(Lake(spark, settings), folder)
    for folder in folders:
        assert ingest(Lake(spark, settings), folder).new == ()
    person = spark.read.format("delta").load(str(settings.lake / "gold" / "person"))
    assert [row["death_date"] for row in person.collect()] == [datetime.date(2020, 1, 1)]
