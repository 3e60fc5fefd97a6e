"""Courses of care: chained as defined, whatever the order, the doubles and the length of stays."""

from __future__ import annotations

import datetime
import random
import secrets
from typing import TYPE_CHECKING, Any

from lakehouse.courses import CONTACTS, courses
from lakehouse.tables import GOLD, Setting
from tests.oracles.courses import courses as by_definition

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SECTOR = {
    Setting.INPATIENT: "hospital",
    Setting.OUTPATIENT: "hospital",
    Setting.EMERGENCY: "hospital",
    Setting.PRIMARY_CARE: "practice",
    Setting.MUNICIPAL: "municipality",
}
EPOCH = datetime.datetime(1970, 1, 1)
DDL = "person_id STRING, domain STRING, setting TINYINT, status STRING, day INT, time_end TIMESTAMP_NTZ"


def frame(spark: SparkSession, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Courses of (person, domain, setting, status, day, last day or None), as tuples in the table's order."""
    moments = [
        (*row[:5], None if row[5] is None else EPOCH + datetime.timedelta(days=row[5], hours=13))
        for row in rows
    ]
    result = courses(spark.createDataFrame(moments, DDL)).select(*GOLD["gold.course"].column_names)
    assert result.dtypes == [(column.name, column.type.lower()) for column in GOLD["gold.course"].columns]
    return sorted(tuple(row)[:8] for row in result.collect())


def test_courses__are_those_of_the_definition(spark: SparkSession) -> None:
    numbers = random.Random(secrets.randbits(40))
    rows = []
    for _ in range(800):
        day = numbers.randrange(1500)
        rows.append(
            (
                f"p{numbers.randrange(25)}",
                numbers.choice([*CONTACTS, "medicine", "laboratory", "care_plan"]),
                int(numbers.choice(list(Setting))),
                numbers.choice(["active", "open", None, "reversed"]),
                day,
                numbers.choice([None, day, day + numbers.randrange(40), day - 5]),
            )
        )
    met: dict[str, list[tuple[str, int, int]]] = {}
    for person, domain, setting, status, day, last in rows:
        sector = SECTOR.get(Setting(setting))
        if domain in CONTACTS and sector and status != "reversed":
            met.setdefault(person, []).append((sector, day, day if last is None else last))
    expected = sorted((person, *course) for person, days in met.items() for course in by_definition(days))
    assert len(expected) > 100
    assert frame(spark, rows) == expected


def test_a_readmission_through_practice_and_home_help__is_one_course_with_its_seams(
    spark: SparkSession,
) -> None:
    stay, visit, help_ = Setting.INPATIENT, Setting.PRIMARY_CARE, Setting.MUNICIPAL
    rows = [
        ("a", "contact", int(stay), "active", 100, 110),
        ("a", "primary_care", int(visit), None, 125, None),
        ("a", "procedure", int(help_), "active", 130, 190),
        ("a", "contact", int(stay), "active", 220, 224),
        ("a", "diagnosis", int(stay), "active", 255, None),
        ("b", "medicine", int(Setting.PHARMACY), "active", 100, None),
    ]
    assert frame(spark, rows) == [
        ("a", 100, 224, "hospital,municipality,practice", "hospital", "hospital", 4, 3),
        ("a", 255, 255, "hospital", "hospital", "hospital", 1, 0),
    ]
