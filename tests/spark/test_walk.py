"""The walk over each person's events: timelines, exposure periods and courses are those of their definitions."""

from __future__ import annotations

import datetime
import random
import secrets
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lakehouse.codes import TIMELINE_CODE
from lakehouse.data_model import GOLD, Setting
from lakehouse.delta.log import actions, newest_commit, stamp_of
from lakehouse.delta.read import rows_of
from lakehouse.delta.tables import create_table, rows_of_newest
from lakehouse.delta.write import NewFile, commit_whole
from lakehouse.gold.courses import CONTACTS
from lakehouse.gold.person_tables import TABLES, walked
from lakehouse.gold.timeline import split_of
from tests.oracles.courses import courses
from tests.oracles.exposure import periods
from tests.oracles.timeline import timeline
from tests.support.frames import same_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SECTOR = {
    Setting.INPATIENT: "hospital",
    Setting.OUTPATIENT: "hospital",
    Setting.EMERGENCY: "hospital",
    Setting.PRIMARY_CARE: "practice",
    Setting.MUNICIPAL: "municipality",
}
EPOCH = datetime.datetime(1970, 1, 1)
EVENT = (
    "person_id",
    "domain",
    "setting",
    "status",
    "day",
    "time_end",
    "code",
    "code_role",
    "flag",
    "quantity",
)
EVENT_DDL = (
    "person_id STRING, domain STRING, setting TINYINT, status STRING, day INT, time_end TIMESTAMP_NTZ, "
    "code STRING, code_role STRING, flag STRING, quantity DOUBLE"
)
PERSON_DDL = "person_id STRING, sex STRING, birth_year SMALLINT"


def made(
    spark: SparkSession,
    tmp_path: Path,
    rows: list[tuple[Any, ...]],
    people: list[tuple[Any, ...]],
    events: int,
) -> dict[str, list[dict[str, Any]]]:
    """Rows of the three tables by name, as a Delta reader finds them, and as the platform's own does."""
    from pyspark.sql.pandas.types import to_arrow_schema
    from pyspark.sql.types import StructType

    event = spark.createDataFrame(rows, EVENT_DDL)
    words = vocabulary_of(event)
    folders = {name: str(tmp_path / name) for name in TABLES}
    schemas = {name: to_arrow_schema(StructType.fromDDL(GOLD[name].ddl)) for name in TABLES}
    for name in TABLES:
        create_table(spark, tmp_path / name, GOLD[name].ddl, GOLD[name].keep_statistics)
    person = spark.createDataFrame(people, PERSON_DDL)
    written: list[NewFile] = []
    for _ in range(2):  # the second time in place of the first
        written = walked(
            event,
            spark.createDataFrame(list(words.items()), "code STRING, code_id INT"),
            person,
            (events, len(people)),
            folders,
            schemas,
        )
        for name in TABLES:
            commit_whole(tmp_path / name, written, name, "a note", GOLD[name].keep_statistics)
    found = {}
    for name in TABLES:
        frame = spark.read.format("delta").load(str(tmp_path / name))
        assert frame.dtypes == [(each.name, each.type.lower()) for each in GOLD[name].columns]
        assert stamp_of(tmp_path / name) == "a note"
        found[name] = [row.asDict() for row in frame.collect()]
        same_rows(rows_of(spark, tmp_path / name), frame, name)
        assert rows_of_newest(tmp_path / name) == len(found[name])
    return found


def vocabulary_of(event: DataFrame) -> dict[str, int]:
    codes = event.selectExpr(f"{TIMELINE_CODE} AS code").where("code IS NOT NULL").distinct().collect()
    return {code: number for number, code in enumerate(sorted(row["code"] for row in codes))}


def some_persons(numbers: random.Random, count: int) -> list[tuple[Any, ...]]:
    return [
        (
            f"01{numbers.getrandbits(128):032x}",
            numbers.choice("FMU"),
            numbers.choice([None, *range(1930, 1940)]),
        )
        for _ in range(count)
    ]


