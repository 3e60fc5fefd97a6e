"""Pathways as Spark sees them: who follows whom, which courses there are, how long they wait, what is done again.

A log has one row an event: ``case`` (a person's pathway), ``activity``, ``time`` (a number), ``tie`` (decides
between events of one time; equal ties are concurrent). Concurrent activities carry no order: they form one step,
and each of them is followed by each activity of the next step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ARROW, TOGETHER = " > ", " + "
"""Between steps of a course, and between activities of one step."""

WAITS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Shares of the waiting times that are given."""


def steps(log: DataFrame) -> DataFrame:
    """One row a step: ``case``, ``step`` from 1, ``time``, its distinct ``activities`` in order of name."""
    from pyspark.sql import Window, functions

    within = Window.partitionBy("case").orderBy("time", "tie")
    return (
        log.select("case", "activity", "time", functions.dense_rank().over(within).alias("step"))
        .groupBy("case", "step")
        .agg(
            functions.min("time").alias("time"),
            functions.array_sort(functions.collect_set("activity")).alias("activities"),
        )
    )


def directly_follows(stepped: DataFrame) -> DataFrame:
    """The directly-follows graph: ``first``, ``then``, ``cases``, ``times``, ``waits`` (quantiles, exact)."""
    from pyspark.sql import Window, functions

    order = Window.partitionBy("case").orderBy("step")
    following = stepped.select(
        "case",
        "activities",
        functions.lead("activities").over(order).alias("next"),
        (functions.lead("time").over(order) - functions.col("time")).alias("wait"),
    ).where("next IS NOT NULL")
    return (
        following.select("case", functions.explode("activities").alias("first"), "next", "wait")
        .select("case", "first", functions.explode("next").alias("then"), "wait")
        .groupBy("first", "then")
        .agg(
            functions.countDistinct("case").cast("int").alias("cases"),
            functions.count("*").cast("int").alias("times"),
            functions.percentile("wait", list(WAITS)).alias("waits"),
        )
    )


def activities(stepped: DataFrame) -> DataFrame:
    """Every ``activity``: ``cases`` that have it, ``times`` in all, cases that ``begin`` or ``end`` with it,
    ``again`` (cases that come back to it after something else or at once), ``repeats`` (times beyond the first).
    """
    from pyspark.sql import Window, functions

    ends = stepped.withColumn("last", functions.max("step").over(Window.partitionBy("case")))
    one = (
        ends.select("case", "step", "last", functions.explode("activities").alias("activity"))
        .groupBy("case", "activity")
        .agg(
            functions.count("*").alias("n"),
            functions.min("step").alias("from"),
            functions.max(functions.col("step") == functions.col("last")).alias("at_end"),
        )
    )
    return one.groupBy("activity").agg(
        functions.count("*").cast("int").alias("cases"),
        functions.sum("n").cast("int").alias("times"),
        functions.sum((functions.col("from") == 1).cast("int")).cast("int").alias("begin"),
        functions.sum(functions.col("at_end").cast("int")).cast("int").alias("end"),
        functions.sum((functions.col("n") > 1).cast("int")).cast("int").alias("again"),
        functions.sum(functions.col("n") - 1).cast("int").alias("repeats"),
    )


def courses(stepped: DataFrame) -> DataFrame:
    """The whole course of each case in words: ``case``, ``course``, its ``steps`` and the days it ``lasted``."""
    from pyspark.sql import functions

    listed = stepped.groupBy("case").agg(
        functions.array_sort(functions.collect_list(functions.struct("step", "activities"))).alias("way"),
        functions.max("step").cast("int").alias("steps"),
        (functions.max("time") - functions.min("time")).alias("lasted"),
    )
    way = functions.transform("way", lambda step: functions.array_join(step["activities"], TOGETHER))
    return listed.select("case", functions.array_join(way, ARROW).alias("course"), "steps", "lasted")


def variants(course: DataFrame) -> DataFrame:
    """Every ``course`` with the ``cases`` that went it, its ``steps``, and the median days it ``lasted``."""
    from pyspark.sql import functions

    return course.groupBy("course").agg(
        functions.count("*").cast("int").alias("cases"),
        functions.first("steps").alias("steps"),
        functions.percentile("lasted", 0.5).alias("lasted"),
    )
