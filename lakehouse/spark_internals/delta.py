"""Delta's own view of a table: its newest version and its identity, told without a query."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class Snapshot(NamedTuple):
    """Newest state of a Delta table: its version (-1 where there is no table) and its id, kept through all versions."""

    version: int
    table_id: str


def newest_snapshot(spark: SparkSession, path: Path) -> Snapshot:
    """The newest state of the table in a folder, read from its log at this moment."""
    jvm: Any = spark.sparkContext._jvm
    log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, str(path))
    found = log.update(False, getattr(log, "update$default$2")(), getattr(log, "update$default$3")())
    return Snapshot(int(found.version()), str(found.metadata().id()))
