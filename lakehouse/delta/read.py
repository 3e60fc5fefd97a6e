"""Tables of the platform's own, read as the Parquet files their log names: what an ingest reads a hundred times.

Delta's reader asks Spark for the list of files once for every table of every query; for small tables that takes
longer than the query. An ingest holds the lake's only writer, so the newest version is the one to read, and its log is
a few lines of text. Studies read through Delta, pinned to versions.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from lakehouse.delta.log import actions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

UNDERSTOOD = {"timestampNtz", "appendOnly", "invariants"}
"""Table features under which a version is its files as they lie, each read whole."""
GLOB = set("*?[]{}\\")
"""Letters of a path that Spark's plain reader takes for a pattern."""


class TableFiles(NamedTuple):
    """A table's newest version: its schema (Delta's JSON) and its files with their partition's values."""

    schema: dict[str, Any]
    partitioned: tuple[str, ...]
    files: dict[str, dict[str, str | None]]


def rows_of(spark: SparkSession, table: Path, **within: Collection[str]) -> DataFrame:
    """All rows of a table's newest version; ``within`` keeps files of some partitions alone (``file_id=[…]``).

    A table whose log says something unusual is read through Delta.
    """
    from pyspark.sql.types import StructType

    live = live_files(table)
    if live is None or not set(within) <= set(live.partitioned) or GLOB & set(str(table)):
        frame = spark.read.format("delta").load(str(table))
        for name, values in within.items():
            frame = frame.where(frame[name].isin(list(values)))
        return frame
    schema = StructType.fromJson(live.schema)
    files = [str(path) for path in files_within(table, live, **within)]
    if not files:
        return spark.createDataFrame([], schema)
    frame = spark.read.schema(schema).option("basePath", str(table)).parquet(*files)
    return frame.select(*schema.fieldNames())


def files_within(table: Path, live: TableFiles, **within: Collection[str]) -> list[Path]:
    """The files of a version whose partitions have these values."""
    return [
        table / unquote(path)
        for path, values in live.files.items()
        if all(values.get(name) in wanted for name, wanted in within.items())
    ]


def schema_of(spark: SparkSession, table: Path) -> StructType:
    """Columns of a table's newest version; no file is looked at."""
    from pyspark.sql.types import StructType

    live = live_files(table)
    return (
        spark.read.format("delta").load(str(table)).schema
        if live is None
        else StructType.fromJson(live.schema)
    )


def all_files_there(table: Path, version: int) -> bool:
    """Whether every file of a version still lies there, by a log that tells of all of it."""
    live = live_files(table, version)
    return live is not None and all((table / unquote(path)).is_file() for path in live.files)


def live_files(table: Path, version: int | None = None) -> TableFiles | None:
    """What a version (None: the newest) is made of; None where its log holds what this module does not understand."""
    log = table / "_delta_log"
    said: dict[str, Any] = {}
    files: dict[str, dict[str, str | None]] = {}
    start = -1
    if (log / "_last_checkpoint").is_file():
        import pyarrow.parquet as pq

        last = int(json.loads((log / "_last_checkpoint").read_text(encoding="utf-8"))["version"])
        if version is None or last <= version:
            start = last
            checkpoint = log / f"{start:020d}.checkpoint.parquet"
            if not checkpoint.is_file():
                return None
            for row in pq.read_table(checkpoint, columns=["add", "metaData", "protocol"]).to_pylist():
                if not _apply({name: given for name, given in row.items() if given is not None}, said, files):
                    return None
    told = start
    for commit in sorted(
        path for path in log.glob("*.json") if path.stem.isdigit() and int(path.stem) > start
    ):
        if told == version:
            break
        told += 1
        if int(commit.stem) != told or not all(_apply(each, said, files) for each in actions(commit)):
            return None
    if "schema" not in said or version not in (None, told):
        return None
    return TableFiles(said["schema"], said["partitioned"], files)


def _apply(action: dict[str, Any], said: dict[str, Any], files: dict[str, dict[str, str | None]]) -> bool:
    """Take one action in; False when it is of a kind that files alone do not show."""
    if add := action.get("add"):
        if add.get("deletionVector") or "://" in add["path"] or add["path"].startswith("/"):
            return False
        files[add["path"]] = dict(add.get("partitionValues") or {})
    if remove := action.get("remove"):
        files.pop(remove["path"], None)
    if about := action.get("metaData"):
        if dict(about.get("configuration") or {}).get("delta.columnMapping.mode", "none") != "none":
            return False
        said["schema"] = json.loads(about["schemaString"])
        said["partitioned"] = tuple(about.get("partitionColumns") or ())
    features = set((action.get("protocol") or {}).get("readerFeatures") or ())
    return features <= UNDERSTOOD
