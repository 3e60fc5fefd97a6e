"""What every gold table is called, which columns it has and what they mean; and the only way to write one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, cast

from lakehouse.delta.log import actions, is_table, rows_in
from lakehouse.errors import DataError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from lakehouse.settings import Settings


def table_path(settings: Settings, name: str) -> Path:
    """Folder of a table: ``gold.timeline`` lies in ``<lake>/gold/timeline``.

    Raises :class:`DataError` where the name is not of the form ``layer.table``.
    """
    layer, _, table = name.partition(".")
    if not table or not (layer + table).replace("_", "").isalnum():
        raise DataError(
            f"'{name}' is not a table name.", "Names are layer.table.", "For example gold.timeline."
        )
    return settings.lake / layer / table


def rows_of_newest(path: Path) -> int:
    """Rows of a gold table's newest version, from what its last writing commit recorded; 0 where there is none.

    Reads the table's log alone, no data and no Spark: gold tables are always rewritten whole.
    """
    for commit in sorted((path / "_delta_log").glob("*.json"), reverse=True):
        told = list(actions(commit))
        if any(each.get("commitInfo", {}).get("operation") == "WRITE" for each in told):
            return rows_in(told)
    return 0


def read_version(spark: SparkSession, path: Path, version: int) -> DataFrame:
    """A Delta table pinned to one version."""
    return spark.read.format("delta").option("versionAsOf", version).load(str(path))


def latest_version(spark: SparkSession, path: Path) -> int:
    """Newest version of a Delta table. Raises :class:`DataError` where there is no table."""
    from delta.tables import DeltaTable

    row = DeltaTable.forPath(spark, str(path)).history(1).select("version").first()
    if row is None:
        raise DataError(f"{path} holds no Delta table.", "", "Run 'patternlake ingest' first.")
    return int(row[0])


def create_table(spark: SparkSession, path: Path, ddl: str, keep_statistics: tuple[str, ...] = ()) -> None:
    """Create an empty Delta table unless it is there: data starts at version 1.

    MLflow drops a Delta version 0, so no data may ever live in it. Column statistics are kept for the
    named columns alone, since the log keeps them for ever and a person's values must be erasable. Delta creates
    nothing where it finds the folder of a log, which a writer killed before its first commit leaves.
    """
    if is_table(path):
        return
    shutil.rmtree(path / "_delta_log", ignore_errors=True)
    from delta.tables import DeltaTable
    from pyspark.sql.types import StructType

    (
        DeltaTable.createIfNotExists(spark)
        .location(str(path))
        .addColumns(cast("StructType", StructType.fromDDL(ddl)))
        .property("delta.dataSkippingStatsColumns", ",".join(keep_statistics))
        .execute()
    )
