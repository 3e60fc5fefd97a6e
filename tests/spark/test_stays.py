"""Hospital stays: contacts chained as defined, whatever their order, and the latest of several rows of one contact."""

from __future__ import annotations

import datetime
import random
import secrets
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from lakehouse.data_model import Setting
from lakehouse.gold.stays import chain, latest_of_contact
from tests.oracles.stays import Contact, stays

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DDL = (
    "person_id STRING, contact_id STRING, time_start TIMESTAMP_NTZ, time_end TIMESTAMP_NTZ, acute BOOLEAN, "
    "known_setting TINYINT, superseded BOOLEAN, time_precision STRING, place STRING, source STRING, "
    "source_table STRING, file_id STRING, row_number BIGINT"
)
BEGIN = datetime.datetime(2020, 1, 1)


@pytest.mark.parametrize("some_alone", [True, False])
def test_stays__are_those_of_the_definition(spark: SparkSession, some_alone: bool) -> None:
    seed = secrets.randbits(40)
    numbers = random.Random(seed)
    of_person: dict[str, list[Contact]] = defaultdict(list)
    rows: list[tuple[Any, ...]] = []
    for number in range(1500):
        start = BEGIN + datetime.timedelta(minutes=30 * numbers.randrange(4000))
        end = numbers.choice(
            [None, start + datetime.timedelta(minutes=30 * numbers.randrange(-3, 40)), start]
        )
        who = f"p{numbers.randrange(30)}"
        setting = (
            numbers.choice([None, None, int(Setting.INPATIENT), int(Setting.OUTPATIENT)])
            if some_alone
            else None
        )
        each = Contact(
            f"c{numbers.randrange(10**6)}-{number}",
            start,
            end,
            numbers.choice([None, True, False]),
            setting,
            some_alone and numbers.random() < 0.1,
        )
        of_person[who].append(each)
        rows.append((who, each.name, start, end, each.acute, setting, each.superseded, *("x",) * 5, number))
    found = chain(spark.createDataFrame(rows, DDL), some_alone).collect()
    expected = {name: stay for contacts in of_person.values() for name, stay in stays(contacts).items()}
    assert {stay[3] for stay in expected.values()} >= {1, 2, 3}, seed
    assert {
        row["contact_id"]: (
            row["spell_id"],
            row["spell_start"],
            row["spell_end"],
            row["spell_contacts"],
            row["setting"],
        )
        for row in found
    } == expected, seed
    assert len(found) == len(expected)
    assert all(row["first"] == (row["contact_id"] == row["spell_id"]) for row in found)
    assert all(
        row["hours"] == (row["spell_end"] - row["spell_start"]) / datetime.timedelta(hours=1) for row in found
    )


def test_of_several_rows_of_a_contact__the_latest_counts(spark: SparkSession) -> None:
    day = datetime.date
    rows = [
        ("p", "c1", day(2024, 1, 1), "A", 1),
        ("p", "c1", day(2024, 2, 1), "B", 2),
        ("q", "c1", None, "C", 3),
        ("q", "c2", None, "D", 4),
    ]
    frame = spark.createDataFrame(
        rows, "person_id STRING, contact_id STRING, delivered DATE, place STRING, row_number BIGINT"
    ).selectExpr("*", "true AS acute", "NULL AS time_start", "NULL AS time_end", "'f' AS file_id")
    assert sorted(row["place"] for row in latest_of_contact(frame).collect()) == ["B", "D"]
