"""Silver: rows typed and coded; those that cannot be go to quarantine with a reason and a masked example."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lakehouse.bronze import replace_files
from lakehouse.convert import stored
from lakehouse.delta_log import added_rows_by_file
from lakehouse.direct_read import rows_of
from lakehouse.schema import Table, Type
from lakehouse.tables import table_path

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from lakehouse.settings import Settings


def silver_frame(rows: DataFrame, table: Table) -> DataFrame:
    """Good rows, typed."""
    columns = [
        f"{stored(field, table.decimal)} AS `{field.name}`"
        for field in table.fields
        if field.type is not Type.RESTRICTED
    ]
    columns += [f"CAST({sql} AS {type}) AS `{name}`" for name, (type, sql) in table.derived.items()]
    return rows.where("fault IS NULL").selectExpr("file_id", "row_number", "delivered", "remarks", *columns)


def quarantine_frame(rows: DataFrame, table: Table) -> DataFrame:
    """Bad rows: where they stand, why, and a masked example; the row itself stays in bronze."""
    return rows.where("fault IS NOT NULL").selectExpr(
        "file_id",
        f"'{table.name}' AS source_table",
        "row_number",
        "fault AS reason",
        "fault_example AS example",
    )


def write_silver(
    spark: SparkSession, settings: Settings, table: Table, rows_in_bronze: dict[str, int]
) -> tuple[dict[str, int], dict[str, int]]:
    """Write silver, and quarantine where a file lost rows on the way; returns rows of both by file.

    Quarantine is looked for on its own, by the opposite condition, so that the balance is a check and no
    subtraction.
    """
    file_ids = list(rows_in_bronze)
    rows = rows_of(spark, table_path(settings, table.bronze), file_id=file_ids)
    path = table_path(settings, table.silver)
    replace_files(silver_frame(rows, table), path, file_ids)
    silver = added_rows_by_file(path)
    lossy = [file_id for file_id, count in rows_in_bronze.items() if silver.get(file_id, 0) != count]
    if not lossy:
        return silver, {}
    target = table_path(settings, f"quarantine.{table.name}")
    replace_files(quarantine_frame(rows.where(rows["file_id"].isin(lossy)), table), target, lossy)
    return silver, added_rows_by_file(target)


def reasons_by_file(
    spark: SparkSession, settings: Settings, table: Table, file_ids: Sequence[str]
) -> dict[str, dict[str, int]]:
    """How many rows of each file went to quarantine for which reason."""
    if not file_ids:
        return {}
    frame = rows_of(spark, table_path(settings, f"quarantine.{table.name}"), file_id=file_ids)
    counts = frame.groupBy("file_id", "reason").count().collect()
    reasons: dict[str, dict[str, int]] = {}
    for row in sorted(counts, key=lambda each: (each["file_id"], each["reason"])):
        reasons.setdefault(row["file_id"], {})[row["reason"]] = int(row["count"])
    return reasons
