"""Export folders: what Spark computed as plain Parquet files of an exact schema, whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.delivery.find import REAL
from lakehouse.delivery.register import lake_kind
from lakehouse.errors import DataError, PermissionRefused

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from lakehouse.settings import Settings


def require_open_lake(settings: Settings) -> None:
    """Refuse to copy rows of real persons out of a lake: that is what permits and the release desk are for.

    Raises :class:`PermissionRefused` for a real lake, :class:`DataError` where there is none.
    """
    if lake_kind(settings) == REAL:
        raise PermissionRefused(
            "The lake holds real persons, and an export is one row an event.",
            "Rows of persons leave a real lake only inside a study, under its permit.",
            "Name the study with --study: the export is then narrowed to its permit and stays in the study's folder.",
        )


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder that appears under its name when the block has ended well; :class:`DataError` where one is there."""
    if out.exists():
        raise DataError(f"{out} is there already.", "An export never overwrites.", "Name a new folder.")
    out.parent.mkdir(parents=True, exist_ok=True)
    building = out.with_name(f".{out.name}.building")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir()
    try:
        yield building
        building.replace(out)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def write_rows(
    frame: DataFrame, schema: pa.Schema, path: Path, shape: Callable[[pa.Table, int], pa.Table] | None = None
) -> int:
    """Write a frame as one Parquet file of the schema and return its rows, some at a time.

    ``shape`` may change each piece before it is cast, given how many rows came before it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    parts = path.with_name(f".{path.name}.parts")
    frame.write.mode("overwrite").parquet(str(parts))
    rows = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, schema) as writer:
        for part in sorted(parts.glob("*.parquet")):
            with pq.ParquetFile(part) as file:
                for batch in file.iter_batches(200_000):
                    piece = pa.Table.from_batches([batch])
                    piece = shape(piece, rows) if shape else piece
                    writer.write_table(fitted(piece, schema))
                    rows += piece.num_rows
    shutil.rmtree(parts)
    return rows


def fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of the schema in order, cast; those not there are empty. Raises where one may not be empty and is.

    Raises :class:`DataError` that names the column.
    """
    import pyarrow as pa

    there = set(table.column_names)
    arrays = []
    for each in schema:
        column = table[each.name] if each.name in there else pa.nulls(table.num_rows, each.type)
        if not each.nullable and column.null_count:
            raise DataError(f"Column {each.name} of an export may not be empty and is.", "", "Report this.")
        arrays.append(column.cast(each.type))
    return pa.table(arrays, schema=schema)
