"""Vocabulary and timeline: dense codes, and one row a person with everything in order, as mining reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lakehouse.codes import TIMELINE_CODE, code_name, default_level
from lakehouse.tables import GOLD

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from lakehouse.settings import Settings

DAY_OFFSET = 1 << 22
"""Added to days so that those before 1970 sort first; leaves room for 11,000 years."""
NO_SETTING = 255
"""Stands for an unknown setting, so that it loses against every known one."""
YEARS = 10_000
"""Birth years have room below a sex in one number."""


def coded_events(event: DataFrame) -> DataFrame:
    """Events that belong in a timeline, under the code they stand there with."""
    return (
        event.where("day IS NOT NULL")
        .selectExpr(
            "person_id", "day", f"{TIMELINE_CODE} AS code", "setting", "domain", "code_system", "source"
        )
        .where("code IS NOT NULL")
    )


def vocabulary(
    spark: SparkSession, settings: Settings, event: DataFrame, names: DataFrame | None, rolled: Sequence[str]
) -> DataFrame:
    """``gold.vocabulary``: every code of a timeline, numbered in order of the code.

    ``rolled`` are the sources whose codes are mined at the default level; all others are mined as they stand.
    """
    from pyspark.sql import functions

    codes = (
        coded_events(event)
        .groupBy("code")
        .agg(
            functions.min("domain").alias("domain"),
            functions.min("code_system").alias("code_system"),
            functions.min(functions.col("source").isin(*rolled)).alias("rolled"),
        )
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
                row["text"] or code_name(settings, code),
                default_level(code) if row["rolled"] else code,
            )
        )
    return spark.createDataFrame(rows, GOLD["gold.vocabulary"].ddl)


def timeline(event: DataFrame, words: DataFrame, person: DataFrame, partitions: int) -> DataFrame:
    """``gold.timeline``: distinct (day, code) of each person with a known birth year, as sorted lists.

    Day, code and setting travel as one integer, so that a person's list sorts as numbers do and the first of
    each (day, code) has the smallest known setting.
    """
    from pyspark.sql import functions

    packed = (
        f"shiftleft(CAST(day AS BIGINT) + {DAY_OFFSET}, 40) + shiftleft(CAST(code_id AS BIGINT), 8) "
        f"+ CASE WHEN setting < 0 THEN {NO_SETTING} ELSE setting END"
    )
    numbered = coded_events(event).join(functions.broadcast(words.select("code", "code_id")), "code")
    lists = (
        numbered.selectExpr("person_id", f"{packed} AS packed")
        .groupBy("person_id")
        .agg(functions.sort_array(functions.collect_list("packed")).alias("listed"))
        .selectExpr(
            "person_id",
            "filter(listed, (x, i) -> i = 0 OR shiftright(x, 8) <> shiftright(listed[i - 1], 8)) AS kept",
        )
    )
    known = person.where("birth_year IS NOT NULL").selectExpr(
        "person_id",
        "CAST(CASE sex WHEN 'F' THEN 1 WHEN 'M' THEN 2 ELSE 0 END AS TINYINT) AS sex",
        "birth_year",
    )
    days = f"transform(kept, x -> CAST(shiftright(x, 40) - {DAY_OFFSET} AS INT))"
    return (
        lists.join(known, "person_id")
        .selectExpr(
            "person_id",
            "CAST(shiftright(CAST(conv(substr(person_id, 3, 3), 16, 10) AS INT), 2) AS SMALLINT) AS split",
            "sex",
            "birth_year",
            "transform(kept, x -> CAST(shiftright(x, 8) & 4294967295 AS INT)) AS code",
            f"{days} AS day",
            f"transform(kept, x -> CAST(CASE WHEN x & 255 = {NO_SETTING} THEN -1 ELSE x & 255 END AS TINYINT)) "
            "AS setting",
        )
        .selectExpr(
            "person_id",
            "split",
            "sex",
            "birth_year",
            "day[0] AS first_day",
            "day[size(day) - 1] AS last_day",
            "code",
            "day",
            "setting",
        )
        .repartitionById(partitions, functions.expr(ranges(known, partitions)))
        .sortWithinPartitions("sex", "birth_year", "person_id")
    )


def ranges(known: DataFrame, partitions: int) -> str:
    """SQL: the partition of a person by ``sex`` and ``birth_year``, so that each holds about as many persons.

    Spark's own ranges come from a sample, for which the lists would be made twice.
    """
    counted = known.groupBy("sex", "birth_year").count().collect()
    total, passed, found = sum(int(row["count"]) for row in counted), 0, []
    for row in sorted(counted, key=lambda each: (each["sex"], each["birth_year"])):
        found.append(f"{row['sex'] * YEARS + row['birth_year']}, {passed * partitions // total}")
        passed += int(row["count"])
    return f"try_element_at(map({', '.join(found)}), sex * {YEARS} + birth_year)" if found else "0"
