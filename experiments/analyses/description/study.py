"""Counts of every code of a study, in each of the ways an indicator table cuts them, made by Spark from the timelines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from experiments.execution.codes import MinedCodes
from experiments.execution.timelines import VOCABULARY, some_persons, timelines
from experiments.findings import Findings
from experiments.products.indicators import CUTS, EVERYBODY, SCHEMA, Indicators
from lakehouse.data_model import Sex
from lakehouse.errors import UsageError
from lakehouse.progress import current

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from lakehouse.study.session import Study

READS = {
    "gold.timeline": ["person_id", "sex", "birth_year", "code", "day"],
    "gold.vocabulary": list(VOCABULARY),
}
"""Tables and columns the description reads."""
PLACES = {"gold.person": ["person_id", "municipality"]}
"""What is read besides for places."""
SEXES = {int(Sex.FEMALE): "F", int(Sex.MALE): "M", int(Sex.UNKNOWN): "U"}
UNKNOWN = "unknown"


class Params(Protocol):
    """What the description needs to know; a job's own dataclass has these fields."""

    places: bool
    age_years: int
    level: str


def reads_of(params: Params) -> dict[str, list[str]]:
    """Columns by table that are read with these parameters."""
    return READS | (PLACES if params.places else {})


def describe(study: Study, params: Params) -> Findings:
    """Persons and events of every code, over all and by year, sex, age group and place of residence (municipality).

    An event is a day of a code in a person. A person is counted once in each group; age is the year's less the year of
    birth. Raises :class:`UsageError` for an age group without width, :class:`DataError` for a study without timelines.
    """
    if params.age_years < 1:
        raise UsageError("age_years starts at 1.", "", "Correct --set.")
    opened = timelines(study, params.level, reads=READS)
    spark = opened.frame.sparkSession
    with current().watch("counting persons and events of every code", spark):
        place = study.table("gold.person", PLACES["gold.person"]) if params.places else None
        person_years = _person_years(opened.frame, opened.codes, place, params.age_years).persist()
        cuts = [cut for cut in CUTS if params.places or cut != "place"]
        parts = [_cut(person_years, cut).toArrow() for cut in cuts]
        persons = int(opened.frame.where("size(day) > 0").count())
        person_years.unpersist()
    some_persons(persons)
    table = _named([row for part in parts for row in part.to_pylist()], opened.codes)
    origin = {"Data": " ".join(f"{name}@{number}" for name, number in sorted(study.versions.items()))}
    return Findings((Indicators(table, persons, "the permit's whole period", origin),), persons)


def _person_years(frame: DataFrame, codes: MinedCodes, place: DataFrame | None, age_years: int) -> DataFrame:
    """One row a person, mined code and calendar year: sex, age group, place, and events (distinct days)."""
    from pyspark.sql import functions

    pairs = [(number, int(code)) for number, code in enumerate(codes.code_map) if code >= 0]
    mined = frame.sparkSession.createDataFrame(pairs, "number INT, mined INT")
    sexes = ", ".join(f"{number}, '{word}'" for number, word in SEXES.items())
    age = f"(year - birth_year) div {age_years} * {age_years}"
    group = f"concat(lpad(CAST({age} AS STRING), 2, '0'), '-', lpad(CAST({age} + {age_years - 1} AS STRING), 2, '0'))"
    events = (
        frame.selectExpr("person_id", "sex", "birth_year", "explode(arrays_zip(code, day)) AS event")
        .selectExpr("person_id", "sex", "birth_year", "event.code AS number", "event.day AS day")
        .join(functions.broadcast(mined), "number")
        .groupBy("person_id", "sex", "birth_year", "mined", functions.expr("year(date_from_unix_date(day)) AS year"))
        .agg(functions.count_distinct("day").alias("events"))
        .selectExpr(
            "person_id", "mined", "events", "CAST(year AS STRING) AS year",
            f"coalesce(element_at(map({sexes}), CAST(sex AS INT)), 'U') AS sex",
            f"CASE WHEN birth_year IS NULL OR year < birth_year THEN '{UNKNOWN}' ELSE {group} END AS age",
        )
    )  # fmt: skip
    if place is None:
        return events.selectExpr("*", f"'{UNKNOWN}' AS place")
    lives = place.selectExpr("person_id", f"coalesce(municipality, '{UNKNOWN}') AS place")
    return events.join(lives, "person_id", "left").fillna(UNKNOWN, ["place"])


def _cut(person_years: DataFrame, cut: str) -> DataFrame:
    """Distinct persons and events of each code in each group of a cut: mined, by, value, persons, events."""
    from pyspark.sql import functions

    value = functions.lit(EVERYBODY) if cut == EVERYBODY else functions.col(cut)
    return (
        person_years.groupBy("person_id", "mined", value.alias("value"))
        .agg(functions.sum("events").alias("events"))
        .groupBy("mined", "value")
        .agg(functions.count("*").alias("persons"), functions.sum("events").alias("events"))
        .selectExpr("mined", f"'{cut}' AS `by`", "value", "persons", "events")
    )


def _named(counted: Sequence[dict[str, Any]], codes: MinedCodes) -> pa.Table:
    """The counts under the codes' names, in the order of code, cut and value."""
    rows = [{**row, "code": codes.names[row["mined"]], "text": codes.texts[row["mined"]]} for row in counted]
    return pa.Table.from_pylist(rows, SCHEMA).sort_by(
        [("code", "ascending"), ("by", "ascending"), ("value", "ascending")]
    )
