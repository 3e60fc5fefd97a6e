"""Carrying a pass over Spark gives exactly what it gives in one process, whatever the partitions and batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from experiments.execution import over_spark
from experiments.execution.over_spark import OverSpark
from experiments.execution.shared_memory import SharedMemory
from experiments.kernels.packing import unpack
from experiments.kernels.pairs.baseline import Baseline
from experiments.kernels.pairs.followed import PairPass
from experiments.kernels.pairs.reference import ReferencePass
from experiments.kernels.pairs.significant import Present, SignificantPass
from experiments.kernels.persons import Persons, roll_up
from lakehouse.delta.tables import read_version, table_path
from lakehouse.settings import Settings, load_settings
from tests.support.lakes import timeline_of, write_lake
from tests.support.small_worlds import with_bands

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CODES = 30
LEVEL = (np.arange(CODES) // 2).astype(np.int32)
SCAN = with_bands(CODES // 2)
PAIRS = np.array([[0, 1], [1, 0], [7, 3]], np.int32)


def some_persons(seed: int, count: int = 1500) -> Persons:
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(1, 20, count))]).astype(np.int64)
    events = int(offsets[-1])
    owner = np.repeat(np.arange(count), np.diff(offsets))
    days = rng.integers(16_000, 20_000, events).astype(np.int32)
    days = days[np.lexsort([days, owner])]
    persons = Persons(
        offsets,
        rng.integers(0, CODES, events).astype(np.int32),
        days,
        rng.integers(-1, 8, events).astype(np.int8),
        rng.integers(0, 3, count).astype(np.int8),
        np.sort(rng.integers(1930, 2000, count)).astype(np.int16),
        rng.integers(0, 2, count).astype(np.int8),
    )
    return roll_up(persons, np.arange(CODES, dtype=np.int32))


@pytest.fixture(scope="module")
def world(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Persons]:
    persons = some_persons(seed=int(np.random.default_rng().integers(1 << 30)))
    settings = load_settings(tmp_path_factory.mktemp("over_spark"), "test")
    write_lake(spark, settings, persons, [f"X//{code:02d}" for code in range(CODES)])
    return settings, persons


def in_one_process(persons: Persons) -> dict[type, dict[str, np.ndarray]]:
    rolled = roll_up(persons, LEVEL)
    arrays = {}

    def run(name: type, **arguments: object) -> Any:
        counter = name(settings=SCAN, **arguments)
        counter.add(rolled)
        counts = name.COUNTS.merge([counter.result()])
        arrays[name] = counts.to_arrays()
        return counts

    reference = run(ReferencePass)
    run(PairPass, baseline=Baseline.of(reference))
    run(SignificantPass, present=Present.of(reference), pairs=PAIRS)
    return arrays


@pytest.mark.parametrize("partitions", [1, 2, 7])
def test_counts_do_not_depend_on_partitions(
    spark: SparkSession, world: tuple[Settings, Persons], partitions: int
) -> None:
    settings, persons = world
    timeline = read_version(spark, table_path(settings, "gold.timeline"), 1).repartition(partitions)
    run = OverSpark(timeline, LEVEL)
    expected = in_one_process(persons)
    reference = run(ReferencePass, {"settings": SCAN})
    pairs = run(PairPass, {"settings": SCAN, "baseline": Baseline.of(reference)})
    significant = run(SignificantPass, {"settings": SCAN, "present": Present.of(reference), "pairs": PAIRS})
    for counts, name in ((reference, ReferencePass), (pairs, PairPass), (significant, SignificantPass)):
        for field, array in counts.to_arrays().items():
            np.testing.assert_array_equal(array, expected[name][field], err_msg=f"{name.__name__}.{field}")
    folder = run.holds
    assert folder is not None and folder.is_dir(), "later passes do not read again"
    del run
    assert not folder.exists()


def test_a_second_pass_reads_nothing_where_the_first_one_is_held(spark: SparkSession, tmp_path: Path) -> None:
    persons = some_persons(seed=9, count=300)
    pq.write_table(timeline_of(persons), tmp_path / "timeline.parquet")
    timeline = spark.read.parquet(str(tmp_path / "timeline.parquet"))
    run = OverSpark(timeline, LEVEL)
    first = run(ReferencePass, {"settings": SCAN}).to_arrays()
    (tmp_path / "timeline.parquet").unlink()
    for field, array in run(ReferencePass, {"settings": SCAN}).to_arrays().items():
        np.testing.assert_array_equal(array, first[field])
    with pytest.raises(Exception, match=r"timeline\.parquet"):
        OverSpark(timeline, LEVEL)(ReferencePass, {"settings": SCAN})


def test_counts_are_the_same_without_shared_memory_and_none_of_it_is_left(
    spark: SparkSession, world: tuple[Settings, Persons], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, persons = world
    made: list[SharedMemory] = []
    of = SharedMemory.of
    for shares in (True, False):
        monkeypatch.setattr(
            SharedMemory,
            "of",
            lambda context, shares=shares: made.append(of(context)) or made[-1] if shares else None,
        )
        run = OverSpark(read_version(spark, table_path(settings, "gold.timeline"), 1), LEVEL)
        counts = run(ReferencePass, {"settings": SCAN})
        del run
        for field, array in counts.to_arrays().items():
            np.testing.assert_array_equal(array, in_one_process(persons)[ReferencePass][field])
    assert [memory.folder.exists() for memory in made if memory] == [False] * len(made)


def test_a_batch_that_starts_inside_a_larger_one_is_read_right() -> None:
    persons = some_persons(seed=5, count=200)
    table = timeline_of(persons)
    batch = table.combine_chunks().to_batches()[0]
    kept = persons.take(np.flatnonzero(np.diff(persons.offsets) > 0))
    sliced = over_spark.persons_of(batch.slice(50, 60))
    for got, wanted in zip(sliced, kept.part(50, 110), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_large_arrays_are_shipped_in_blocks_and_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_spark, "BLOCK", 1000)
    rng = np.random.default_rng(3)
    arrays = {
        "wide": rng.integers(0, 1 << 40, (37, 11)),
        "small": rng.integers(0, 300, 5000).astype(np.int32),
        "sums": rng.random(700),
        "empty": np.empty((0, 4), np.int32),
    }

    def rows() -> Iterator[pa.RecordBatch]:
        for task in (1, 0):
            yield from over_spark.shipped(task, {name: array + task for name, array in arrays.items()})

    first, second = map(unpack, over_spark.received(pa.Table.from_batches(list(rows()))))
    for number, got in (
        ((0, second), (1, first)) if (first["wide"] != arrays["wide"]).any() else ((0, first), (1, second))
    ):
        for name, array in arrays.items():
            np.testing.assert_array_equal(got[name], array + number)
            assert got[name].dtype == array.dtype


def test_a_failing_pass_names_its_cause(spark: SparkSession, world: tuple[Settings, Persons]) -> None:
    settings, _ = world
    timeline = read_version(spark, table_path(settings, "gold.timeline"), 1)
    with pytest.raises(Exception, match="a code lies outside"):
        OverSpark(timeline, np.arange(CODES, dtype=np.int32))(ReferencePass, {"settings": SCAN})


def test_counting_works_on_a_home_with_odd_letters(spark: SparkSession, tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "hjem æøå med mellemrum", "test")
    persons = some_persons(seed=8, count=50)
    write_lake(spark, settings, persons, [f"X//{code:02d}" for code in range(CODES)])
    timeline = read_version(spark, table_path(settings, "gold.timeline"), 1)
    counts = OverSpark(timeline, LEVEL)(ReferencePass, {"settings": SCAN})
    np.testing.assert_array_equal(
        counts.to_arrays()["cells"], in_one_process(persons)[ReferencePass]["cells"]
    )
