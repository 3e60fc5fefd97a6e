"""Who there is: what all sources say of a person, brought together in one row of ``gold.person``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lakehouse.codes import municipality_regions
from lakehouse.declarations.schema import Facts, Source, Table
from lakehouse.gold.current_silver import CurrentFiles, silver_rows, union

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from lakehouse.lake import Lake

FACTS = {
    "sex": "STRING",
    "birth_date": "DATE",
    "birth_year": "SMALLINT",
    "municipality": "STRING",
    "death_date": "DATE",
}


def fact_rows(rows: DataFrame, facts: Facts, source: Source, table: Table) -> DataFrame:
    """Facts in common columns."""
    given = [f"CAST({facts.columns.get(name, 'NULL')} AS {type}) AS {name}" for name, type in FACTS.items()]
    told = "remarks" if any(each.classified for each in table.fields) else "NULL"
    return (
        rows.where(facts.where)
        .selectExpr(
            "person_id",
            *given,
            f"CAST({told} AS STRING) AS remarks",
            f"'{source.name}' AS source",
            f"'{source.death_code}' AS death_code",
        )
        .where("person_id IS NOT NULL")
    )


def known_of(met: Sequence[tuple[str, DataFrame]]) -> list[DataFrame]:
    """One row a person of whom rows of some sources tell nothing but that there is such a person: none, or one frame.

    The first source by name counts. As a number, since Spark sorts all rows to find the least of texts.
    """
    names = sorted({name for name, _ in met})
    rows = union(
        [each.selectExpr("person_id", f"CAST({names.index(name)} AS TINYINT) AS at") for name, each in met]
    )
    if rows is None:
        return []
    listed = ", ".join(f"'{name}'" for name in names)
    return [
        rows.where("person_id IS NOT NULL")
        .groupBy("person_id")
        .agg({"at": "min"})
        .selectExpr(
            "person_id",
            *(f"CAST(NULL AS {type}) AS {name}" for name, type in FACTS.items()),
            "CAST(NULL AS STRING) AS remarks",
            f"array({listed})[`min(at)`] AS source",
            "'' AS death_code",
        )
    ]


def persons(lake: Lake, current: CurrentFiles) -> DataFrame | None:
    """``gold.person``: facts of all sources brought together, with the code each death is an event under.

    Whoever something happened to has a row, if only to say that nothing else is known.
    """
    told, met = [], []
    for source, table in current.tables():
        rows = silver_rows(lake, current, table)
        told += [fact_rows(rows, facts, source, table) for facts in table.facts]
        if table.has("person_id") and (table.events or table.contacts):
            met.append((source.name, rows))
    everybody = union([*told, *known_of(met)])
    if everybody is None:
        return None
    regions = ", ".join(
        f"'{place}', '{region}'" for place, region in municipality_regions(lake.settings).items()
    )
    return (
        everybody.groupBy("person_id")
        .agg(*brought_together())
        .selectExpr(
            "person_id",
            "coalesce(sex, 'U') AS sex",
            "birth_date",
            "coalesce(birth_year, CAST(year(birth_date) AS SMALLINT)) AS birth_year",
            "municipality",
            f"try_element_at(map({regions}), municipality) AS region",
            "death_date",
            "source",
            "nullif(concat_ws(',', remarks, CASE WHEN sexes > 1 THEN 'sexes_differ' END), '') AS quality",
            "death_code",
        )
    )


def brought_together() -> list[Column]:
    """How several facts of one person become one: the same whatever the order they come in."""
    from pyspark.sql import functions

    return [
        functions.max("sex").alias("sex"),
        functions.min("birth_date").alias("birth_date"),
        functions.min("birth_year").alias("birth_year"),
        functions.max("municipality").alias("municipality"),
        functions.min("death_date").alias("death_date"),
        functions.min("source").alias("source"),
        functions.max("death_code").alias("death_code"),
        functions.count_distinct("sex").alias("sexes"),
        functions.max("remarks").alias("remarks"),
    ]
