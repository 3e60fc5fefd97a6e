"""Which rows of silver count after several deliveries: those that have not vanished, and one of each key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lakehouse.schema import Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def tombstones(gone: DataFrame, lost: Sequence[str]) -> DataFrame:
    """File and number of the rows that the deliveries ``lost`` no longer had."""
    return gone.where(gone["file_id"].isin(list(lost))).selectExpr(
        "gone_file AS file_id", "gone_row AS row_number"
    )


def without_rows(rows: DataFrame, out: DataFrame, few: bool) -> DataFrame:
    """Rows but those named by file and number; ``few`` of them are sent to every executor."""
    from pyspark.sql import functions

    return rows.join(functions.broadcast(out) if few else out, ["file_id", "row_number"], "left_anti")


def latest_of_key(rows: DataFrame, table: Table) -> DataFrame:
    """Of all rows of a key the one of the highest version, else of the latest delivery."""
    return rows.selectExpr("*", f"{rank_of(rows, table)} AS _rank").where("_rank = 1").drop("_rank")


def behind(rows: DataFrame, table: Table, few: bool) -> DataFrame:
    """File and number of the rows that ``latest_of_key`` leaves out; ``few`` keys have more than one row."""
    from pyspark.sql import functions

    hashed = rows.selectExpr("*", f"{key_hash(table)} AS _hash")
    twice = hashed.groupBy("_hash").count().where("count > 1").select("_hash")
    some = hashed.join(functions.broadcast(twice) if few else twice, "_hash", "left_semi")
    ranked = some.selectExpr("file_id", "row_number", f"{rank_of(rows, table)} AS _rank")
    return ranked.where("_rank > 1").drop("_rank")


def rank_of(rows: DataFrame, table: Table) -> str:
    """SQL of a row's place among those of its key, the one that counts first."""
    version = f"{table.version} DESC NULLS LAST, " if table.version else ""
    keys = ", ".join(f"`{name}`" for name in table.key)
    return (
        f"row_number() OVER (PARTITION BY {keys} ORDER BY {version}delivered DESC NULLS LAST, "
        f"{content_of(rows)}, file_id, row_number)"
    )


def key_hash(table: Table) -> str:
    """SQL of a number that rows of one key share; two keys may share one too, which costs time alone."""
    return f"xxhash64({', '.join(f'`{name}`' for name in table.key)})"


def content_of(rows: DataFrame) -> str:
    """SQL of a number that stands for what a row says, wherever it was read: what ties are broken by."""
    said = [f"`{name}`" for name in rows.columns if name not in ("file_id", "row_number", "delivered")]
    return f"xxhash64({', '.join(said)})"
