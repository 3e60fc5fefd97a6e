"""Timelines and vocabulary of one's own in the place of the ten persons': for tests of jobs over a study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lakehouse.data_model import GOLD
from lakehouse.delta.tables import table_path
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from experiments.kernels.persons import Persons


def add_timelines(
    spark: SparkSession,
    settings: Settings,
    people: Sequence[Sequence[tuple[int, ...]]],
    codes: Sequence[str],
    deaths: Sequence[str] = (),
    facts: Sequence[tuple[int, int, int]] | None = None,
) -> None:
    """Replace vocabulary and timelines; ``people`` are sorted distinct (day, code number), or with the setting.

    ``facts`` are sex, birth year and split of each person; without them half are women, born around 1960.
    """
    words = [
        (n, code, "death" if code in deaths else "diagnosis", "X", None, code) for n, code in enumerate(codes)
    ]
    replace(spark, settings, "gold.vocabulary", words)
    rows = []
    for number, events in enumerate(people):
        if not events:
            continue
        sex, born, split = (
            facts[number] if facts else (1 + number % 2, 1955 + number % 10, number * 37 % 1024)
        )
        days = [int(event[0]) for event in events]
        listed = ([int(event[1]) for event in events], days, [int((*event, 0)[2]) for event in events])
        rows.append((f"02{number:032x}", split, sex, born, days[0], days[-1], *listed))
    replace(spark, settings, "gold.timeline", rows)


def add_persons(
    spark: SparkSession,
    settings: Settings,
    persons: Persons,
    codes: Sequence[str],
    deaths: Sequence[str] = (),
) -> None:
    """The same from the arrays of a test world."""
    people, facts = [], []
    for number in range(persons.count):
        span = slice(persons.offsets[number], persons.offsets[number + 1])
        columns = (persons.days[span], persons.codes[span], persons.settings[span])
        people.append(list(zip(*(column.tolist() for column in columns), strict=True)))
        split = int(persons.half[number]) * 512 + number % 512
        facts.append((int(persons.sex[number]), int(persons.birth_year[number]), split))
    add_timelines(spark, settings, people, codes, deaths, facts)


def replace(spark: SparkSession, settings: Settings, table: str, rows: list[tuple[object, ...]]) -> None:
    """Write a table anew."""
    frame = spark.createDataFrame(rows, GOLD[table].ddl)
    frame.coalesce(1).write.format("delta").mode("overwrite").save(str(table_path(settings, table)))
