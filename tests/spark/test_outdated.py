"""Rows that do not count are found once, and are the rows that reading with the whole rule leaves out."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lakehouse.declarations.schema import Table
from lakehouse.delivery.register import entries
from lakehouse.delta.tables import table_path
from lakehouse.gold.build import state_at
from lakehouse.gold.current_silver import (
    OUTDATED,
    CurrentFiles,
    behind,
    hashes_twice,
    key_hash,
    latest_of_key,
    silver_rows,
    with_outdated,
    without_rows,
)
from lakehouse.ingest.run import ingest
from lakehouse.lake import Lake
from lakehouse.settings import Settings, load_settings
from tests.support.deliveries import ANNA, BENT, write_delivery, write_file
from tests.support.frames import same_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SCHEMA = "file_id STRING, row_number BIGINT, delivered STRING, id STRING, part INT, version INT, said STRING"


def some_rows(spark: SparkSession, numbers: random.Random) -> DataFrame:
    """Rows of few keys, with parts of keys, versions and days missing, and equal rows among them."""
    rows = [
        (
            numbers.choice("fgh"),
            at,
            numbers.choice([None, "2024-01-01", "2024-02-01"]),
            numbers.choice([None, "", *(str(number) for number in range(60))]),
            numbers.choice([None, 0, 1]),
            numbers.choice([None, 1, 2, 3]),
            numbers.choice("xy"),
        )
        for at in range(numbers.randrange(1, 300))
    ]
    return spark.createDataFrame(rows, SCHEMA)


@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize("version", ["", "version"])
def test_rows_behind__are_those_the_latest_leave_out(spark: SparkSession, few: bool, version: str) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    rows = some_rows(spark, random.Random(seed))
    table = Table("made", "made.csv", (), key=("id", "part"), version=version)
    left = without_rows(rows, behind(rows, table, few), few).select(*rows.columns)
    same_rows(left, latest_of_key(rows, table).select(*rows.columns), f"seed {seed}")
    of_key: dict[tuple[str | None, int | None], int] = {}
    for row in rows.collect():
        of_key[row["id"], row["part"]] = of_key.get((row["id"], row["part"]), 0) + 1
    at_most = sum(count > 1 for count in of_key.values())
    found = hashes_twice({"made": rows.selectExpr(f"{key_hash(table)} AS hash")}).get("made", 0)
    assert bool(found) == bool(at_most), seed
    assert found <= at_most, seed


def test_silver_read_either_way_is_the_same(spark: SparkSession, tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "home", "test")
    dod, fmk = "dod/dodsaars.csv", "fmk/laegemiddelordination_2020.csv"
    header = "drugmedicationidentifier;version;cpr;status;starttidspunkt;sluttidspunkt;atc"
    orders = [f"{number};1;{ANNA};ACTIVE;2020-01-07 08:00;;C09AA02" for number in range(8)]
    first = {dod: [f"{ANNA};2020-01-05;C10", f"{BENT};2020-01-06;I21"]}
    write_file(write_delivery(tmp_path / "a", first, delivered="2025-01-15"), fmk, orders, header)
    ingest(Lake(spark, settings), tmp_path / "a")
    compare(spark, settings)
    orders = [*orders[2:], orders[3].replace(";1;", ";2;"), orders[4].replace("ACTIVE", "STOPPED")]
    later = {dod: [f"{ANNA};2020-01-09;C10"]}
    write_file(write_delivery(tmp_path / "b", later, delivered="2025-02-15"), fmk, orders, header)
    ingest(Lake(spark, settings), tmp_path / "b")
    state = compare(spark, settings)
    assert state.outdated == {"dod_deaths": 2, "fmk_medications": 4}
    rows = spark.read.format("delta").load(str(table_path(settings, OUTDATED)))
    assert rows.count() == sum(state.outdated.values()) == rows.distinct().count()


def compare(spark: SparkSession, settings: Settings) -> CurrentFiles:
    """Hold every table of silver, as gold reads it, against the same by the whole rule."""
    slow, _ = state_at(entries(Lake(spark, settings)))
    fast = with_outdated(Lake(spark, settings), slow)
    for _, table in slow.tables():
        by_rule = silver_rows(Lake(spark, settings), slow, table)
        found = silver_rows(Lake(spark, settings), fast, table).select(*by_rule.columns)
        same_rows(found, by_rule, table.name)
    return fast
