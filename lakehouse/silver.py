"""Silver: rows typed and coded; those that cannot be go to quarantine with a reason and a masked example."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lakehouse.bronze import replace_files
from lakehouse.convert import converted, fault, raw, stored
from lakehouse.delta_log import added_rows_by_file
from lakehouse.schema import Table
from lakehouse.tables import table_path

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from lakehouse.settings import Settings

QUARANTINE = "file_id STRING, source_table STRING, row_number BIGINT, reason STRING, example STRING"


def reason_sql(table: Table) -> str:
    """SQL of the first reason why a bronze row may not enter silver; null for a good row."""
    faults = (fault(field, table.decimal) for field in table.fields)
    return f"coalesce(door_reason, {', '.join(each for each in faults if each)}, CAST(NULL AS STRING))"


def example_sql(table: Table) -> str:
    """SQL of what stood in the way: the door's shape, or the (scrubbed) text of the column that did not convert."""
    whens = [
        f"WHEN `{field.name}` IS NOT NULL AND {converted(field, table.decimal)} IS NULL "
        f"THEN concat('{field.name}=', left(`{field.name}`, 40))"
        for field in table.fields
        if fault(field, table.decimal) and raw(field)
    ]
    return f"coalesce(door_example, CASE {' '.join(whens)} END)" if whens else "door_example"


def bronze_rows(spark: SparkSession, settings: Settings, table: Table, file_ids: Sequence[str]) -> DataFrame:
    """Bronze rows of some files."""
    frame = spark.read.format("delta").load(str(table_path(settings, table.bronze)))
    return frame.where(frame["file_id"].isin(list(file_ids)))


def silver_frame(bronze: DataFrame, table: Table) -> DataFrame:
    """Good rows, typed."""
    columns = [f"{stored(field, table.decimal)} AS `{field.name}`" for field in table.fields]
    good = bronze.where(f"{reason_sql(table)} IS NULL")
    return good.selectExpr("file_id", "row_number", "delivered", *columns)


def quarantine_frame(bronze: DataFrame, table: Table) -> DataFrame:
    """Bad rows: where they stand, why, and a masked example; the row itself stays in bronze."""
    rows = bronze.selectExpr(
        "file_id",
        f"'{table.name}' AS source_table",
        "row_number",
        f"{reason_sql(table)} AS reason",
        f"{example_sql(table)} AS example",
    )
    return rows.where("reason IS NOT NULL")


def write_silver(
    spark: SparkSession, settings: Settings, table: Table, rows_in_bronze: dict[str, int]
) -> tuple[dict[str, int], dict[str, int]]:
    """Write silver, and quarantine where a file lost rows on the way; returns rows of both by file.

    Quarantine is looked for on its own, by the opposite condition, so that the balance is a check and no
    subtraction.
    """
    file_ids = list(rows_in_bronze)
    bronze = bronze_rows(spark, settings, table, file_ids)
    path = table_path(settings, table.silver)
    replace_files(silver_frame(bronze, table), path, file_ids)
    silver = added_rows_by_file(path)
    lossy = [file_id for file_id, rows in rows_in_bronze.items() if silver.get(file_id, 0) != rows]
    target = table_path(settings, f"quarantine.{table.name}")
    if not lossy:
        return silver, {}
    frame = quarantine_frame(bronze_rows(spark, settings, table, lossy), table)
    replace_files(frame, target, lossy)
    return silver, added_rows_by_file(target)


def reasons_by_file(
    spark: SparkSession, settings: Settings, table: Table, file_ids: Sequence[str]
) -> dict[str, dict[str, int]]:
    """How many rows of each file went to quarantine for which reason."""
    if not file_ids:
        return {}
    frame = spark.read.format("delta").load(str(table_path(settings, f"quarantine.{table.name}")))
    counts = frame.where(frame["file_id"].isin(list(file_ids))).groupBy("file_id", "reason").count().collect()
    reasons: dict[str, dict[str, int]] = {}
    for row in sorted(counts, key=lambda each: (each["file_id"], each["reason"])):
        reasons.setdefault(row["file_id"], {})[row["reason"]] = int(row["count"])
    return reasons
