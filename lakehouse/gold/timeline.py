"""Vocabulary and timeline: dense codes, and one row a person with everything in order, as mining reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lakehouse.codes import TIMELINE_CODE, code_name, default_level
from lakehouse.data_model import GOLD

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyspark.sql import DataFrame

    from lakehouse.lake import Lake

DAY_OFFSET = 1 << 22
"""Added to days so that those before 1970 sort first; leaves room for 11,000 years."""
NO_CODE = (1 << 32) - 1
"""Stands for the code of an event that is in no timeline."""
NO_SETTING = 255
"""Stands for an unknown setting, so that it loses against every known one."""


def coded_events(event: DataFrame) -> DataFrame:
    """Events that belong in a timeline, under the code they stand there with."""
    return (
        event.where("day IS NOT NULL")
        .selectExpr(f"{TIMELINE_CODE} AS code", "domain", "code_system", "source")
        .where("code IS NOT NULL")
    )


def vocabulary(lake: Lake, event: DataFrame, names: DataFrame | None, rolled: Sequence[str]) -> DataFrame:
    """``gold.vocabulary``: every code of a timeline, numbered in order of the code.

    ``rolled`` are the sources whose codes are mined at the default level; all others are mined as they stand.
    """
    from pyspark.sql import functions

    named = coded_events(event).select("code", "domain", "code_system", "source").distinct()  # few are sorted
    codes = named.groupBy("code").agg(
        functions.min("domain").alias("domain"),
        functions.min("code_system").alias("code_system"),
        functions.min(functions.col("source").isin(*rolled)).alias("rolled"),
    )
    if names is not None:
        texts = names.groupBy("code").agg(functions.min("text").alias("text"))
        codes = codes.join(texts, "code", "left")
    else:
        codes = codes.withColumn("text", functions.lit(None).cast("string"))
    rows = []
    for number, row in enumerate(sorted(codes.collect(), key=lambda each: str(each["code"]))):
        code = row["code"]
        rows.append(
            (
                number,
                code,
                row["domain"],
                row["code_system"],
                row["text"] or code_name(lake.settings, code),
                default_level(code) if row["rolled"] else code,
            )
        )
    return lake.spark.createDataFrame(rows, GOLD["gold.vocabulary"].ddl)


def packed(day: str, code: str, setting: str) -> str:
    """SQL: day, code and setting as one integer, so that a person's events sort as numbers do.

    The first of each (day, code) then has the smallest known setting. ``code`` may be null.
    """
    return (
        f"shiftleft(CAST({day} AS BIGINT) + {DAY_OFFSET}, 40) "
        f"+ shiftleft(coalesce(CAST({code} AS BIGINT), {NO_CODE}), 8) "
        f"+ CASE WHEN {setting} >= 0 THEN {setting} ELSE {NO_SETTING} END"
    )


def day_of(events: NDArray[np.int64]) -> NDArray[np.int64]:
    """Days since 1970 of packed events; both are [event]."""
    return (events >> 40) - DAY_OFFSET


def code_of(events: NDArray[np.int64]) -> NDArray[np.int64]:
    """Code numbers of packed events, ``NO_CODE`` where an event stands in no timeline. The numbers are [event]."""
    return (events >> 8) & NO_CODE


class Timelines(NamedTuple):
    """Distinct (day, code) of persons as lists: those of ``person[i]`` stand from ``offsets[i]`` to ``offsets[i + 1]``."""

    person: NDArray[np.int64]
    offsets: NDArray[np.int64]
    code: NDArray[np.int64]
    day: NDArray[np.int64]
    setting: NDArray[np.int64]


def timelines(person: NDArray[np.int64], events: NDArray[np.int64]) -> Timelines:
    """Timelines from packed events in any order; persons are numbers from 0. Both arrays are [event]."""
    coded = code_of(events) != NO_CODE
    person, events = person[coded], events[coded]
    order = np.lexsort((events, person))
    person, events = person[order], events[order]
    again = (person[1:] == person[:-1]) & (events[1:] >> 8 == events[:-1] >> 8)
    first = np.flatnonzero(np.concatenate(([True] * bool(len(person)), ~again)))
    person, events = person[first], events[first]
    who, counts = np.unique(person, return_counts=True)
    setting = events & 255
    return Timelines(
        who,
        np.concatenate(([0], np.cumsum(counts))),
        code_of(events),
        day_of(events),
        np.where(setting == NO_SETTING, -1, setting),
    )


def split_of(person_id: str) -> int:
    """Keyed hash of a person, 0 to 1023: bits of the pseudonym."""
    return int(person_id[2:5], 16) >> 2
