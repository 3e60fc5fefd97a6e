"""Run kernels over a study's timelines on Spark's executors, add up the counts; the one place that maps over Arrow batches.

A kernel sees plain arrays and knows no Spark; this module turns Arrow batches of ``gold.timeline`` into
:class:`Persons`, runs one counting pass a task, ships its counts back as bytes and merges them on the driver.
"""

from __future__ import annotations

import mmap
import pickle
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.execution.held_persons import HeldPersons
from experiments.execution.shared_memory import SharedMemory
from experiments.kernels.packing import PackedArray, pack, unpack
from experiments.kernels.passes import CountingPass, Counts
from experiments.kernels.persons import Persons, roll_up

if TYPE_CHECKING:
    from pyspark import SparkContext
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
        pa.field("layout", pa.string()),
        pa.field("content", pa.binary()),
    ]
)
"""One row a block of one counted array. Spark wants the returned types to match it exactly."""

SHARED = "shared "
"""Before the layout of an array whose content is the path of a file in shared memory."""

SHIPPED_DDL = "task INT, array INT, block INT, name STRING, dtype STRING, shape ARRAY<BIGINT>, layout STRING, content BINARY"

Watch = Callable[[str], AbstractContextManager[Any]]
"""Given the name of a step, a context that shows it while it runs."""


def persons_of(batch: pa.RecordBatch) -> Persons:
    """The arrays of one Arrow batch of timelines, the lists without a copy."""
    column = {name: batch.column(batch.schema.get_field_index(name)) for name in COLUMNS}
    offsets = np.asarray(column["code"].offsets).astype(np.int64)
    return Persons(
        offsets=offsets - offsets[0],
        codes=np.asarray(column["code"].flatten()),
        days=np.asarray(column["day"].flatten()),
        settings=np.asarray(column["setting"].flatten()),
        sex=np.asarray(column["sex"]),
        birth_year=np.asarray(column["birth_year"]),
        half=(np.asarray(column["split"]) >= LOCKED_FROM).astype(np.int8),
    )


def shipped(
    task: int, arrays: Mapping[str, NDArray[np.generic]], memory: SharedMemory | None = None
) -> Iterator[pa.RecordBatch]:
    """Counted arrays as Arrow rows, one block a batch; of those in shared memory the rows say only where.

    Arrays may have any shape and type; blocks are of at most :data:`BLOCK` bytes.
    """
    for index, part in enumerate(pack(arrays)):
        if memory and part.content and (path := memory.put(f"{task}-{index}", [part.content])):
            part = part._replace(layout=SHARED + part.layout, content=str(path).encode())
        view = memoryview(part.content)
        for block, start in enumerate(range(0, max(len(view), 1), BLOCK)):
            row = (task, index, block, *part[:2], list(part.shape), part.layout, view[start : start + BLOCK])
            columns = [pa.array([value], field.type) for value, field in zip(row, SHIPPED, strict=True)]
            yield pa.RecordBatch.from_arrays(columns, schema=SHIPPED)


def received(table: pa.Table) -> list[list[PackedArray]]:
    """The arrays of every task, put together again from their blocks and packed as they were."""
    tasks: dict[int, dict[int, tuple[PackedArray, list[Any]]]] = {}
    order = np.lexsort([np.asarray(table.column(name)) for name in ("block", "array", "task")])
    facts = table.drop_columns("content").to_pylist()
    for row in order:
        fact = facts[row]
        packed = PackedArray(fact["name"], fact["dtype"], tuple(fact["shape"]), fact["layout"], b"")
        _, blocks = tasks.setdefault(fact["task"], {}).setdefault(fact["array"], (packed, []))
        blocks.append(table.column("content")[int(row)].as_buffer())
    return [
        [_whole(packed, b"".join(blocks)) for packed, blocks in arrays.values()] for arrays in tasks.values()
    ]


def _whole(packed: PackedArray, content: bytes) -> PackedArray:
    """An array with its content, fetched from shared memory where it lies there."""
    if not packed.layout.startswith(SHARED):
        return packed._replace(content=content)
    with Path(content.decode()).open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return packed._replace(layout=packed.layout.removeprefix(SHARED), content=memoryview(mapped))


_ALIGNED = 64


class SharedArguments(NamedTuple):
    """What a broadcast is elsewhere: arguments that every worker sees in one and the same memory."""

    path: Path

    @classmethod
    def put(cls, memory: SharedMemory, content: Any) -> SharedArguments | None:
        """Lay arguments down with their arrays apart, so that whoever opens them copies none; None without room."""
        buffers: list[pickle.PickleBuffer] = []
        head = pickle.dumps(content, protocol=5, buffer_callback=buffers.append)
        pieces = [memoryview(head), *(buffer.raw() for buffer in buffers)]
        sizes = np.array([len(pieces), *(piece.nbytes for piece in pieces)], np.int64)
        path = memory.put("parcel", [part for piece in (sizes.data, *pieces) for part in _padded(piece)])
        return cls(path) if path else None

    def open(self) -> Any:
        """The arguments. Pages are private: whoever writes into an array changes no one else's."""
        with self.path.open("rb") as file:
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
        count = int(np.frombuffer(mapped, np.int64, 1)[0])
        sizes = np.frombuffer(mapped, np.int64, count, 8).tolist()
        pieces, start = [], _room(8 * (count + 1))
        for size in sizes:
            pieces.append(mapped[start : start + size])
            start += _room(size)
        return pickle.loads(pieces[0], buffers=pieces[1:])

    def destroy(self) -> None:
        """Nothing: the folder is removed as a whole."""


