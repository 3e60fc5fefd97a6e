"""A lake of ten persons written by hand, whose every count a reader can check by eye."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.data_model import GOLD
from lakehouse.delta.tables import create_table, table_path
from lakehouse.settings import Settings, load_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PERSONS = [f"01{number:032x}" for number in range(1, 11)]
"""Lake pseudonyms of persons 1 to 10; odd ones are women, even ones men; person n was born in 1940 + 5n."""

DAY0 = 17532
"""1 January 2018."""


def person_rows() -> list[dict[str, Any]]:
    """One row a person."""
    return [
        {
            "person_id": token,
            "sex": "F" if number % 2 else "M",
            "birth_date": date(1940 + 5 * number, 6, 1),
            "birth_year": 1940 + 5 * number,
            "municipality": "461" if number <= 5 else "751",
            "region": "1083" if number <= 5 else "1082",
            "death_date": date(2021, 3, 1) if number == 1 else None,
            "source": "hand",
        }
        for number, token in enumerate(PERSONS, 1)
    ]


def event_rows() -> list[dict[str, Any]]:
    """Person n has n events: event k happens on DAY0 + 100k, coded A to J in turn, odd k in hospital 1."""
    return [
        {
            "person_id": token,
            "time_start": datetime.fromordinal(date(1970, 1, 1).toordinal() + DAY0 + 100 * k),
            "time_end": None,
            "time_precision": "day",
            "day": DAY0 + 100 * k,
            "domain": "diagnosis" if k % 2 else "medicine",
            "code_system": "ICD10" if k % 2 else "ATC",
            "code": f"ICD10//{'ABCDEFGHIJ'[k - 1]}",
            "code_role": "main",
            "encounter_id": f"02{number * 100 + k:032x}",
            "value_num": float(k),
            "place": "hospital 1" if k % 2 else "hospital 2",
            "setting": k % 2,
            "status": "active",
            "source": "hand",
            "row_number": number * 100 + k,
        }
        for number, token in enumerate(PERSONS, 1)
        for k in range(1, number + 1)
    ]


def timeline_rows() -> list[dict[str, Any]]:
    """The events as one row a person; code ids 0 to 9 stand for A to J."""
    return [
        {
            "person_id": token,
            "split": (number * 97) % 1024,
            "sex": 1 if number % 2 else 2,
            "birth_year": 1940 + 5 * number,
            "first_day": DAY0 + 100,
            "last_day": DAY0 + 100 * number,
            "code": list(range(number)),
            "day": [DAY0 + 100 * k for k in range(1, number + 1)],
            "setting": [k % 2 for k in range(1, number + 1)],
        }
        for number, token in enumerate(PERSONS, 1)
    ]


def vocabulary_rows() -> list[dict[str, Any]]:
    """Ten codes."""
    return [
        {"code_id": k, "code": f"ICD10//{letter}", "domain": "diagnosis", "level": f"ICD10//{letter}"}
        for k, letter in enumerate("ABCDEFGHIJ")
    ]


def spell_rows() -> list[dict[str, Any]]:
    """One stay for each of the persons 1 to 3, on 2018-02-01, 2019-02-01 and 2020-02-01."""
    return [
        {
            "person_id": PERSONS[number - 1],
            "spell_id": f"03{number:032x}",
            "time_start": datetime(2017 + number, 2, 1, 8),
            "time_end": datetime(2017 + number, 2, 3, 8),
            "contacts": 1,
            "hours": 48.0,
            "setting": 0,
            "place": "hospital 1",
        }
        for number in (1, 2, 3)
    ]


def observation_rows() -> list[dict[str, Any]]:
    """Everybody is observed from DAY0 for ten years."""
    return [{"person_id": token, "start_day": DAY0, "end_day": DAY0 + 3650} for token in PERSONS]


def exposure_rows() -> list[dict[str, Any]]:
    """Person 10 was under B from day 200 to 300 and from day 400 to 600, counted from DAY0."""
    spans = ((200, 300), (400, 600))
    return [
        {"person_id": PERSONS[9], "code": "ATC//B", "start_day": DAY0 + start, "end_day": DAY0 + end,
         "dispensings": 2, "ddd": 90.0, "model": "hand"}
        for start, end in spans
    ]  # fmt: skip


def course_rows() -> list[dict[str, Any]]:
    """Person 10 was in hospital and with her doctor from day 300 to 320, and from day 440 on to 500."""
    spans = ((300, 320), (440, 500))
    return [
        {"person_id": PERSONS[9], "start_day": DAY0 + start, "end_day": DAY0 + end, "sectors": "hospital,practice",
         "first_sector": "hospital", "last_sector": "practice", "contacts": 3, "handovers": 1, "model": "hand"}
        for start, end in spans
    ]  # fmt: skip


ROWS = {
    "gold.person": person_rows,
    "gold.event": event_rows,
    "gold.timeline": timeline_rows,
    "gold.vocabulary": vocabulary_rows,
    "gold.spell": spell_rows,
    "gold.place": list,
    "gold.observation_period": observation_rows,
    "gold.exposure": exposure_rows,
    "gold.course": course_rows,
}


def write_small_lake(spark: SparkSession, settings: Settings, kind: str = "synthetic") -> None:
    """Write the ten persons as gold tables (data in version 1), the root key and ``lake.toml``.

    Spark writes the tables once a process; every further lake is a copy of them, for a Delta table names its files
    relative to itself.
    """
    settings.lake.mkdir(parents=True, exist_ok=True)
    (settings.lake / "lake.toml").write_text(f'kind = "{kind}"\n')
    settings.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    (settings.keys / "root.key").touch(mode=0o600)
    (settings.keys / "root.key").write_bytes(b"\x07" * 32)
    made = load_settings(_first_home(), "test")
    if not made.lake.is_dir():
        for table in GOLD.values():
            create_table(spark, table_path(made, table.name), table.ddl, table.keep_statistics)
            append_rows(spark, made, table.name, ROWS.get(table.name, list)())
    for table in GOLD.values():
        shutil.copytree(table_path(made, table.name), table_path(settings, table.name))


@cache
def _first_home() -> Path:
    """Where the tables are written that all lakes of this process are copies of; it vanishes with the process."""
    home = Path(tempfile.mkdtemp(prefix="patternlake-small-lake-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    return home


def append_rows(spark: SparkSession, settings: Settings, table: str, rows: list[dict[str, Any]]) -> None:
    """Append rows given as dictionaries; columns left out are null."""
    names = GOLD[table].column_names
    frame = spark.createDataFrame([tuple(row.get(name) for name in names) for row in rows], GOLD[table].ddl)
    frame.coalesce(1).write.format("delta").mode("append").save(str(table_path(settings, table)))
