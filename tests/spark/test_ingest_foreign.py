"""Foreign data sets to gold: OMOP held to what others counted in it, MEDS to its own rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from experiments.execution.codes import mined_codes
from lakehouse.delta.tables import table_path
from lakehouse.ingest.run import ingest
from lakehouse.lake import Lake
from lakehouse.settings import Settings, load_settings
from tests.support.deliveries import write_meds

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

OMOP = {
    "person": ["person_id,gender_concept_id,year_of_birth", "1,8507,1950", "2,8532,1960"],
    "death": ["person_id,death_date"],
    "visit_occurrence": [
        "visit_occurrence_id,person_id,visit_concept_id,visit_start_date,visit_end_date,visit_source_value",
        "11,1,9201,2001-02-03,2001-02-09,ward",
        "12,2,9203,2001-02-03,2001-02-03,acute",
    ],
    "condition_occurrence": [
        "condition_occurrence_id,person_id,condition_concept_id,condition_start_date,condition_end_date,"
        "condition_source_value,visit_occurrence_id",
        "21,1,320128,2001-02-05,,high,11",
    ],
}
"""A folder without a concept table, in which a stay has its diagnosis two days after it began."""


def table(spark: SparkSession, settings: Settings, name: str) -> DataFrame:
    return spark.read.format("delta").load(str(table_path(settings, name)))


def listed(frame: DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in frame.selectExpr(*columns).collect()), key=str)


def test_a_meds_data_set(spark: SparkSession, settings: Settings, tmp_path: Path) -> None:
    rows: list[tuple[int, str | None, str, float | None]] = [
        (1, "1950-06-01T00:00:00", "MEDS_BIRTH", None),
        (1, None, "GENDER//FEMALE", None),
        (1, "2001-02-03T04:05:06", "ICD10//I219", None),
        (1, "2001-02-03T23:00:00", "ICD10//I219", None),
        (1, "2001-02-03T00:00:00", "LAB//50931//mg/dL", 7.5),
        (1, None, "STATIC", None),
        (1, "2002-01-01T00:00:00", "MEDS_DEATH", None),
        (2, "1960-01-01T00:00:00", "MEDS_BIRTH", None),
        (2, "1960-01-01T00:00:00", "SEX//M", None),
        (2, "1969-12-31T10:00:00", "A", None),
        (3, "2001-01-01T00:00:00", "A", None),
        (4, "1980-01-01T00:00:00", "MEDS_BIRTH", None),
    ]
    summary = ingest(Lake(spark, settings), write_meds(tmp_path / "meds", rows))
    assert (summary.format, summary.kind, summary.without_birth) == ("meds", "foreign", 1)
    assert {entry.name: entry.rows_silver for entry in summary.files} == {
        "data/train/0.parquet": 12,
        "metadata/codes.parquet": 8,
    }
    person = table(spark, settings, "gold.person")
    assert listed(person, "birth_year", "sex", "CAST(death_date AS STRING)") == [
        (1950, "F", "2002-01-01"),
        (1960, "M", None),
        (1980, "U", None),
        (None, "U", None),
    ]
    vocabulary = table(spark, settings, "gold.vocabulary")
    assert listed(vocabulary, "code_id", "code", "level", "text") == [
        (number, code, code, f"about {code}")
        for number, code in enumerate(["A", "ICD10//I219", "LAB//50931//mg/dL", "MEDS_DEATH"])
    ]
    timeline = table(spark, settings, "gold.timeline")
    assert listed(timeline, "birth_year", "sex", "code", "day", "setting", "first_day", "last_day") == [
        (1950, 1, [1, 2, 3], [11356, 11356, 11688], [-1, -1, -1], 11356, 11688),
        (1960, 2, [0], [-1], [-1], -1, -1),
    ]
    values = listed(table(spark, settings, "gold.event").where("value_num IS NOT NULL"), "code", "value_num")
    assert values == [("LAB//50931//mg/dL", 7.5)]
    again = ingest(Lake(spark, settings), tmp_path / "meds")
    assert again.new == ()


def test_meds_admissions_are_contacts_of_the_vocabulary(
    spark: SparkSession, settings: Settings, tmp_path: Path
) -> None:
    contacts = ["ED_OUT", "HOSPITAL_ADMISSION//URGENT", "LPR//ADMISSION", "TRANSFER_TO//ward", "Visit/IP"]
    others = ["DIAGNOSIS//I219", "GP//LISTED", "LAB//ADMISSION", "TRANSFERRIN"]
    born: tuple[int, str | None, str, float | None] = (1, "1950-06-01T00:00:00", "MEDS_BIRTH", None)
    rows = [born, *((1, "2001-02-03T00:00:00", code, None) for code in [*contacts, *others])]
    ingest(Lake(spark, settings), write_meds(tmp_path / "meds", rows))
    vocabulary = table(spark, settings, "gold.vocabulary").select(
        "code_id", "code", "domain", "text", "level"
    )
    domains = dict(listed(vocabulary, "code", "domain"))
    assert domains == dict.fromkeys(contacts, "contact") | dict.fromkeys(others, "event")
    codes = mined_codes(vocabulary.toArrow(), "default")
    assert {codes.names[number] for number in codes.contacts} == set(contacts)


def test_visits_of_omop_are_contacts_of_the_vocabulary(
    spark: SparkSession, settings: Settings, tmp_path: Path
) -> None:
    root = tmp_path / "omop"
    root.mkdir()
    for name, lines in OMOP.items():
        (root / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    ingest(Lake(spark, settings), root)
    vocabulary = table(spark, settings, "gold.vocabulary").select(
        "code_id", "code", "domain", "text", "level"
    )
    codes = mined_codes(vocabulary.toArrow(), "default")
    assert codes.names == ["Condition//320128", "Visit//9201", "Visit//9203"]
    assert [codes.names[number] for number in codes.contacts] == ["Visit//9201", "Visit//9203"]


@pytest.fixture(scope="module")
def eunomia(spark: SparkSession, foreign_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = load_settings(tmp_path_factory.mktemp("omop"), "test")
    ingest(Lake(spark, settings), foreign_data / "eunomia_gibleed")
    return settings


def test_omop_counts_are_those_others_counted(spark: SparkSession, eunomia: Settings) -> None:
    events = table(spark, eunomia, "gold.event")
    counts = {
        row[0]: row[1:]
        for row in listed(
            events.groupBy("domain").agg({"*": "count", "code_raw": "approx_count_distinct"}),
            "domain",
            "`count(1)`",
        )
    }
    assert {name: count for name, (count,) in counts.items()} == {
        "condition": 65_332,
        "drug": 67_707,
        "procedure": 37_409,
        "measurement": 44_053,
        "observation": 1_477,
        "contact": 1_037,
    }
    conditions = events.where("domain = 'condition'")
    assert conditions.select("code").distinct().count() == 80
    assert events.where("domain = 'drug'").select("code").distinct().count() == 113
    assert listed(conditions, "CAST(min(time_start) AS STRING)", "CAST(max(time_start) AS STRING)") == [
        ("1908-10-30 00:00:00", "2019-06-29 00:00:00")
    ]
    assert table(spark, eunomia, "gold.person").count() == 2_694
    assert table(spark, eunomia, "gold.observation_period").count() == 5_343


def test_omop_first_nsaids_and_bleeds_are_the_known_numbers(spark: SparkSession, eunomia: Settings) -> None:
    events = table(spark, eunomia, "gold.event")
    first = "CASE code_raw WHEN '1118084' THEN 'celecoxib' WHEN '1124300' THEN 'diclofenac' WHEN '192671' THEN 'bleed' END"
    people = listed(
        events.selectExpr(f"{first} AS what", "person_id")
        .where("what IS NOT NULL")
        .distinct()
        .groupBy("what")
        .count(),
        "what",
        "count",
    )
    assert people == [("bleed", 479), ("celecoxib", 1_844), ("diclofenac", 850)]


def test_omop_first_occurrence_pairs_in_the_timeline(spark: SparkSession, eunomia: Settings) -> None:
    """Pairs of conditions, A strictly before B: 200,958 person-pairs, 4,648 distinct ordered pairs."""
    words = table(spark, eunomia, "gold.vocabulary").where("domain = 'condition'").select("code_id")
    firsts = (
        table(spark, eunomia, "gold.timeline")
        .selectExpr("person_id", "inline(arrays_zip(code, day))")
        .join(words, words["code_id"] == table_code())
        .groupBy("person_id", "code")
        .agg({"day": "min"})
        .withColumnRenamed("min(day)", "day")
    )
    left, right = firsts.alias("a"), firsts.alias("b")
    pairs = left.join(right, "person_id").where("a.day < b.day").selectExpr("a.code AS a", "b.code AS b")
    assert (pairs.count(), pairs.distinct().count()) == (200_958, 4_648)


def table_code() -> Any:
    from pyspark.sql import functions

    return functions.col("code")
