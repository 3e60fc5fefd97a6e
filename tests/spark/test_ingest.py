"""Deliveries written by hand, from file to gold: each declared table, each reason, and what must never happen twice."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lakehouse.data_model import GOLD
from lakehouse.delivery.register import entries, gold_versions, lake_kind
from lakehouse.delta.log import newest_version
from lakehouse.delta.tables import table_path
from lakehouse.errors import DataError
from lakehouse.identity.pseudonyms import root_key_file
from lakehouse.ingest.layers import LayerCounts
from lakehouse.ingest.run import IngestSummary, ingest
from lakehouse.lake import Lake
from lakehouse.settings import Settings, load_settings
from tests.support.deliveries import ANNA, BENT, CARL, contact, persons, write_delivery, write_file
from tests.support.delta_files import lake_rows
from tests.support.gold_form import fix_root_key, require_form

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FILES = {
    "cpr/cpr3_t_person.csv": persons("9901901234;M;01;1990-01-07;1990-01-07;;;0101;2001-01-01"),
    "cpr/cpr3_t_adresse_udland.csv": [f"{BENT};2018-01-01;2019-01-01;"],
    "cpr/cpr3_dansk_ophold_periode.csv": [
        f"{ANNA};1990-01-07;",
        f"{BENT};1950-02-08;2018-01-01",
        f"{BENT};2019-01-01;",
        f"{CARL};1940-03-09;",
    ],
    "lpr_f/kontakter.csv": [
        contact("41", ANNA, "2020-01-01 08:00", "2020-01-01 12:00", acute=True),
        contact("42", ANNA, "2020-01-01 16:00", "2020-01-02 09:00", place="99004081000017"),
        contact("43", ANNA, "2020-03-01 10:00", "2020-03-01 11:00"),
        contact("44", BENT, "2020-04-01 10:00", "2020-04-01 13:30", acute=True),
        contact("45", BENT, "2020-05-01 10:00", ""),
        contact("46", BENT, "2020-02-30 10:00", ""),
        contact("47", "0000000000", "2020-05-01 10:00", ""),
    ],
    "lpr_f/forloeb.csv": [f"51;{ANNA}", f"54;{BENT}"],
    "lpr_f/diagnoser.csv": [
        "41;DI219;A;Nej;;;LPR3",
        "42;DE112A;B;;;;LPR3",
        "42;TUL1;+;;DE112A;B;LPR3",
        "43;DZ032;H;Nej;;;LPR3",
        "43;DJ189;A;Ja;;;LPR3",
        "44;DS525;A;Nej;;;LPR3",
        "44;DS525;A;Nej;;;LPR3",
        "44;0?0;A;Nej;;;LPR3",
        "99;DI10;A;Nej;;;LPR3",
        "46;DI10;A;Nej;;;LPR3",
        "44;DI10;A;Nej;;LPR3",
    ],
    "lpr_f/procedurer_kirurgi.csv": [
        "61;42;51;KJDF10;P;;99004081000018;2020-01-01;17:00:00",
        "62;;54;KNGD11;P;;;2021-06-01;00:00:00",
        "63;;;KNGD11;P;;;2021-06-01;00:00:00",
        "64;42;51;TUL1;+;KJDF10;;2020-01-01;17:00:00",
    ],
    "lmdb/lmdb_2020.csv": [
        f"{ANNA};2020-02-01;472094;C10AA05;Atorvastatin;100;2;50,0;1093;103333;1415;;1.042,50",
        f"{ANNA};2020-02-03;472094;C10AA05;Atorvastatin;100;1;50,0;1093;103333;1415;;42,00",
        f"{ANNA};2020-02-05;472094;C10AA05;Atorvastatin;100;-1;50,0;1093;103333;1415;1;-42,00",
        f"{ANNA};2020-02-06;472094;C10AA05;Atorvastatin;100;1;50,0;1093;103333;1415;;42,00",
        f"{BENT};2020-02-30;472094;C10AA05;x;100;1;50,0;1;1;1;;1,00",
        f"{BENT};2020-02-01;472094;C10AA05;x;100;1.5;50,0;1;1;1;;1,00",
    ],
    "lab/lab_forsker_2020.csv": [
        f"{ANNA};2020-01-10;08:15:00;NPU27300;48;;mmol/mol;31;44;LAB1082",
        f"{ANNA};2020-01-11;08:15:00;NPU27300;40;;mmol/mol;31;44;LAB1082",
        f"{ANNA};2020-01-12;;NPU02319;6,5;;mmol/L;7,3;9,5;LAB1082",
        f"{ANNA};2020-01-13;08:15:00;DNK35302;>90;;mL/min;60;;LAB1082",
        f"{ANNA};2020-01-14;08:15:00;NPU19748;4;<;mg/L;;8;LAB1082",
        f"{ANNA};2020-01-15;08:15:00;NPU12345;POSITIV;;;;;LAB1082",
        f"{ANNA};2020-01-16;08:15:00;ABC;1;;;;;LAB1082",
    ],
    "dod/dodsaars.csv": [f"{CARL};2023-05-30;I219"],
    "sor/organisationer.csv": [
        "99004081000016;Afsnit Ø;afdeling;R;S;K;1301;130110;1084;2007-01-01;2500-01-01"
    ],
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ingest")


@pytest.fixture(scope="module")
def lake(home: Path) -> Settings:
    settings = load_settings(home / "home", "test")
    fix_root_key(settings)
    return settings


@pytest.fixture(scope="module")
def summary(spark: SparkSession, home: Path, lake: Settings) -> IngestSummary:
    return ingest(Lake(spark, lake), write_delivery(home / "out", FILES))


def rows(spark: SparkSession, lake: Settings, name: str, *columns: str) -> list[tuple[Any, ...]]:
    frame = spark.read.format("delta").load(str(table_path(lake, name)))
    return sorted((tuple(row) for row in frame.selectExpr(*columns).collect()), key=str)


def versions(lake: Settings) -> dict[str, int]:
    return {
        str(path.parent.relative_to(lake.lake)): newest_version(path.parent)
        for path in lake.lake.rglob("_delta_log")
    }


def test_every_row_is_in_silver_or_in_quarantine_with_its_reason(summary: IngestSummary) -> None:
    assert len(summary.files) == len(FILES)
    by_name = {entry.name: entry for entry in summary.files}
    for name, lines in FILES.items():
        entry = by_name[name]
        assert entry.rows_in == entry.rows_bronze == len(lines), name
        assert entry.rows_silver + entry.rows_quarantine == len(lines), name
    assert {name: entry.reasons for name, entry in by_name.items() if entry.reasons} == {
        "cpr/cpr3_t_person.csv": {"bad_cpr_date": 1},
        "lpr_f/kontakter.csv": {"bad_start_date": 1, "no_subject": 1},
        "lpr_f/diagnoser.csv": {"bad_code": 1, "corrupt_row": 1, "duplicate": 1},
        "lmdb/lmdb_2020.csv": {"bad_dispensed_on": 1, "bad_packages": 1},
        "lab/lab_forsker_2020.csv": {"bad_analysis": 1},
    }
    assert summary.unlinked == {"no_contact": 3}
    assert "corrupt_row 1" in str(summary)


def test_quarantine_names_the_row_and_masks_the_example(
    spark: SparkSession, lake: Settings, summary: IngestSummary
) -> None:
    columns = ("row_number", "reason", "example")
    assert rows(spark, lake, "quarantine.lmdb_dispensings", *columns) == [
        (5, "bad_dispensed_on", "dispensed_on=2020-02-30"),
        (6, "bad_packages", "packages=1.5"),
    ]
    assert rows(spark, lake, "quarantine.lpr_f_diagnoser", *columns) == [
        (11, "corrupt_row", "6 of 7 fields: 99;AA99;A;AAA;;AAA9"),
        (7, "duplicate", "as row 6"),
        (8, "bad_code", "code=0?0"),
    ]
    assert rows(spark, lake, "quarantine.unlinked", "source_table", "row_number", "reason") == [
        ("lpr_f_diagnoser", 10, "no_contact"),
        ("lpr_f_diagnoser", 9, "no_contact"),
        ("lpr_f_procedurer_kirurgi", 3, "no_contact"),
    ]


def test_gold_is_computed_as_its_form_says(summary: IngestSummary, home: Path, lake: Settings) -> None:
    assert summary.new
    require_form("ingest", lake, home / "out")


def test_persons(spark: SparkSession, lake: Settings, summary: IngestSummary) -> None:
    columns = (
        "sex",
        "CAST(birth_date AS STRING)",
        "birth_year",
        "municipality",
        "region",
        "CAST(death_date AS STRING)",
    )
    assert rows(spark, lake, "gold.person", *columns) == [
        ("F", "1990-01-07", 1990, "101", "1084", None),
        ("M", "1940-03-09", 1940, "851", "1081", "2023-05-30"),
        ("M", "1950-02-08", 1950, "751", "1082", None),
    ]


def test_stays_are_chained_across_four_hours_and_twelve_make_an_admission(
    spark: SparkSession, lake: Settings, summary: IngestSummary
) -> None:
    columns = (
        "CAST(time_start AS STRING)",
        "CAST(time_end AS STRING)",
        "contacts",
        "hours",
        "setting",
        "place",
    )
    assert rows(spark, lake, "gold.spell", *columns) == [
        ("2020-01-01 08:00:00", "2020-01-02 09:00:00", 2, 25.0, 0, "99004081000016"),
        ("2020-03-01 10:00:00", "2020-03-01 11:00:00", 1, 1.0, 1, "99004081000016"),
        ("2020-04-01 10:00:00", "2020-04-01 13:30:00", 1, 3.5, 2, "99004081000016"),
        ("2020-05-01 10:00:00", "2020-05-01 10:00:00", 1, 0.0, 1, "99004081000016"),
    ]


def test_hospital_events_take_time_place_and_setting_from_their_contact(
    spark: SparkSession, lake: Settings, summary: IngestSummary
) -> None:
    columns = (
        "code",
        "CAST(time_start AS STRING)",
        "time_precision",
        "code_role",
        "place",
        "setting",
        "status",
    )
    found = rows(spark, lake, "gold.event", *columns, "source")
    assert [row[:-1] for row in found if row[-1] == "lpr_f"] == [
        ("ICD10//E112", "2020-01-01 16:00:00", "minute", "secondary", "99004081000017", 0, "active"),
        ("ICD10//I219", "2020-01-01 08:00:00", "minute", "main", "99004081000016", 0, "active"),
        ("ICD10//J189", "2020-03-01 10:00:00", "minute", "main", "99004081000016", 1, "refuted"),
        ("ICD10//S525", "2020-04-01 10:00:00", "minute", "main", "99004081000016", 2, "active"),
        ("ICD10//Z032", "2020-03-01 10:00:00", "minute", "referral", "99004081000016", 1, "active"),
        ("LPR//ADMISSION", "2020-01-01 08:00:00", "minute", None, "99004081000016", 0, "active"),
        ("LPR//EMERGENCY", "2020-04-01 10:00:00", "minute", None, "99004081000016", 2, "active"),
        ("SKS//KJDF10", "2020-01-01 17:00:00", "minute", "main", "99004081000018", 0, "active"),
        ("SKS//KNGD11", "2021-06-01 00:00:00", "day", "main", None, -1, "active"),
        ("SKS//TUL1", "2020-01-01 16:00:00", "minute", "addon", "99004081000017", 0, "active"),
        ("SKS//TUL1", "2020-01-01 17:00:00", "minute", "addon", "99004081000017", 0, "active"),
    ]


def test_dispensings_laboratory_results_and_deaths(
    spark: SparkSession, lake: Settings, summary: IngestSummary
) -> None:
    columns = "domain", "day", "code", "value_num", "value_op", "value_text", "flag", "quantity", "cost_dkk"
    found = rows(spark, lake, "gold.event", *columns, "setting", "status")
    day = 18262
    empty = (None, None, None, None)
    assert [row for row in found if row[0] in ("medicine", "laboratory", "death")] == [
        ("death", 19507, "CPR//DEATH", *empty, None, None, 7, "active"),
        ("laboratory", day + 9, "NPU//NPU27300", 48.0, "=", None, "H", None, None, 5, "active"),
        ("laboratory", day + 10, "NPU//NPU27300", 40.0, "=", None, "N", None, None, 5, "active"),
        ("laboratory", day + 11, "NPU//NPU02319", 6.5, "=", None, "L", None, None, 5, "active"),
        ("laboratory", day + 12, "NPU//DNK35302", 90.0, ">", None, "N", None, None, 5, "active"),
        ("laboratory", day + 13, "NPU//NPU19748", 4.0, "<", None, "N", None, None, 5, "active"),
        ("laboratory", day + 14, "NPU//NPU12345", None, None, "POSITIV", None, None, None, 5, "active"),
        ("medicine", day + 31, "ATC//C10AA05", *empty, 100.0, 1042.5, 4, "active"),
        ("medicine", day + 33, "ATC//C10AA05", *empty, 50.0, 42.0, 4, "reversed"),
        ("medicine", day + 35, "ATC//C10AA05", *empty, -50.0, -42.0, 4, "reversed"),
        ("medicine", day + 36, "ATC//C10AA05", *empty, 50.0, 42.0, 4, "active"),
    ]


def test_the_timeline_holds_what_happened_in_order(
    spark: SparkSession, lake: Settings, summary: IngestSummary
) -> None:
    words = dict(rows(spark, lake, "gold.vocabulary", "code_id", "code"))
    assert [words[number] for number in sorted(words)] == sorted(words.values())
    levels = dict(rows(spark, lake, "gold.vocabulary", "code", "level"))
    assert levels["ICD10//E112"] == "ICD10//E11"
    assert levels["ATC//C10AA05"] == "ATC//C10AA"
    assert levels["SKS//KJDF10"] == "SKS//KJDF"
    assert levels["NPU//NPU27300//H"] == "NPU//NPU27300//H"
    lines = rows(spark, lake, "gold.timeline", "birth_year", "sex", "code", "day", "setting", "split")
    listed = {
        year: [
            (day - 18262, words[code], setting)
            for code, day, setting in zip(codes, days, settings, strict=True)
        ]
        for year, _, codes, days, settings, _ in lines
    }
    assert listed[1990] == [
        (0, "ICD10//E112", 0),
        (0, "ICD10//I219", 0),
        (0, "LPR//ADMISSION", 0),
        (0, "SKS//KJDF10", 0),
        (9, "NPU//NPU27300//H", 5),
        (11, "NPU//NPU02319//L", 5),
        (31, "ATC//C10AA05", 4),
        (36, "ATC//C10AA05", 4),
    ]
    assert listed[1950] == [
        (91, "ICD10//S525", 2),
        (91, "LPR//EMERGENCY", 2),
        (517, "SKS//KNGD11", -1),
    ]
    assert listed[1940] == [(1245, "CPR//DEATH", 7)]
    assert {line[1] for line in lines if line[0] == 1990} == {1}
    assert all(0 <= line[5] < 1024 for line in lines)


def test_observation_periods_are_cut_to_coverage_and_death(
    spark: SparkSession, lake: Settings, summary: IngestSummary
) -> None:
    columns = (
        "CAST(date_add(DATE'1970-01-01', start_day) AS STRING)",
        "CAST(date_add(DATE'1970-01-01', end_day) AS STRING)",
    )
    assert rows(spark, lake, "gold.observation_period", *columns) == [
        ("2017-01-01", "2018-01-01"),
        ("2017-01-01", "2023-05-30"),
        ("2017-01-01", "2024-12-31"),
        ("2019-01-01", "2024-12-31"),
    ]


def test_the_same_delivery_again_makes_no_new_version(
    spark: SparkSession, home: Path, lake: Settings, summary: IngestSummary
) -> None:
    before = versions(lake)
    again = ingest(Lake(spark, lake), home / "out")
    assert (again.new, again.files, again.gold) == ((), summary.files, summary.gold)
    assert versions(lake) == before
    assert gold_versions(lake) == {name: before[f"gold/{name[5:]}"] for name in GOLD}
    assert all(version >= 1 for version in gold_versions(lake).values())


def test_no_value_of_a_person_stands_in_delta_s_log(
    spark: SparkSession, lake: Settings, summary: IngestSummary
) -> None:
    frame = spark.read.format("delta").load(str(table_path(lake, "gold.person")))
    tokens = [row[0] for row in frame.select("person_id").collect()]
    logs = "".join(path.read_text() for path in lake.lake.rglob("_delta_log/*.json"))
    assert "numRecords" in logs
    assert not [token for token in tokens if token in logs]
    assert "minValues" not in "".join(p.read_text() for p in table_path(lake, "gold.person").rglob("*.json"))


def test_a_later_delivery_of_a_file_replaces_it(spark: SparkSession, tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "home", "test")
    first = write_delivery(tmp_path / "first", {"cpr/cpr3_t_person.csv": persons(), "dod/dodsaars.csv": []})
    ingest(Lake(spark, settings), first)
    later = {"dod/dodsaars.csv": [f"{BENT};2024-02-02;I219"], "cpr/cpr3_t_person.csv": persons()[:2]}
    summary = ingest(Lake(spark, settings), write_delivery(tmp_path / "later", later, delivered="2025-02-15"))
    assert summary.gold["gold.person"] == 2
    assert rows(spark, settings, "gold.event", "code", "day") == [
        ("CPR//DEATH", 19755),
        ("ICD10//I219", 19755),
    ]
    assert sorted(entry.edition for entry in entries(Lake(spark, settings))) == [1, 1, 2, 2]
    third = ingest(Lake(spark, settings), first)
    assert (third.new, third.gold["gold.person"]) == ((), 2)


def test_a_lake_holds_persons_of_one_kind(spark: SparkSession, tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "home", "test")
    people = {"cpr/cpr3_t_person.csv": persons()}
    ingest(Lake(spark, settings), write_delivery(tmp_path / "made_up", people))
    assert lake_kind(settings) == "synthetic"
    with pytest.raises(DataError, match="The delivery is real, the lake is synthetic"):
        ingest(Lake(spark, settings), write_delivery(tmp_path / "real", people, kind="real"))


def test_a_file_that_does_not_balance_reaches_no_gold(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lakehouse.ingest import table as module

    settings = load_settings(tmp_path / "home", "test")
    delivery = write_delivery(tmp_path / "out", {"cpr/cpr3_t_person.csv": persons()})
    whole = module.land

    def one_short(*given: Any) -> LayerCounts:
        landed = whole(*given)
        return replace(landed, silver={file: rows - 1 for file, rows in landed.silver.items()})

    monkeypatch.setattr(module, "land", one_short)
    with pytest.raises(DataError, match="3 rows, but kept 0, bronze 3, silver 2 and quarantine 0"):
        ingest(Lake(spark, settings), delivery)
    assert entries(Lake(spark, settings)) == []
    assert gold_versions(settings) == {}
    monkeypatch.undo()
    assert ingest(Lake(spark, settings), delivery).gold["gold.person"] == 3


def test_gold_is_built_after_a_stop_between_recording_and_building(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lakehouse.ingest import run as module

    settings = load_settings(tmp_path / "home", "test")
    delivery = write_delivery(tmp_path / "out", {"cpr/cpr3_t_person.csv": persons()})

    def stop(*given: object) -> None:
        raise DataError("stopped")

    monkeypatch.setattr(module, "build_gold", stop)
    with pytest.raises(DataError, match="stopped"):
        ingest(Lake(spark, settings), delivery)
    assert [entry.rows_silver for entry in entries(Lake(spark, settings))] == [3]
    monkeypatch.undo()
    again = ingest(Lake(spark, settings), delivery)
    assert (again.new, again.gold["gold.person"]) == ((), 3)
    assert json.loads((settings.lake / "gold" / "versions.json").read_text())["rows"] == again.gold


def test_warnings_name_unknown_columns_and_files(spark: SparkSession, tmp_path: Path) -> None:
    root = write_delivery(tmp_path / "out", {"cpr/cpr3_t_person.csv": persons()})
    write_file(root, "dod/dodsaars.csv", [f"{ANNA};2020-01-01;I219;x"], header="PNR;D_DODSDATO;C_DOD1A;Extra")
    (root / "readme.txt").write_text("x")
    told = " ".join(ingest(Lake(spark, load_settings(tmp_path / "home", "test")), root).warnings)
    assert "extra" in told
    assert "readme.txt" in told


def test_equal_rows_are_found_across_the_chunks_of_a_file(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lakehouse.delivery.readers import chunks

    monkeypatch.setattr(chunks, "BLOCK_BYTES", 100)
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 100)
    lines = [f"{person};2020-01-{day:02d};I219" for day in range(1, 10) for person in (ANNA, BENT)]
    delivery = write_delivery(tmp_path / "out", {"dod/dodsaars.csv": [*lines, lines[0], "x", lines[5]]})
    settings = load_settings(tmp_path / "home", "test")
    (entry,) = ingest(Lake(spark, settings), delivery).files
    assert (entry.rows_in, entry.rows_silver, entry.reasons) == (21, 18, {"corrupt_row": 1, "duplicate": 2})
    assert rows(spark, settings, "quarantine.dod_deaths", "row_number", "example") == [
        (19, "as row 1"),
        (20, "1 of 3 fields: A"),
        (21, "as row 6"),
    ]


def test_a_file_that_changes_while_it_is_read_is_refused(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lakehouse.ingest import layers as landing

    settings = load_settings(tmp_path / "home", "test")
    delivery = write_delivery(tmp_path / "out", {"dod/dodsaars.csv": [f"{ANNA};2020-01-01;I219"]})
    monkeypatch.setattr(landing, "file_digest", lambda path: "another")
    with pytest.raises(DataError, match=r"dodsaars\.csv changed while it was read"):
        ingest(Lake(spark, settings), delivery)
    assert entries(Lake(spark, settings)) == []


def test_logs_left_without_a_commit_are_no_tables(spark: SparkSession, tmp_path: Path) -> None:
    """A writer killed before its first commit leaves the folder of the log, and nothing in it that counts."""
    rows = {"cpr/cpr3_t_person.csv": persons(), "dod/dodsaars.csv": [f"{CARL};2023-05-30;I219", "spoiled"]}
    folder = write_delivery(tmp_path / "out", rows)
    whole, killed = load_settings(tmp_path / "whole", "test"), load_settings(tmp_path / "killed", "test")
    shutil.copy(root_key_file(whole, create=True), root_key_file(killed, create=True))
    ingest(Lake(spark, whole), folder)
    expected = lake_rows(whole.lake)
    logs = [log.relative_to(whole.lake) for log in whole.lake.rglob("_delta_log")]
    assert len(logs) > len(GOLD)
    for log in logs:
        (killed.lake / log).mkdir(parents=True)
        (killed.lake / log / f".{0:020d}.json.tmp").write_text("half a com")
    assert entries(Lake(spark, killed)) == []
    ingest(Lake(spark, killed), folder)
    assert lake_rows(killed.lake) == expected
    for name in GOLD:
        assert newest_version(table_path(killed, name)) == newest_version(table_path(whole, name))
