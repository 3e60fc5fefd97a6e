"""Bronze: rows as delivered, in tokens, with file, row number and delivery date; one partition a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.chunks import file_digest
from lakehouse.codes import read_codelist
from lakehouse.delta_log import added_rows_by_file
from lakehouse.door import Door
from lakehouse.errors import DataError
from lakehouse.reading import Part
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


def bronze_frame(
    spark: SparkSession, settings: Settings, table: Table, files: Sequence[Surveyed], key_file: Path
) -> DataFrame:
    """Rows of new files of one table: one task a chunk, read by Python, tokens when they reach Spark."""
    parts = tuple(
        Part(
            chunk,
            file.found.name,
            file.columns,
            file.delivered.isoformat() if file.delivered else None,
            file.delivery.issuer,
            file.encoding,
        )
        for file in files
        for chunk in file.chunks
    )
    source, kind = files[0].found.source, files[0].delivery.kind
    known = known_pairs(settings, table)
    door = Door(table, source.identifier, str(key_file), parts, verbatim=kind != "real", known=known)
    if not parts:
        return spark.createDataFrame([], door.ddl)
    return spark.range(0, len(parts), 1, len(parts)).mapInPandas(door.frames(), door.ddl)


def replace_files(frame: DataFrame, path: Path, file_ids: Sequence[str]) -> None:
    """Write rows of some files into a table of one partition a file, in place of what it held of them.

    One atomic commit, and the same one however often it is repeated: what makes an ingest safe to kill.
    """
    listed = ", ".join(f"'{file_id}'" for file_id in sorted(file_ids))
    (
        frame.write.format("delta")
        .partitionBy("file_id")
        .mode("overwrite")
        .option("replaceWhere", f"file_id IN ({listed})")
        .option("delta.dataSkippingStatsColumns", "")
        .save(str(path))
    )


def write_bronze(
    spark: SparkSession, settings: Settings, table: Table, files: Sequence[Surveyed], key_file: Path
) -> dict[str, int]:
    """Write new files of one table and return rows by file; raises when a file changed while it was read."""
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
