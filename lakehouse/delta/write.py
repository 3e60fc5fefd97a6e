"""Files of a Delta table written by Python: workers write Parquet, the driver makes them the table's in one commit.

Rows that pass pseudonymisation are columns in a Python worker already. Handing them to Spark only to have it write, read,
convert and write them again took ten times as long as pseudonymisation itself. Commits are made by delta-rs, and whoever
reads, through Spark or not, finds an ordinary Delta table.
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

from lakehouse.delta.log import is_table

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from deltalake import DeltaTable
    from deltalake.transaction import AddAction, RemoveAction
    from pyspark.sql import DataFrame, SparkSession

PARTITION = "file_id"
"""What delivered rows are written to has one partition a delivered file; other tables have none."""
WRITTEN_DDL = "layer STRING, file_id STRING, path STRING, size BIGINT, rows BIGINT"


@dataclass(frozen=True)
class NewFile:
    """A Parquet file that no commit names yet: its layer, the delivered file its rows are of, its path below the table.

    ``file_id`` is empty where a table has no partitions.
    """

    layer: str
    file_id: str
    path: str
    size: int
    rows: int


@dataclass
class OpenFile:
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
    begun: dict[str, OpenFile] = field(default_factory=dict)

    def write(self, layer: str, rows: pa.Table) -> None:
        """Add rows; what is the partition's stands in the path alone, as Delta has it."""
        if not rows.num_rows:
            return
        import pyarrow.parquet as pq

        if self.file_id:
            rows = rows.drop_columns([PARTITION])
        if layer not in self.begun:
            path = f"part-{uuid.uuid4()}.snappy.parquet"
            if self.file_id:
                path = f"{PARTITION}={self.file_id}/{path}"
            target = Path(self.folders[layer]) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            self.begun[layer] = OpenFile(path, pq.ParquetWriter(target, rows.schema, compression="snappy"))
        self.begun[layer].writer.write_table(rows)
        self.begun[layer].rows += rows.num_rows

    def finish(self) -> list[NewFile]:
        """Close all files and tell of them."""
        for each in self.begun.values():
            each.writer.close()
        return [
            NewFile(
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
def part_files(folders: Mapping[str, str], file_id: str = "") -> Iterator[PartFiles]:
    """Files to write a part into; those of a part that fails are taken away."""
    files = PartFiles(folders, file_id)
    try:
        yield files
    except BaseException:
        files.discard()
        raise


def written_by_workers(
    spark: SparkSession, parts: int, write: Callable[[int], list[NewFile]]
) -> list[NewFile]:
    """Let workers write the files of every part, one task a part.

    What a task that died has left is named by no commit.
    """

    def work(numbers: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in numbers:
            for number in batch.column(0).to_pylist():
                if written := write(number):
                    yield _told(written)

    if not parts:
        return []
    return _collected(spark.range(0, parts, 1, parts).mapInArrow(work, WRITTEN_DDL))


def written_of_parts(frame: DataFrame, write: Callable[[pa.Table], list[NewFile]]) -> list[NewFile]:
    """Let workers write the files of every partition of a frame, each from all of its rows at once."""

    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        if (held := list(batches)) and (written := write(pa.Table.from_batches(held))):
            yield _told(written)

    return _collected(frame.mapInArrow(work, WRITTEN_DDL))


def _collected(told: DataFrame) -> list[NewFile]:
    return [NewFile(**row.asDict()) for row in told.collect()]


def _told(written: Sequence[NewFile]) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.RecordBatch.from_pylist([asdict(each) for each in written])


def rows_by_file(written: Sequence[NewFile], layer: str) -> dict[str, int]:
    """Rows of a layer by delivered file."""
    rows: dict[str, int] = {}
    for each in written:
        if each.layer == layer:
            rows[each.file_id] = rows.get(each.file_id, 0) + each.rows
    return rows


def commit_files(
    path: Path, schema: pa.Schema, written: Sequence[NewFile], layer: str, file_ids: Sequence[str]
) -> None:
    """Make files of a layer the table's, in place of what it held of some delivered files.

    One atomic commit, and the same one however often it is repeated: what makes an ingest safe to kill. The log
    keeps no column's values, since a person's must be erasable.
    """
    from deltalake import PostCommitHookProperties

    table = opened(path, schema)
    table.create_write_transaction(
        added(path, written, layer),
        "overwrite",
        table.schema(),
        [PARTITION],
        partition_filters=[(PARTITION, "in", sorted(file_ids))],
        post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=False),
    )


def commit_whole(
    path: Path, written: Sequence[NewFile], layer: str, note: str, keep_statistics: Sequence[str] = ()
) -> None:
    """Make files of a layer all that a table without partitions is, in one commit under a note.

    ``keep_statistics`` are the columns whose smallest and largest value in each file the log may keep.
    """
    from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties

    table = DeltaTable(path)
    table.create_write_transaction(
        added(path, written, layer, keep_statistics),
        "overwrite",
        table.schema(),
        commit_properties=CommitProperties(custom_metadata={"userMetadata": note}),
        post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=False),
    )


def added(
    path: Path, written: Sequence[NewFile], layer: str, keep_statistics: Sequence[str] = ()
) -> list[AddAction | RemoveAction]:
    """Files of a layer as a commit names them."""
    from deltalake.transaction import AddAction

    now = int(time.time() * 1000)
    return [
        AddAction(
            each.path,
            each.size,
            {PARTITION: each.file_id} if each.file_id else {},
            now,
            True,
            json.dumps({"numRecords": each.rows} | statistics(path / each.path, keep_statistics)),
        )
        for each in written
        if each.layer == layer
    ]


def statistics(file: Path, columns: Sequence[str]) -> dict[str, object]:
    """What a log says of some columns of a file: how far their values reach, from the file's footer."""
    import pyarrow.parquet as pq

    if not columns:
        return {}
    about = pq.read_metadata(file)
    groups = [about.row_group(at) for at in range(about.num_row_groups)]
    least, most, nulls = {}, {}, {}
    for at in range(about.num_columns):
        if (name := about.schema.column(at).path) in columns:
            spans = [group.column(at).statistics for group in groups]
            nulls[name] = sum(each.null_count for each in spans)
            if all(each.has_min_max for each in spans):
                least[name], most[name] = min(each.min for each in spans), max(each.max for each in spans)
    return {"minValues": least, "maxValues": most, "nullCount": nulls}


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
