"""Carry a kernel over a study's timelines and add up what it counts; the only place that maps over Arrow batches.

A kernel sees plain arrays and knows no Spark; this module turns Arrow batches of ``gold.timeline`` into
:class:`Persons`, runs one counter a task, ships its counts back as bytes and merges them on the driver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from experiments.kernels.counts import Counts, pack, unpack
from experiments.kernels.persons import Persons, roll_up

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

COLUMNS = ("split", "sex", "birth_year", "code", "day", "setting")
"""Columns of ``gold.timeline`` that mining reads."""

LOCKED_FROM = 512
"""Persons whose ``split`` is at least this are the locked half."""

BLOCK = 32 << 20
"""Largest piece of an array in one shipped row, bytes: Arrow and the JVM both stay far from 2 GB."""

SHIPPED = pa.schema(
    [
        pa.field("task", pa.int32()),
        pa.field("array", pa.int32()),
        pa.field("block", pa.int32()),
        pa.field("name", pa.string()),
        pa.field("dtype", pa.string()),
        pa.field("shape", pa.list_(pa.int64())),
        pa.field("bytes", pa.binary()),
    ]
)
"""One row a block of one counted array. Spark wants the returned types to match it exactly."""

SHIPPED_DDL = "task INT, array INT, block INT, name STRING, dtype STRING, shape ARRAY<BIGINT>, bytes BINARY"

C = TypeVar("C", bound=Counts)


class Counter(Protocol):
    """What a kernel pass offers: feed it persons, ask for its counts."""

    def add(self, persons: Persons) -> None:
        """Count these persons."""

    def result(self) -> Any:
        """Everything counted so far."""


def persons_of(batch: pa.RecordBatch) -> Persons:
    """The arrays of one Arrow batch of timelines, without copying the lists."""
    codes, days, settings = (batch.column(batch.schema.get_field_index(name)) for name in ("code", "day", "setting"))
    split = np.asarray(batch.column(batch.schema.get_field_index("split")))
    return Persons(
        offsets=np.asarray(codes.offsets).astype(np.int64) - codes.offsets[0].as_py(),
        codes=np.asarray(codes.flatten()),
        days=np.asarray(days.flatten()),
        settings=np.asarray(settings.flatten()),
        sex=np.asarray(batch.column(batch.schema.get_field_index("sex"))),
        birth_year=np.asarray(batch.column(batch.schema.get_field_index("birth_year"))),
        half=(split >= LOCKED_FROM).astype(np.int8),
    )


def shipped(task: int, arrays: dict[str, np.ndarray]) -> Iterator[pa.RecordBatch]:
    """Counted arrays as Arrow rows, one block a batch."""
    for index, (name, dtype, shape, content) in enumerate(pack(arrays)):
        view = memoryview(content)
        for block, start in enumerate(range(0, max(len(view), 1), BLOCK)):
            values = [[task], [index], [block], [name], [dtype], [list(shape)], [bytes(view[start : start + BLOCK])]]
            columns = [pa.array(value, field.type) for value, field in zip(values, SHIPPED, strict=True)]
            yield pa.RecordBatch.from_arrays(columns, schema=SHIPPED)


def received(table: pa.Table) -> list[dict[str, np.ndarray]]:
    """The arrays of every task, put together again from their blocks."""
    tasks: dict[int, dict[int, tuple[str, str, tuple[int, ...], list[bytes]]]] = {}
    columns = [table.column(name) for name in ("task", "array", "name", "dtype", "shape")]
    order = np.lexsort([np.asarray(table.column(name)) for name in ("block", "array", "task")])
    content = table.column("bytes")
    for row in order:
        task, index, name, dtype, shape = (column[row].as_py() for column in columns)
        piece = tasks.setdefault(task, {}).setdefault(index, (name, dtype, tuple(shape), []))
        piece[3].append(content[row].as_buffer())
    return [
        unpack([(name, dtype, shape, b"".join(blocks)) for name, dtype, shape, blocks in pieces.values()])
        for pieces in tasks.values()
    ]


class OverSpark:
    """Runs counters over a frame of timelines.

    ``timeline`` holds the columns of :data:`COLUMNS`; ``code_map`` (int32, one entry a vocabulary code) says
    what each code is counted as, −1 to leave it out; ``watch`` shows progress while Spark works.
    """

    def __init__(
        self,
        timeline: DataFrame,
        code_map: np.ndarray,
        watch: Callable[[str], AbstractContextManager[Any]] = lambda step: nullcontext(),
    ) -> None:
        self._timeline = timeline.select(*COLUMNS)
        self._code_map = np.ascontiguousarray(code_map, dtype=np.int32)
        self._watch = watch

    def run(self, step: str, counts: type[C], make: Callable[..., Counter], **shared: Any) -> C:
        """One pass: ``make(**shared)`` gives each task its counter; the merged counts come back.

        ``make`` must be importable on the workers; ``shared`` is broadcast once.
        """
        context = self._timeline.sparkSession.sparkContext
        parcel = context.broadcast((self._code_map, make, shared))

        def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            from pyspark import TaskContext

            code_map, make_counter, arguments = parcel.value
            counter = make_counter(**arguments)
            for batch in batches:
                if batch.num_rows:
                    counter.add(roll_up(persons_of(batch), code_map))
            task = TaskContext.get()
            yield from shipped(task.partitionId() if task else 0, counter.result().to_arrays())

        try:
            with self._watch(step):
                table = self._timeline.mapInArrow(count, SHIPPED_DDL).toArrow()
        finally:
            parcel.destroy()
        return counts.merge([counts.from_arrays(arrays) for arrays in received(table)])


class InProcess:
    """Runs counters over persons in memory: the same passes without Spark, for tests, proofs and benchmarks."""

    def __init__(self, persons: Persons, pieces: int = 1) -> None:
        self._persons, self._pieces = persons, pieces

    def run(self, step: str, counts: type[C], make: Callable[..., Counter], **shared: Any) -> C:
        """As :meth:`OverSpark.run`, over ``pieces`` equal cuts of the persons."""
        cuts = np.linspace(0, len(self._persons.sex), self._pieces + 1).astype(int)
        parts = []
        for start, stop in zip(cuts[:-1], cuts[1:], strict=True):
            counter = make(**shared)
            counter.add(self._persons.cut(start, stop))
            parts.append(counter.result())
        return counts.merge(parts)
