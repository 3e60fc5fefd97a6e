"""Which rows of silver count after several deliveries: those that have not vanished, and one of each key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lakehouse.schema import Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def without_gone(rows: DataFrame, gone: DataFrame, lost: Sequence[str]) -> DataFrame:
    """Rows that no later delivery has tombstones for."""
    from pyspark.sql import functions

    tombs = gone.where(gone["file_id"].isin(list(lost))).selectExpr(
        "gone_file AS file_id", "gone_row AS row_number"
    )
    return rows.join(functions.broadcast(tombs), ["file_id", "row_number"], "left_anti")


def latest_of_key(rows: DataFrame, table: Table) -> DataFrame:
    """Of all rows of a key the one of the highest version, else of the latest delivery."""
    version = f"{table.version} DESC NULLS LAST, " if table.version else ""
    keys = ", ".join(f"`{name}`" for name in table.key)
    rank = (
        f"row_number() OVER (PARTITION BY {keys} ORDER BY {version}delivered DESC NULLS LAST, "
        f"{content_of(rows)}, file_id, row_number)"
    )
    return rows.selectExpr("*", f"{rank} AS _rank").where("_rank = 1").drop("_rank")


def content_of(rows: DataFrame) -> str:
    """SQL of a number that stands for what a row says, wherever it was read: what ties are broken by."""
    said = [f"`{name}`" for name in rows.columns if name not in ("file_id", "row_number", "delivered")]
    return f"xxhash64({', '.join(said)})"
