"""Reading a table's files as its log names them gives the rows that Delta gives, whatever was done to the table."""

from __future__ import annotations

import json
import random
import secrets
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from lakehouse.delta.log import newest_version
from lakehouse.delta.read import live_files, rows_of
from tests.support.frames import same_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SEED = secrets.randbits(40)
DDL = "file_id STRING, row_number BIGINT, moment TIMESTAMP_NTZ, code STRING"


def frame(spark: SparkSession, numbers: random.Random, file_ids: list[str]) -> DataFrame:
    rows = [
        (file_id, numbers.randrange(9), None, numbers.choice(["A", "æ", None]))
        for file_id in file_ids
        for _ in range(3)
    ]
    return spark.createDataFrame(rows, DDL).coalesce(1)


def same(spark: SparkSession, path: Path) -> None:
    """Rows, schema, and rows of one partition are those Delta reads."""
    mine, delta = rows_of(spark, path), spark.read.format("delta").load(str(path))
    assert mine.dtypes == delta.dtypes
    same_rows(mine, delta)
    same_rows(rows_of(spark, path, file_id=["0012", "a=b c"]), delta.where("file_id IN ('0012', 'a=b c')"))


def test_after_any_writes__the_rows_are_delta_s(spark: SparkSession, tmp_path: Path) -> None:
    from delta.tables import DeltaTable

    numbers, path = random.Random(SEED), tmp_path / "table"
    names = ["0012", "f2", "a=b c", "1e5", "2020-01-01"]
    frame(spark, numbers, names).write.format("delta").partitionBy("file_id").save(str(path))
    for step in range(14):
        some = numbers.sample(names, 2)
        kind = numbers.choice(["append", "replace", "delete", "wider", "optimise"])
        if kind == "append":
            frame(spark, numbers, some).write.format("delta").mode("append").save(str(path))
        elif kind == "replace":
            listed = ", ".join(f"'{name}'" for name in some)
            writer = frame(spark, numbers, some).write.format("delta").mode("overwrite")
            writer.option("replaceWhere", f"file_id IN ({listed})").save(str(path))
        elif kind == "delete":
            DeltaTable.forPath(spark, str(path)).delete(
                f"file_id = '{some[0]}' AND row_number < {numbers.randrange(9)}"
            )
        elif kind == "wider":
            wider = frame(spark, numbers, some).selectExpr("*", f"row_number AS more_{step}")
            wider.write.format("delta").mode("append").option("mergeSchema", "true").save(str(path))
        else:
            DeltaTable.forPath(spark, str(path)).optimize().executeCompaction()
        if step in (3, 13):
            same(spark, path)
    while not (
        path / "_delta_log" / "_last_checkpoint"
    ).is_file():  # steps that changed nothing left no commit
        frame(spark, numbers, names[:1]).write.format("delta").mode("append").save(str(path))
    same(spark, path)
    for version in range(newest_version(path) + 1):
        then, told = (
            spark.read.format("delta").option("versionAsOf", version).load(str(path)),
            live_files(path, version),
        )
        assert told is not None
        assert {unquote(name).rpartition("/")[2] for name in told.files} == {
            unquote(name).rpartition("/")[2] for name in then.inputFiles()
        }
    assert live_files(path, newest_version(path) + 1) is None
    assert live_files(path) is not None
    spark.createDataFrame([], DDL).write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(
        str(path)
    )  # fmt: skip
    same(spark, path)


def test_what_files_alone_do_not_show__is_read_through_delta(spark: SparkSession, tmp_path: Path) -> None:
    from delta.tables import DeltaTable

    numbers = random.Random(SEED)
    for name, properties in {
        "marked": {"delta.enableDeletionVectors": "true"},
        "renamed": {"delta.columnMapping.mode": "name"},
    }.items():
        path = tmp_path / name
        writer = frame(spark, numbers, ["0012", "f2"]).write.format("delta").partitionBy("file_id")
        writer.options(**properties).save(str(path))
        DeltaTable.forPath(spark, str(path)).delete("row_number < 5")
        assert live_files(path) is None
        same(spark, path)
    odd = tmp_path / "a [b] {c}"
    frame(spark, numbers, ["0012"]).write.format("delta").partitionBy("file_id").save(str(odd))
    same(spark, odd)


def test_a_log_with_a_gap_or_no_checkpoint_where_it_says__is_not_guessed_at(
    spark: SparkSession, tmp_path: Path
) -> None:
    path = tmp_path / "table"
    for _ in range(3):
        frame(spark, random.Random(SEED), ["f"]).write.format("delta").mode("append").save(str(path))
    log = path / "_delta_log"
    (log / f"{1:020d}.json").rename(log / "aside")
    assert live_files(path) is None
    (log / "aside").rename(log / f"{1:020d}.json")
    assert live_files(path) is not None
    (log / "_last_checkpoint").write_text(json.dumps({"version": 2, "size": 3}))
    assert live_files(path) is None


def test_no_table__is_delta_s_own_error(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"(?i)delta|path"):
        rows_of(spark, tmp_path / "nothing").collect()
