"""Bronze: rows as delivered, in tokens, with file, row number and delivery date; one partition a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lakehouse.chunks import file_digest
from lakehouse.codes import read_codelist
from lakehouse.delta_log import added_rows_by_file, is_table
from lakehouse.direct_read import live_files
from lakehouse.door import Door
from lakehouse.errors import DataError
from lakehouse.reading import Part
from lakehouse.row_ids import Changes
from lakehouse.schema import Table
from lakehouse.survey import Surveyed
from lakehouse.tables import table_path

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from lakehouse.settings import Settings


def known_pairs(settings: Settings, table: Table) -> frozenset[tuple[str, str]]:
    """Pairs of the code list a table declares."""
    if table.known is None:
        return frozenset()
    return frozenset((row["code"], row["text"]) for row in read_codelist(settings, table.known.list))


def parts_of(file: Surveyed, changes: Changes) -> list[Part]:
    """The chunks of a file that hold fresh rows, with what is needed to read them."""
    parts = []
    whole = bool(changes.fresh.all())
    for chunk in file.chunks:
        fresh = np.flatnonzero(changes.fresh[chunk.first_row - 1 :][: chunk.rows]) + chunk.first_row
        if not len(fresh):
            continue
        inside = range(chunk.first_row, chunk.first_row + chunk.rows)
        parts.append(
            Part(
                chunk,
                file.found.name,
                file.columns,
                file.delivered.isoformat() if file.delivered else None,
                file.delivery.issuer,
                file.encoding,
                None if whole else tuple(fresh.tolist()),
                {row: first for row, first in changes.repeats.items() if row in inside},
            )
        )
    return parts


def bronze_frame(
    spark: SparkSession,
    settings: Settings,
    table: Table,
    files: Mapping[Surveyed, Changes],
    key_file: Path,
) -> DataFrame:
    """Fresh rows of new files of one table: one task a chunk, read by Python, tokens when they reach Spark."""
    parts = tuple(part for file, changes in files.items() for part in parts_of(file, changes))
    any_file = next(iter(files))
    source, kind = any_file.found.source, any_file.delivery.kind
    known = known_pairs(settings, table)
    door = Door(table, source.identifier, str(key_file), parts, verbatim=kind != "real", known=known)
    if not parts:
        return spark.createDataFrame([], door.ddl)
    return spark.range(0, len(parts), 1, len(parts)).mapInArrow(door.batches(), door.ddl)


GONE = "file_id STRING, gone_file STRING, gone_row BIGINT"
"""A tombstone: the file that no longer has a row, and where that row was first read."""


def write_gone(
    spark: SparkSession, settings: Settings, table: Table, files: Mapping[Surveyed, Changes]
) -> None:
    """Tombstones of the rows that new files no longer have; the rows themselves stay, for earlier deliveries."""
    rows = [(file.file_id, *gone) for file, changes in files.items() for gone in changes.gone]
    path = table_path(settings, f"gone.{table.name}")
    if rows or is_table(path):
        frame = spark.createDataFrame(rows, GONE).coalesce(1)
        replace_files(frame, path, [file.file_id for file in files])


def replace_files(frame: DataFrame, path: Path, file_ids: Sequence[str]) -> None:
    """Write rows of some files into a table of one partition a file, in place of what it held of them.

    One atomic commit, and the same one however often it is repeated: what makes an ingest safe to kill. Where the
    table holds nothing of them, which its log tells, rows are added: replacing nothing costs Delta a second.
    """
    write = frame.write.format("delta").partitionBy("file_id").option("delta.dataSkippingStatsColumns", "")
    if holds_none(path, file_ids):
        write.mode("append").save(str(path))
        return
    listed = ", ".join(f"'{file_id}'" for file_id in sorted(file_ids))
    write.mode("overwrite").option("replaceWhere", f"file_id IN ({listed})").save(str(path))


def holds_none(path: Path, file_ids: Sequence[str]) -> bool:
    """Whether a table certainly has no rows of these files."""
    if not is_table(path):
        return True
    live = live_files(path)
    return live is not None and not {each.get("file_id") for each in live.files.values()} & set(file_ids)


def write_bronze(
    spark: SparkSession,
    settings: Settings,
    table: Table,
    files: Mapping[Surveyed, Changes],
    key_file: Path,
) -> dict[str, int]:
    """Write fresh rows of new files of one table and return rows by file; raises when a file changed while it was read."""
    path = table_path(settings, table.bronze)
    replace_files(
        bronze_frame(spark, settings, table, files, key_file), path, [file.file_id for file in files]
    )
    for file in files:
        if file_digest(file.found.path) != file.sha256:
            raise DataError(
                f"{file.found.name} changed while it was read.",
                "",
                "Wait until it is complete and repeat the ingest.",
            )
    return added_rows_by_file(path)
