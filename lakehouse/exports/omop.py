"""The lake as an OMOP CDM 5.4 folder: one Parquet file a table, every code as a concept of its own.

Danish codes have no standard concepts here: each code is a concept from 2,000,000,001 on, which is where the model
leaves room for a site's own, and stands both as concept and as source concept. A mapping to standard concepts can be
laid over the folder without touching it.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.data_model import Setting
from lakehouse.exports.files import new_folder, write_rows
from lakehouse.exports.omop_tables import LENGTHS, TABLES, schema_of

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

OWN = 2_000_000_000
REGISTRY = 32_879
"""Type concept "Registry"."""
DOMAINS = {
    "diagnosis": "condition_occurrence",
    "condition": "condition_occurrence",
    "procedure": "procedure_occurrence",
    "medicine": "drug_exposure",
    "drug": "drug_exposure",
    "laboratory": "measurement",
    "measurement": "measurement",
}
"""Table of a domain; contacts are visits, deaths the table of deaths, all others observations."""
APART = ("contact", "visit", "death")
CONCEPT_DOMAINS = {
    "condition_occurrence": "Condition",
    "procedure_occurrence": "Procedure",
    "drug_exposure": "Drug",
    "measurement": "Measurement",
    "observation": "Observation",
}
OPERATORS = "CASE value_op WHEN '=' THEN 4172703 WHEN '<' THEN 4171756 WHEN '>' THEN 4172704 END"
VISITS = (
    f"CASE setting WHEN {Setting.INPATIENT:d} THEN 9201 WHEN {Setting.OUTPATIENT:d} THEN 9202 "
    f"WHEN {Setting.EMERGENCY:d} THEN 9203 ELSE 0 END"
)
DAY = "CAST(time_start AS DATE)"
CLOCK = "CASE WHEN time_precision = 'minute' THEN time_start END"
CLINICAL = {
    "condition_occurrence": {
        "condition_concept_id": "concept_id",
        "condition_start_date": DAY,
        "condition_start_datetime": CLOCK,
        "condition_end_date": "CAST(time_end AS DATE)",
        "condition_type_concept_id": str(REGISTRY),
        "condition_status_concept_id": "CASE code_role WHEN 'main' THEN 32902 WHEN 'secondary' THEN 32908 END",
        "condition_source_value": "code",
        "condition_source_concept_id": "concept_id",
        "condition_status_source_value": "code_role",
    },
    "procedure_occurrence": {
        "procedure_concept_id": "concept_id",
        "procedure_date": DAY,
        "procedure_datetime": CLOCK,
        "procedure_type_concept_id": str(REGISTRY),
        "procedure_source_value": "code",
        "procedure_source_concept_id": "concept_id",
    },
    "drug_exposure": {
        "drug_concept_id": "concept_id",
        "drug_exposure_start_date": DAY,
        "drug_exposure_start_datetime": CLOCK,
        "drug_exposure_end_date": f"coalesce(CAST(time_end AS DATE), {DAY})",
        "drug_type_concept_id": str(REGISTRY),
        "quantity": "quantity",
        "drug_source_value": "code",
        "drug_source_concept_id": "concept_id",
    },
    "measurement": {
        "measurement_concept_id": "concept_id",
        "measurement_date": DAY,
        "measurement_datetime": CLOCK,
        "measurement_type_concept_id": str(REGISTRY),
        "operator_concept_id": OPERATORS,
        "value_as_number": "value_num",
        "measurement_source_value": "code",
        "measurement_source_concept_id": "concept_id",
        "unit_source_value": "unit",
        "value_source_value": "value_text",
    },
    "observation": {
        "observation_concept_id": "concept_id",
        "observation_date": DAY,
        "observation_datetime": CLOCK,
        "observation_type_concept_id": str(REGISTRY),
        "value_as_number": "value_num",
        "value_as_string": "value_text",
        "observation_source_value": "code",
        "observation_source_concept_id": "concept_id",
        "unit_source_value": "unit",
    },
}


@dataclass(frozen=True)
class GoldFrames:
    """The gold tables an export is made of, as a study or the data unit sees them."""

    person: DataFrame
    event: DataFrame
    observation_period: DataFrame
    spell: DataFrame
    vocabulary: DataFrame


def numbered(name: str) -> Callable[[pa.Table, int], pa.Table]:
    """Adds a running number as the column ``name``, and cuts texts to what the model allows."""

    def shape(piece: pa.Table, before: int) -> pa.Table:
        import pyarrow as pa

        if not name:
            return piece
        ids = pa.array(range(before + 1, before + piece.num_rows + 1), pa.int64())
        return piece.append_column(name, ids)

    return shape


def selected(table: str, given: dict[str, str]) -> list[str]:
    """SQL of the given columns, texts cut to their length."""
    length = {each.name: LENGTHS.get(each.type, 0) for each in TABLES[table]}
    return [
        f"left({sql}, {length[name]}) AS {name}" if length[name] else f"{sql} AS {name}"
        for name, sql in given.items()
    ]


@dataclass(frozen=True)
class Tables:
    """Writes tables into the folder and counts their rows."""

    folder: Path
    counts: dict[str, int] = field(default_factory=dict)

    def write(self, table: str, frame: DataFrame, given: dict[str, str], number: str = "") -> None:
        """One table from a frame: SQL by column, and the column that numbers the rows."""
        rows = frame.selectExpr(*selected(table, given))
        path = self.folder / f"{table}.parquet"
        self.counts[table] = write_rows(rows, schema_of(table), path, numbered(number))


def write_omop(spark: SparkSession, gold: GoldFrames, out: Path, name: str) -> dict[str, int]:
    """Write the folder and return rows by table."""
    from pyspark.sql import functions

    people = gold.person.where("birth_year IS NOT NULL").selectExpr(
        "*", "CAST(row_number() OVER (ORDER BY person_id) AS INT) AS number"
    )
    numbers = people.select("person_id", "number").persist()
    standing = gold.event.where("status IN ('active', 'open')")
    concepts = concept_rows(spark, standing, gold.vocabulary)
    places = place_rows(spark, gold)
    with new_folder(out) as folder:
        tables = Tables(folder)
        tables.write("person", people, PERSON)
        periods = gold.observation_period.join(numbers, "person_id")
        tables.write("observation_period", periods, PERIOD, "observation_period_id")
        spells = gold.spell.join(numbers, "person_id").join(functions.broadcast(places), "place", "left")
        tables.write("visit_occurrence", spells, VISIT, "visit_occurrence_id")
        named = functions.broadcast(concepts.select("code", "concept_id"))
        write_clinical(tables, standing.join(numbers, "person_id").join(named, "code"))
        tables.write("death", people.where("death_date IS NOT NULL"), DEATH)
        tables.write("care_site", places, {"care_site_id": "care_site_id", "care_site_source_value": "place"})
        tables.write("concept", concepts, CONCEPT)
        tables.write("vocabulary", concepts.select("vocabulary_id").distinct(), VOCABULARY)
        today, plain = f"DATE'{datetime.date.today().isoformat()}'", name.replace("'", "")
        about = {key: sql.replace("TODAY", today).replace("NAME", plain) for key, sql in SOURCE.items()}
        tables.write("cdm_source", spark.range(1), about)
    numbers.unpersist()
    return tables.counts


def write_clinical(tables: Tables, events: DataFrame) -> None:
    """Conditions, procedures, drugs and measurements by their domain; all that is none of these as observations."""
    from pyspark.sql import functions

    domain = functions.coalesce(events["domain"], functions.lit(""))
    for table, given in CLINICAL.items():
        domains = [name for name, target in DOMAINS.items() if target == table]
        inside = domain.isin(domains or [*DOMAINS, *APART])
        chosen = events.where(inside if domains else ~inside)
        tables.write(table, chosen, {"person_id": "number"} | given, f"{table}_id")


PERSON = {
    "person_id": "number",
    "gender_concept_id": "CASE sex WHEN 'F' THEN 8532 WHEN 'M' THEN 8507 ELSE 0 END",
    "year_of_birth": "birth_year",
    "month_of_birth": "month(birth_date)",
    "day_of_birth": "day(birth_date)",
    "birth_datetime": "CAST(birth_date AS TIMESTAMP_NTZ)",
    "race_concept_id": "0",
    "ethnicity_concept_id": "0",
    "gender_source_value": "sex",
}
DEATH = {"person_id": "number", "death_date": "death_date", "death_type_concept_id": str(REGISTRY)}
VOCABULARY = {
    "vocabulary_id": "vocabulary_id",
    "vocabulary_name": "vocabulary_id",
    "vocabulary_concept_id": "0",
}
PERIOD = {
    "person_id": "number",
    "observation_period_start_date": "date_from_unix_date(start_day)",
    "observation_period_end_date": "date_from_unix_date(end_day)",
    "period_type_concept_id": str(REGISTRY),
}
VISIT = {
    "person_id": "number",
    "visit_concept_id": VISITS,
    "visit_start_date": DAY,
    "visit_start_datetime": "time_start",
    "visit_end_date": f"coalesce(CAST(time_end AS DATE), {DAY})",
    "visit_end_datetime": "time_end",
    "visit_type_concept_id": str(REGISTRY),
    "care_site_id": "care_site_id",
}
CONCEPT = {
    "concept_id": "concept_id",
    "concept_name": "name",
    "domain_id": "domain_id",
    "vocabulary_id": "vocabulary_id",
    "concept_class_id": "'Undefined'",
    "concept_code": "concept_code",
    "valid_start_date": "DATE'1970-01-01'",
    "valid_end_date": "DATE'2099-12-31'",
}
SOURCE = {
    "cdm_source_name": "'NAME'",
    "cdm_source_abbreviation": "'NAME'",
    "cdm_holder": "'NAME'",
    "source_release_date": "TODAY",
    "cdm_release_date": "TODAY",
    "cdm_version": "'5.4'",
    "cdm_version_concept_id": "756265",
    "vocabulary_version": "'own codes'",
}


def concept_rows(spark: SparkSession, event: DataFrame, words: DataFrame) -> DataFrame:
    """A concept for each code among the events, numbered in order of the code."""
    texts = {row["code"]: row["text"] for row in words.select("code", "text").collect()}
    rows: list[tuple[Any, ...]] = []
    found = event.groupBy("code").agg({"domain": "min", "code_system": "min"}).collect()
    for number, row in enumerate(sorted(found, key=lambda each: str(each["code"])), 1):
        code = str(row["code"])
        system, separator, rest = code.partition("//")
        table = DOMAINS.get(row["min(domain)"], "observation")
        rows.append(
            (
                code,
                OWN + number,
                texts.get(code) or code,
                CONCEPT_DOMAINS[table],
                (system if separator else str(row["min(code_system)"] or "None"))[:20],
                rest if separator else code,
            )
        )
    ddl = "code STRING, concept_id INT, name STRING, domain_id STRING, vocabulary_id STRING, concept_code STRING"
    return spark.createDataFrame(rows, ddl)


def place_rows(spark: SparkSession, gold: GoldFrames) -> DataFrame:
    """A care site for each place of a stay."""
    places = sorted(row["place"] for row in gold.spell.select("place").distinct().collect() if row["place"])
    return spark.createDataFrame(
        list(zip(places, range(1, len(places) + 1), strict=True)), "place STRING, care_site_id INT"
    )
