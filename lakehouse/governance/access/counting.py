"""The platform's own counts behind a scope record: rows and persons of what was read, and who each rule removed."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from lakehouse.data_model import GOLD
from lakehouse.governance.access.row_rules import LAKE_PERSON, RowRules

if TYPE_CHECKING:
    from pyroaring import BitMap
    from pyspark.sql import Column, SparkSession

    from lakehouse.governance.access.person_sets import PersonSets

ONE_ROW_A_PERSON = ("gold.timeline", "gold.person")
"""Tables whose persons need no grouping to be counted."""

MOST_CONDITIONS = 100
"""More distinct conditions than this are counted as one read of everything: never less than was read."""


def count_reads(
    spark: SparkSession,
    rules: RowRules,
    table: str,
    conditions: Collection[tuple[str, ...]],
    sets: PersonSets,
) -> tuple[int, BitMap | None]:
    """Exact rows and the set of persons that the reads of a table could see, in one query of the platform's own.

    ``conditions`` holds one tuple of SQL texts a query, all of which held; a row counts when it met all the
    conditions of at least one query. The set is ``None`` for a table without persons.
    """
    import pyarrow.compute as pc
    from pyroaring import BitMap
    from pyspark.sql import functions as fn

    frame = rules.narrow(spark, table, list(GOLD[table].column_names), count=True)
    frame = frame.alias(rules.label(table))
    if (seen := any_of(conditions)) is not None:
        frame = frame.where(seen)
    if LAKE_PERSON not in frame.columns:
        return frame.count(), None
    if table in ONE_ROW_A_PERSON:
        tokens = frame.select(LAKE_PERSON).toArrow().column(0)
        return len(tokens), BitMap(sets.numbers(pc.drop_null(tokens)).astype("uint32"))
    found = frame.groupBy(LAKE_PERSON).agg(fn.count(fn.lit(1)).alias("rows")).toArrow()
    rows = int(pc.sum(found.column("rows")).as_py() or 0)
    tokens = pc.drop_null(found.column(LAKE_PERSON))
    return rows, BitMap(sets.numbers(tokens).astype("uint32"))


def any_of(conditions: Collection[tuple[str, ...]]) -> Column | None:
    """One condition for 'seen by at least one query', ``None`` when some query saw everything."""
    from pyspark.sql import functions as fn

    if not all(conditions) or not conditions or len(conditions) > MOST_CONDITIONS:
        return None
    return fn.expr(" OR ".join(f"({' AND '.join(parts)})" for parts in sorted(conditions)))


def count_persons(spark: SparkSession, rules: RowRules) -> list[tuple[str, int]]:
    """Persons left after each rule: all, the permit's population, the study's cohort, those not opted out."""
    from pyspark.sql import functions as fn

    if "gold.person" not in rules.versions:
        return []
    label = rules.label("gold.person")
    if rules.cut:
        return [("persons in the extract", rules.read(spark, "gold.person").select("*").alias(label).count())]
    people = rules.read(spark, "gold.person").select("*").alias(label)
    steps = [("persons in the lake", fn.lit(True))]
    for name, predicate in (
        ("permit's population", rules.permit.population),
        ("study's cohort", rules.cohort),
    ):
        if predicate.strip().lower() != "all":
            steps.append((name, steps[-1][1] & fn.expr(predicate)))
    counts = people.agg(
        *[fn.count_if(held).alias(str(place)) for place, (_, held) in enumerate(steps)]
    ).first()
    told = [(name, int(counts[place]) if counts else 0) for place, (name, _) in enumerate(steps)]
    if rules.opted_out is not None:
        told.append(("not opted out", rules.persons(spark).alias(label).count()))
    return told