class Broadcast(NamedTuple):
    """Arguments as a broadcast."""

    broadcast: Any

    @classmethod
    def put(cls, context: SparkContext, content: Any) -> Broadcast:
        """As one bytes object: an encrypted broadcast cannot take the buffers that pickled arrays come in."""
        return cls(context.broadcast(pickle.dumps(content, protocol=5)))

    def open(self) -> Any:
        """The arguments."""
        return pickle.loads(self.broadcast.value)

    def destroy(self) -> None:
        """Take the broadcast back."""
        self.broadcast.destroy()


def _room(size: int) -> int:
    """Bytes that so many take when what follows is to lie aligned."""
    return -(-size // _ALIGNED) * _ALIGNED


def _padded(piece: memoryview) -> tuple[memoryview, bytes]:
    return piece, bytes(_room(piece.nbytes) - piece.nbytes)


class Parcel(NamedTuple):
    """Counts on their way to the workers."""

    kind: Any
    arrays: list[PackedArray]


def parcelled(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a pass with counts packed: a reference of a gigabyte travels as a tenth of that."""
    return {
        name: Parcel(type(value), pack(value.to_arrays())) if isinstance(value, Counts) else value
        for name, value in arguments.items()
    }


def unparcelled(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What :func:`parcelled` was given."""
    return {
        name: value.kind.from_arrays(unpack(value.arrays)) if isinstance(value, Parcel) else value
        for name, value in arguments.items()
    }


class OverSpark:
    """Runs counting passes over a frame of timelines: call it with a pass's class and arguments.

    ``timeline`` holds the columns of :data:`COLUMNS`; ``code_map`` (int32, one entry a vocabulary code) says
    what each code is counted as, −1 to leave it out; ``watch`` shows progress while Spark works. On one machine the
    first pass holds the persons in memory for those that follow, unless told not to ``hold``; they are released with the
    object.
    """

    def __init__(
        self,
        timeline: DataFrame,
        code_map: NDArray[np.int32],
        watch: Watch = lambda step: nullcontext(),
        *,
        hold: bool = True,
    ) -> None:
        self._timeline = timeline.select(*COLUMNS)
        self.code_map = np.ascontiguousarray(code_map, dtype=np.int32)
        self.watch = watch
        self._tasks: int | None = None
        memory = SharedMemory.of(timeline.sparkSession.sparkContext) if hold else None
        self._held = HeldPersons(memory) if memory else None
        if memory:
            weakref.finalize(self, memory.close)

    @property
    def holds(self) -> Path | None:
        """Where the persons are held; None where every pass reads them."""
        return self._held.memory.folder if self._held and self._tasks is not None else None

    def _keep(self, held: HeldPersons, tasks: int) -> int | None:
        """How many partitions are held after the first pass; what is held in part is given back."""
        if held.whole(tasks):
            return tasks
        held.memory.close()
        self._held = None
        return None

    def __call__(self, counting: type[CountingPass], arguments: Mapping[str, Any]) -> Any:
        """Counts of one pass over all persons, merged; the arguments are broadcast once."""
        context = self._timeline.sparkSession.sparkContext
        memory = SharedMemory.of(context)
        content = (self.code_map, parcelled(arguments))
        parcel = (SharedArguments.put(memory, content) if memory else None) or Broadcast.put(context, content)
        del content
        kind = counting.COUNTS
        held = self._held
        again = self._tasks is not None

        def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            from pyspark import TaskContext

            code_map, packed = parcel.open()
            counter = counting(**unparcelled(packed))
            task = TaskContext.get()
            partition = task.partitionId() if task else 0
            if held and again:
                people = held.batches(partition)
            else:
                people = (roll_up(persons_of(batch), code_map) for batch in batches if batch.num_rows)
                people = held.holding(partition, people) if held else people
            for persons in people:
                counter.add(persons)
            yield from shipped(partition, counter.result().to_arrays(), memory)

        try:
            with self.watch(counting.__name__):
                source = self._timeline
                if self._tasks is not None:
                    source = source.sparkSession.range(0, self._tasks, 1, self._tasks)
                table = source.mapInArrow(count, SHIPPED_DDL).toArrow()
            if held and not again:
                self._tasks = self._keep(held, len(table.column("task").unique()))
            parts = received(table)
            del table
            if merge := getattr(kind, "merge_packed", None):
                return merge(parts)
            return kind.merge([kind.from_arrays(unpack(arrays)) for arrays in parts])
        finally:
            parcel.destroy()
            if memory:
                memory.close()
