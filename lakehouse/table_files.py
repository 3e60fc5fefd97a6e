"""Files of a Delta table written by Python: workers write Parquet, the driver makes them the table's in one commit.

Rows that pass the door are columns in a Python worker already. Handing them to Spark only to have it write, read,
convert and write them again took ten times as long as the door itself. Commits are made by delta-rs, and whoever reads,
through Spark or not, finds an ordinary Delta table.
"""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.delta_log import is_table

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from deltalake import DeltaTable
    from pyspark.sql import SparkSession

PARTITION = "file_id"
"""Every table written this way has one partition a delivered file."""
WRITTEN_DDL = "layer STRING, file_id STRING, path STRING, size BIGINT, rows BIGINT"


@dataclass(frozen=True)
class Written:
    """A Parquet file that no commit names yet: its layer, the delivered file its rows are of, its path below the table."""

    layer: str
    file_id: str
    path: str
    size: int
    rows: int


@dataclass
class Begun:
    """A file being written."""

    path: str
    writer: pq.ParquetWriter
    rows: int = 0


@dataclass
class PartFiles:
    """Files being written of one part of a delivered file, one a layer; a layer without rows gets none.

    ``folders`` are the tables' folders by layer.
    """

    folders: Mapping[str, str]
    file_id: str
    begun: dict[str, Begun] = field(default_factory=dict)

    def write(self, layer: str, rows: pa.Table) -> None:
        """Add rows; what is the partition's stands in the path alone, as Delta has it."""
        if not rows.num_rows:
            return
        import pyarrow.parquet as pq

        rows = rows.drop_columns([PARTITION])
        if layer not in self.begun:
            path = f"{PARTITION}={self.file_id}/part-{uuid.uuid4()}.snappy.parquet"
            target = Path(self.folders[layer]) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            self.begun[layer] = Begun(path, pq.ParquetWriter(target, rows.schema, compression="snappy"))
        self.begun[layer].writer.write_table(rows)
        self.begun[layer].rows += rows.num_rows

    def finish(self) -> list[Written]:
        """Close all files and tell of them."""
        for each in self.begun.values():
            each.writer.close()
        return [
            Written(
                layer,
                self.file_id,
                each.path,
                (Path(self.folders[layer]) / each.path).stat().st_size,
                each.rows,
            )
            for layer, each in self.begun.items()
        ]

    def discard(self) -> None:
        """Take away what was begun."""
        for layer, each in self.begun.items():
            with suppress(Exception):
                each.writer.close()
            (Path(self.folders[layer]) / each.path).unlink(missing_ok=True)


@contextmanager
def part_files(folders: Mapping[str, str], file_id: str) -> Iterator[PartFiles]:
    """Files to write a part into; those of a part that fails are taken away."""
    files = PartFiles(folders, file_id)
    try:
        yield files
    except BaseException:
        files.discard()
        raise


def written_by_workers(
    spark: SparkSession, parts: int, write: Callable[[int], list[Written]]
) -> list[Written]:
    """Let workers write the files of every part, one task a part.

    What a task that died has left is named by no commit.
    """

    def work(numbers: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in numbers:
            for number in batch.column(0).to_pylist():
                if written := write(number):
                    yield pa.RecordBatch.from_pylist([asdict(each) for each in written])

    if not parts:
        return []
    rows = spark.range(0, parts, 1, parts).mapInArrow(work, WRITTEN_DDL).collect()
    return [Written(**row.asDict()) for row in rows]


def rows_by_file(written: Sequence[Written], layer: str) -> dict[str, int]:
    """Rows of a layer by delivered file."""
    rows: dict[str, int] = {}
    for each in written:
        if each.layer == layer:
            rows[each.file_id] = rows.get(each.file_id, 0) + each.rows
    return rows


def commit_files(
    path: Path, schema: pa.Schema, written: Sequence[Written], layer: str, file_ids: Sequence[str]
) -> None:
    """Make files of a layer the table's, in place of what it held of some delivered files.

    One atomic commit, and the same one however often it is repeated: what makes an ingest safe to kill. The log
    keeps no column's values, since a person's must be erasable.
    """
    from deltalake import PostCommitHookProperties
    from deltalake.transaction import AddAction, RemoveAction

    table = opened(path, schema)
    now = int(time.time() * 1000)
    added: list[AddAction | RemoveAction] = [
        AddAction(
            each.path, each.size, {PARTITION: each.file_id}, now, True, json.dumps({"numRecords": each.rows})
        )
        for each in written
        if each.layer == layer
    ]
    table.create_write_transaction(
        added,
        "overwrite",
        table.schema(),
        [PARTITION],
        partition_filters=[(PARTITION, "in", sorted(file_ids))],
        post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=False),
    )


def opened(path: Path, schema: pa.Schema) -> DeltaTable:
    """A table, made if it is not there, with every column of the schema.

    A writer killed before its first commit leaves the folder of a log, which is no table.
    """
    from deltalake import DeltaTable, Schema

    if not is_table(path):
        shutil.rmtree(path / "_delta_log", ignore_errors=True)
        path.mkdir(parents=True, exist_ok=True)
        return DeltaTable.create(
            path,
            schema,
            mode="ignore",
            partition_by=[PARTITION],
            configuration={"delta.dataSkippingStatsColumns": ""},
        )
    table = DeltaTable(path)
    known = {each.name for each in table.schema().fields}
    if new := [each for each in Schema.from_arrow(schema).fields if each.name not in known]:
        table.alter.add_columns(new)
    return table
