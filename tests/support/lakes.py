"""Lakes made straight from persons in memory: gold tables without deliveries, for benchmarks and plumbing tests."""

from __future__ import annotations

import itertools
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from experiments.kernels.persons import Persons
from lakehouse.data_model import GOLD
from lakehouse.delta.tables import create_table, table_path
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TIMELINE = pa.schema(
    [
        ("person_id", pa.string()),
        ("split", pa.int16()),
        ("sex", pa.int8()),
        ("birth_year", pa.int16()),
        ("first_day", pa.int32()),
        ("last_day", pa.int32()),
        ("code", pa.list_(pa.int32())),
        ("day", pa.list_(pa.int32())),
        ("setting", pa.list_(pa.int8())),
    ]
)


def timeline_of(persons: Persons, first: int = 0) -> pa.Table:
    """``gold.timeline`` rows of persons, numbered from ``first``; persons without events are left out."""
    lengths = np.diff(persons.offsets)
    kept = np.flatnonzero(lengths > 0)
    persons = persons.take(kept)
    offsets = pa.array(persons.offsets.astype(np.int32))
    ids = [f"01{number:032x}" for number in (kept + first)]
    columns = [
        pa.array(ids),
        pa.array(persons.half.astype(np.int16) * 512),
        pa.array(persons.sex),
        pa.array(persons.birth_year),
        pa.array(persons.days[persons.offsets[:-1]]),
        pa.array(persons.days[persons.offsets[1:] - 1]),
        *(
            pa.ListArray.from_arrays(offsets, pa.array(a))
            for a in (persons.codes, persons.days, persons.settings)
        ),
    ]
    return pa.Table.from_arrays(columns, schema=TIMELINE)


def domain_of(name: str) -> str:
    """The domain of a code by its system; diagnosis where nothing says otherwise."""
    return {"ATC": "medicine", "CPR": "death", "NPU": "laboratory", "SKS": "procedure"}.get(
        name.partition("//")[0], "diagnosis"
    )


def write_lake(
    spark: SparkSession, settings: Settings, persons: Persons, code_names: list[str], *, files: int = 4
) -> None:
    """Write ``persons`` as the gold tables of a foreign lake; tables not derived from timelines stay empty."""
    cuts = np.linspace(0, persons.count, files + 1).astype(int)
    parts = (persons.part(start, stop) for start, stop in itertools.pairwise(cuts))
    write_lake_of(spark, settings, parts, code_names)


def write_lake_of(
    spark: SparkSession,
    settings: Settings,
    parts: Iterable[Persons],
    code_names: list[str],
    spread: bool = False,
) -> None:
    """The same from persons of whom only a part is in memory at a time; each part is one staged file.

    ``spread`` lays them out by sex and birth year, as an ingest does.
    """
    staged = settings.home / "staged"
    staged.mkdir(parents=True, exist_ok=True)
    start = 0
    for number, part in enumerate(parts):
        pq.write_table(timeline_of(part, start), staged / f"timeline-{number:03d}.parquet")
        start += part.count
    (settings.home / "lake").mkdir(parents=True, exist_ok=True)
    (settings.home / "lake" / "lake.toml").write_text('kind = "foreign"\n')
    settings.keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (key := settings.keys / "root.key").exists():
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(32))
    for table in GOLD.values():
        create_table(spark, table_path(settings, table.name), table.ddl, table.keep_statistics)
    append(spark, settings, "gold.timeline", staged, ("sex", "birth_year", "person_id") if spread else ())
    if spread:
        shutil.rmtree(staged)
    vocabulary = pa.table(
        {
            "code_id": pa.array(range(len(code_names)), pa.int32()),
            "code": code_names,
            "domain": [domain_of(name) for name in code_names],
            "code_system": [name.partition("//")[0] for name in code_names],
            "text": code_names,
            "level": code_names,
        }
    )
    words = settings.home / "staged-vocabulary"
    words.mkdir(exist_ok=True)
    pq.write_table(vocabulary, words / "vocabulary.parquet")
    append(spark, settings, "gold.vocabulary", words)


def append(
    spark: SparkSession, settings: Settings, table: str, folder: Path, by: tuple[str, ...] = ()
) -> None:
    """Append Parquet files to a gold table in its declared types, ordered ``by`` columns as an ingest does."""
    types = {column.name: column.type for column in GOLD[table].columns}
    frame = spark.read.parquet(str(folder))
    frame = frame.selectExpr(*(f"CAST(`{name}` AS {type}) AS `{name}`" for name, type in types.items()))
    if by:
        partitions = 2 * spark.sparkContext.defaultParallelism
        frame = frame.repartitionByRange(partitions, *by[:-1]).sortWithinPartitions(*by)
    frame.write.format("delta").mode("append").save(str(table_path(settings, table)))