def test_all_three_tables__are_those_of_their_definitions(spark: SparkSession, tmp_path: Path) -> None:
    seed = secrets.randbits(40)
    numbers = random.Random(seed)
    people = some_persons(numbers, 40)
    rows = []
    for _ in range(3000):
        day = numbers.choice([None, *range(-400, 1500)])
        last = numbers.choice([None, day, (day or 0) + numbers.randrange(40), (day or 0) - 5])
        rows.append(
            (
                numbers.choice(people[:-2])[0],
                numbers.choice([*CONTACTS, "medicine", "laboratory", "care_plan"]),
                int(numbers.choice(list(Setting))),
                numbers.choice(["active", "active", "open", "reversed"]),
                day,
                None if last is None else EPOCH + datetime.timedelta(days=last, hours=13),
                f"A//{numbers.choice('ABCDE')}",
                numbers.choice([None, None, "main", "referral"]),
                numbers.choice([None, "H", "N"]),
                numbers.choice([None, 0.0, 0.3, 10.0, 28.5, 5000.0]),
            )
        )
    found = made(spark, tmp_path, rows, people, numbers.choice([1, 20_000_000]))
    event = [
        row.asDict()
        for row in spark.createDataFrame(rows, EVENT_DDL)
        .selectExpr("*", f"{TIMELINE_CODE} AS word")
        .collect()
    ]
    placed = [each for each in event if each["day"] is not None]
    words = {number: code for code, number in vocabulary_of(spark.createDataFrame(rows, EVENT_DDL)).items()}

    lists: dict[str, list[tuple[int, str, int]]] = defaultdict(list)
    taken: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    met: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for each in placed:
        who, day = each["person_id"], each["day"]
        if each["word"]:
            lists[who].append((day, each["word"], each["setting"]))
        if each["domain"] == "medicine" and each["status"] == "active" and (each["quantity"] or 0) > 0:
            taken[who, each["code"]].append((day, each["quantity"]))
        sector = SECTOR.get(Setting(each["setting"]))
        if each["domain"] in CONTACTS and sector and each["status"] in ("active", "open"):
            last = day if each["time_end"] is None else (each["time_end"] - EPOCH).days
            met[who].append((sector, day, max(day, last)))

    sexes = {"F": 1, "M": 2, "U": 0}
    born = {who: (sexes[sex], year) for who, sex, year in people if year}
    assert len(lists) > 30 and len(taken) > 60 and len(met) > 30, seed
    got = {row["person_id"]: row for row in found["gold.timeline"]}
    assert set(got) == set(lists) & set(born), seed
    for who, row in got.items():
        listed = [
            (day, words[code], setting)
            for day, code, setting in zip(row["day"], row["code"], row["setting"], strict=True)
        ]
        assert listed == timeline(lists[who]), seed
        assert (row["sex"], row["birth_year"]) == born[who]
        assert (row["first_day"], row["last_day"]) == (row["day"][0], row["day"][-1])
        assert row["split"] == split_of(who) == int(who[2:5], 16) // 4
    assert sorted(
        (
            row["person_id"],
            row["code"],
            row["start_day"],
            row["end_day"],
            row["dispensings"],
            round(row["ddd"], 6),
        )
        for row in found["gold.exposure"]
    ) == sorted(
        (*key, a, b, n, round(doses, 6)) for key, each in taken.items() for a, b, n, doses in periods(each)
    ), seed
    assert sorted(tuple(row.values())[:8] for row in found["gold.course"]) == sorted(
        (who, *course) for who, days in met.items() for course in courses(days)
    ), seed


def test_timelines__lie_by_sex_and_birth_year(spark: SparkSession, tmp_path: Path) -> None:
    numbers = random.Random(secrets.randbits(40))
    people = [(who, sex, year or 1900) for who, sex, year in some_persons(numbers, 200)]
    rows = [(who, "diagnosis", 1, "active", 5, None, "A//A", None, None, None) for who, _, _ in people]
    made(spark, tmp_path, rows, people, 1)
    kept = [
        spark.read.parquet(str(tmp_path / "gold.timeline" / each["add"]["path"]))
        .select("sex", "birth_year")
        .collect()
        for each in actions(newest_commit(tmp_path / "gold.timeline"))
        if "add" in each
    ]
    assert len(kept) > 1
    assert all(list(rows) == sorted(rows) for rows in kept)
    ends = sorted((min(rows), max(rows)) for rows in kept)
    assert all(one[1] <= other[0] for one, other in pairwise(ends))


def test_the_log__keeps_what_it_may_and_no_more(spark: SparkSession, tmp_path: Path) -> None:
    import json

    people = [("01" + "0" * 32, "F", 1940), ("01" + "1" * 32, "M", 1950)]
    rows = [(who, "contact", 1, "active", 5, None, "A//A", None, None, None) for who, _, _ in people]
    made(spark, tmp_path, rows, people, 1)
    said = {
        name: [
            json.loads(each["add"]["stats"])
            for each in actions(newest_commit(tmp_path / name))
            if "add" in each
        ]
        for name in TABLES
    }
    assert all(set(each) == {"numRecords"} for each in said["gold.course"])
    assert {tuple(each["minValues"].items()) for each in said["gold.timeline"]} == {
        (("sex", 1), ("birth_year", 1940)),
        (("sex", 2), ("birth_year", 1950)),
    }
    pruned = spark.read.format("delta").load(str(tmp_path / "gold.timeline")).where("sex = 2")
    assert [row["birth_year"] for row in pruned.collect()] == [1950]


def test_an_event_of_nobody__stops_the_walk(spark: SparkSession, tmp_path: Path) -> None:
    rows = [("01" + "f" * 32, "diagnosis", 1, "active", 5, None, "A//A", None, None, None)]
    with pytest.raises(Exception, match=r"somebody gold\.person does not know"):
        made(spark, tmp_path, rows, [("01" + "0" * 32, "F", 1940)], 1)


def test_a_readmission_through_practice_and_home_help__is_one_course_with_its_seams(
    spark: SparkSession, tmp_path: Path
) -> None:
    stay, visit, help_ = int(Setting.INPATIENT), int(Setting.PRIMARY_CARE), int(Setting.MUNICIPAL)
    who, other = "01" + "a" * 32, "01" + "b" * 32
    rows = [
        (
            person,
            domain,
            setting,
            status,
            day,
            last and EPOCH + datetime.timedelta(last),
            "A//A",
            None,
            None,
            None,
        )
        for person, domain, setting, status, day, last in [
            (who, "contact", stay, "active", 100, 110),
            (who, "primary_care", visit, None, 125, None),
            (who, "procedure", help_, "active", 130, 190),
            (who, "contact", stay, "active", 220, 224),
            (who, "diagnosis", stay, "active", 255, None),
            (other, "medicine", int(Setting.PHARMACY), "active", 100, None),
        ]
    ]
    found = made(spark, tmp_path, rows, [(who, "F", 1950), (other, "M", None)], 1)["gold.course"]
    assert sorted(tuple(row.values())[:8] for row in found) == [
        (who, 100, 224, "hospital,municipality,practice", "hospital", "hospital", 4, 3),
        (who, 255, 255, "hospital", "hospital", "hospital", 1, 0),
    ]
