"""Pathways of a study's persons: from the first start code on, with what came afterwards, from one row a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from experiments.execution.over_spark import LOCKED_FROM
from experiments.kernels.bands import bands_for_persons, cuts_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

COLUMNS = ("person_id", "split", "sex", "birth_year", "last_day", "code", "day")
"""Columns of ``gold.timeline`` a pathway is made of."""

STEP_CUTS = (2, 3, 4, 6, 9)


@dataclass(frozen=True)
class Frame:
    """Time of a pathway: it begins with the first of the ``start`` codes (code ids) and takes ``window_days``.

    Whoever is alive then, and was followed ``outcome_days`` more, is compared by whether an ``outcome`` code
    came in these: the course is known before the outcome can begin, so nobody's course is long because they
    lived long. ``last_day`` is the last day of the data.
    """

    start: Sequence[int]
    outcome: Sequence[int]
    deaths: Sequence[int]
    window_days: int
    outcome_days: int
    last_day: int


def _first(ids: Sequence[int], condition: str = "true") -> str:
    """SQL: first day of one of the codes on which ``condition`` (of ``x.day``) holds."""
    listed = ", ".join(str(number) for number in ids) or "-1"
    return (
        f"array_min(transform(filter(arrays_zip(code, day), x -> x.code IN ({listed}) AND {condition}), "
        "x -> x.day))"
    )


def cases(timeline: DataFrame, frame: Frame) -> DataFrame:
    """One row a pathway: ``case``, ``index`` day, ``events``, whether it is ``compared``, ``outcome``, ``place``, ``prior``.

    ``half`` is 1 for the locked half; ``place`` is sex, ten-year age band and calendar year; ``prior`` counts earlier
    events, whose bands join the stratum in :func:`in_bands`.
    """
    begun = timeline.selectExpr(*COLUMNS, f"{_first(frame.start)} AS index").where("index IS NOT NULL")
    landmark = f"index + {frame.window_days}"
    until = f"{landmark} + {frame.outcome_days}"
    year = "year(date_from_unix_date(index))"
    return begun.selectExpr(
        "person_id AS case",
        "index",
        f"filter(arrays_zip(code, day), x -> x.day >= index AND x.day <= {landmark}) AS events",
        f"coalesce({_first(frame.deaths)} <= {landmark}, false) AS died",
        f"{_first(frame.outcome, f'x.day > {landmark} AND x.day <= {until}')} IS NOT NULL AS outcome",
        f"{until} <= {frame.last_day} AS followed",
        f"CAST(split >= {LOCKED_FROM} AS INT) AS half",
        "size(filter(day, d -> d < index)) AS prior",
        "sex",
        f"CAST(least(greatest({year} - birth_year, 0) / 10, 9) AS INT) AS age",
        f"{year} AS year",
    ).selectExpr(
        "case",
        "index",
        "events",
        "followed AND NOT died AS compared",
        "CAST(outcome AS INT) AS outcome",
        "half",
        "concat_ws('.', sex, age, year) AS place",
        "prior",
    )


def in_bands(case: DataFrame) -> DataFrame:
    """The pathways with their ``stratum``: their place, and the band that their own numbers of earlier events are cut into.

    Counts them, so ``case`` should be held already.
    """
    prior = " + ".join(f"CAST(prior >= {cut} AS INT)" for cut in _prior_cuts(case))
    return case.selectExpr("*", f"concat_ws('.', place, {prior}) AS stratum")


def _prior_cuts(case: DataFrame) -> tuple[int, ...]:
    """Where the bands of earlier events begin; the first begins at 0."""
    rows = case.groupBy("prior").count().collect()
    counts = np.zeros(1 + max((row["prior"] for row in rows), default=0), np.int64)
    for row in rows:
        counts[row["prior"]] = row["count"]
    return cuts_of(counts, bands_for_persons(int(counts.sum())))


def log_of(case: DataFrame, activity: DataFrame) -> DataFrame:
    """The log of the pathways; ``activity`` maps ``code`` (code id) to ``activity`` (a number), others drop out.

    Time is the day since the pathway began; what happens on one day is one step.
    """
    from pyspark.sql import functions

    return (
        case.select("case", "index", functions.explode("events").alias("event"))
        .selectExpr("case", "event.code AS code", "CAST(event.day - index AS DOUBLE) AS time", "0 AS tie")
        .join(functions.broadcast(activity), "code")
        .select("case", "activity", "time", "tie")
    )


def features(stepped: DataFrame, course: DataFrame) -> DataFrame:
    """Distinct (``case``, ``what``, ``key``): steps that follow one another, activities done again, whole courses.

    ``key`` is ``first > then``, the activity, or the course.
    """
    from pyspark.sql import Window, functions

    order = Window.partitionBy("case").orderBy("step")
    edges = (
        stepped.select("case", "activities", functions.lead("activities").over(order).alias("next"))
        .where("next IS NOT NULL")
        .select("case", functions.explode("activities").alias("first"), "next")
        .select("case", "first", functions.explode("next").alias("then"))
        .selectExpr("case", "'follows' AS what", "concat(first, ' > ', then) AS key")
        .distinct()
    )
    again = (
        stepped.select("case", functions.explode("activities").alias("activity"))
        .groupBy("case", "activity")
        .count()
        .where("count > 1")
        .selectExpr("case", "'again' AS what", "CAST(activity AS STRING) AS key")
    )
    return edges.unionByName(again).unionByName(
        course.selectExpr("case", "'course' AS what", "course AS key")
    )


def compared_counts(case: DataFrame, course: DataFrame, feature: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Counts by stratum of the pathways compared: (``stratum``, ``half``, ``n``, ``m``) of all, and of each feature.

    The band of how many steps a pathway has joins the stratum: longer ones have more of everything.
    """
    from pyspark.sql import functions

    steps = " + ".join(f"CAST(steps >= {cut} AS INT)" for cut in STEP_CUTS)
    placed = (
        case.where("compared")
        .join(course, "case")
        .selectExpr("case", "outcome", "half", f"concat_ws('.', stratum, {steps}) AS stratum")
    )
    sums = (functions.count("*").alias("n"), functions.sum("outcome").alias("m"))
    with_feature = feature.join(placed, "case").groupBy("what", "key", "stratum", "half").agg(*sums)
    return placed.groupBy("stratum", "half").agg(*sums), with_feature
