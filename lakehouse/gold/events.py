"""Gold: persons, events, observation periods and stays, built from whatever silver the declarations give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

from lakehouse.codes import read_codelist
from lakehouse.data_model import GOLD, Setting
from lakehouse.declarations.laboratory import UNIT, UNITS
from lakehouse.declarations.quality import with_life
from lakehouse.declarations.schema import Event, Join, Kin, Source, Table
from lakehouse.gold.current_silver import CurrentFiles, hashes_twice, silver_rows, union
from lakehouse.gold.person_links import link_frame
from lakehouse.gold.row_marks import with_repeats, with_reversals, with_together
from lakehouse.gold.stays import contact_events, contact_rows, latest_of_contact

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from lakehouse.lake import Lake


EVENT_TYPES = {column.name: column.type for column in GOLD["gold.event"].columns}


def with_links(lake: Lake, current: CurrentFiles) -> CurrentFiles:
    """The same, with the links between numbers that the sources know."""
    frames = [
        silver_rows(lake, current, table).where(each.where).selectExpr(each.old, each.new, each.since)
        for _, table in current.tables()
        for each in table.links
    ]
    return replace(current, links=link_frame(lake.spark, frames))


def event_silver(lake: Lake, current: CurrentFiles, table: Table) -> DataFrame:
    """Current silver rows as events see them: with ``reversed`` where the table knows reversals."""
    return marked(silver_rows(lake, current, table), table)


def marked(rows: DataFrame, table: Table) -> DataFrame:
    """Rows with what other rows of their table say of them."""
    rows = with_reversals(rows, table.reversal) if table.reversal else rows
    rows = with_together(rows, table.together) if table.together else rows
    return with_repeats(rows, table.repeats) if table.repeats else rows


def contacts(lake: Lake, current: CurrentFiles) -> DataFrame | None:
    """Contacts of all sources that have any; rows are put in order only where a table has a contact twice."""
    found = {
        table.name: contact_rows(
            silver_rows(lake, current, table),
            table.contacts,
            source.name,
            table.name,
            current.superseded(table),
        )
        for source, table in current.tables()
        if table.contacts
    }
    twice = hashes_twice(
        {name: rows.selectExpr("xxhash64(contact_id) AS hash") for name, rows in found.items()}
    )
    return union(
        [
            (latest_of_contact(rows) if name in twice else rows).drop("delivered")
            for name, rows in found.items()
        ]
    )


def death_events(person: DataFrame) -> DataFrame:
    """An event for each date of death of a source that does not deliver deaths as events."""
    return person.where("death_date IS NOT NULL AND death_code <> ''").selectExpr(
        "person_id",
        "CAST(death_date AS TIMESTAMP_NTZ) AS time_start",
        "'day' AS time_precision",
        "'death' AS domain",
        "substring_index(death_code, '//', 1) AS code_system",
        "death_code AS code",
        "'active' AS status",
        f"CASE WHEN source = 'omop' THEN {Setting.UNKNOWN:d} ELSE {Setting.REGISTER:d} END AS setting",
        "source",
    )


def lookups(lake: Lake, current: CurrentFiles) -> dict[str, DataFrame]:
    """Frames that events may be joined with, by role; stays (of nobody, if need be) and parents' children among them."""
    frames: dict[str, list[DataFrame]] = {}
    for _, table in current.tables():
        if table.kin:
            frames["child"] = [children(silver_rows(lake, current, table), table.kin)]
        if table.role:
            frames.setdefault(table.role, []).append(silver_rows(lake, current, table))
    found = {
        role: reduce(lambda a, b: a.unionByName(b, allowMissingColumns=True), each)
        for role, each in frames.items()
    }
    if any(join is UNIT for _, table in current.tables() for event in table.events for join in event.joins):
        found[UNIT.frame] = unit_rows(lake)
    found["encounter"] = lake.read("silver.encounter")
    return found


def children(rows: DataFrame, kin: Kin) -> DataFrame:
    """Each parent's children, as one list."""
    pairs = [
        rows.where(f"({kin.where}) AND {parent} IS NOT NULL").selectExpr(
            f"{parent} AS parent_id",
            f"named_struct('person_id', {kin.child}, 'birth_date', {kin.born}) AS child",
        )
        for parent in kin.parents
    ]
    return (
        reduce(lambda one, other: one.unionByName(other), pairs)
        .groupBy("parent_id")
        .agg({"child": "collect_set"})
        .toDF("parent_id", "children")
    )


def joined(rows: DataFrame, event: Event, frames: dict[str, DataFrame]) -> DataFrame:
    """Rows with the lookups their event needs; a lookup the lake has no data for gives nulls."""
    from pyspark.sql import functions

    frame = rows.alias("row")
    if event.each:
        frame = rows.select("*", functions.explode(event.each).alias("item")).alias("row")
        frame = frame.select("row.*", functions.col("row.item")).alias("row")
    for join in event.joins:
        if join.frame not in frames:
            continue
        side = frames[join.frame]
        if join.at:
            frame = joined_at(frame, join, side)
            continue
        if join.frame != "encounter":
            side = side.dropDuplicates([join.right])
        condition = functions.col(f"row.{join.left}") == functions.col(f"{join.frame}.{join.right}")
        frame = frame.join(side.alias(join.frame), condition, "left")
    return frame


def joined_at(frame: DataFrame, join: Join, side: DataFrame) -> DataFrame:
    """A lookup by the day: each value's versions as one list, of which the row takes the one valid that day."""
    from pyspark.sql import functions

    first, last = (f"`{name}`" for name in join.valid)
    whole = ", ".join(f"'{name}', `{name}`" for name in side.columns)
    versions = (
        side.where(f"`{join.right}` IS NOT NULL")
        .groupBy(join.right)
        .agg(
            functions.expr(
                f"array_sort(collect_list(struct({first} AS _begin, {last} AS _end, named_struct({whole}) AS _it)))"
            ).alias("_versions")
        )
        .withColumnRenamed(join.right, "_value")
    )
    day = f"CAST({join.at} AS DATE)"
    valid = f"x -> (x._begin IS NULL OR x._begin <= {day}) AND (x._end IS NULL OR x._end >= {day})"
    condition = functions.col(f"row.{join.left}") == functions.col("_value")
    return (
        frame.join(functions.broadcast(versions), condition, "left")
        .withColumn(join.frame, functions.expr(f"try_element_at(filter(_versions, {valid}), -1)._it"))
        .drop("_versions", "_value")
    )


def without_missing(sql: str, event: Event, frames: dict[str, DataFrame]) -> str:
    """SQL in which columns of lookups that are not there are null."""
    import re

    for join in event.joins:
        if join.frame not in frames:
            sql = re.sub(rf"\b{join.frame}\.\w+", "NULL", sql)
    return sql


def event_rows(
    rows: DataFrame, source: Source, table: Table, event: Event, frames: dict[str, DataFrame]
) -> DataFrame:
    """Rows of one table as rows of ``gold.event``; ``person_id`` is null where nobody could be found."""
    given = {
        "person_id": "row.person_id",
        "time_precision": "'day'",
        "status": "'active'",
        "setting": f"{Setting.UNKNOWN:d}",
        "source": f"'{source.name}'",
        "source_table": f"'{table.name}'",
        "quality": "row.remarks",
        "file_id": "row.file_id",
        "row_number": "row.row_number",
    } | dict(event.columns)
    frame = joined(rows.where(event.where), event, frames)
    rank = (f"{table.same.rank} AS {RANK}",) if table.same else ()
    return as_events(frame, {name: without_missing(sql, event, frames) for name, sql in given.items()}, *rank)


def as_events(frame: DataFrame, given: dict[str, str], *more: str) -> DataFrame:
    """All columns of ``gold.event`` in order, and ``more`` behind; the day follows from the start."""
    day = f"CAST(datediff(CAST({given['time_start']} AS DATE), DATE'1970-01-01') AS INT)"
    columns = given | {"day": day}
    return frame.selectExpr(
        *(f"CAST({columns.get(name, 'NULL')} AS {type}) AS {name}" for name, type in EVENT_TYPES.items()),
        *more,
    )


def events(lake: Lake, current: CurrentFiles, person: DataFrame, frames: dict[str, DataFrame]) -> DataFrame:
    """``gold.event``: everything that happened, of every source."""
    found: list[DataFrame] = []
    groups: dict[str, list[DataFrame]] = {}
    for source, table in current.tables():
        for event in table.events:
            rows = event_silver(lake, current, table)
            made = event_rows(rows, source, table, event, frames).where("person_id IS NOT NULL")
            (groups.setdefault(table.same.group, []) if table.same else found).append(made)
    for copies in groups.values():
        everyone = union(copies)
        assert everyone is not None
        found.append(best_copies(everyone) if len(copies) > 1 else everyone.drop(RANK))
    for frame in (death_events(person), contact_events(frames["encounter"])):
        found.append(as_events(frame, {name: name for name in frame.columns}))
    everything = union(found)
    assert everything is not None
    return with_life(everything, person, current.covers[0])


def unlinked(
    lake: Lake,
    current: CurrentFiles,
    frames: dict[str, DataFrame],
    lacking: Sequence[str],
) -> DataFrame | None:
    """Silver rows of the ``lacking`` tables that found no person: their contact was never delivered."""
    found = []
    for source, table in current.tables():
        for event in table.events if table.name in lacking else ():
            rows = event_silver(lake, current, table)
            lost = event_rows(rows, source, table, event, frames).where("person_id IS NULL")
            found.append(
                lost.selectExpr(
                    "file_id", "source_table", "row_number", "'no_contact' AS reason", "code AS example"
                )
            )
    return union(found)


RANK = "_rank"
"""Column that says how good a source's copy is, 1 the best; taken off again."""

SAME = "person_id, time_start, code, coalesce(value_num, 0), coalesce(value_text, ''), coalesce(value_op, '')"


def best_copies(events: DataFrame) -> DataFrame:
    """Events of one group of tables, with the status ``superseded`` on all copies but the best.

    Copies have person, minute, code and value in common. Where the minute is not known nothing is taken for a
    copy: two results of a day may well be equal.
    """
    place = f"row_number() OVER (PARTITION BY {SAME} ORDER BY status, {RANK}, file_id, row_number)"
    copy = f"time_precision = 'minute' AND status = 'active' AND {place} > 1"
    columns = [
        f"CASE WHEN {copy} THEN 'superseded' ELSE status END AS status" if name == "status" else f"`{name}`"
        for name in events.columns
        if name != RANK
    ]
    return events.selectExpr(*columns)


def unit_rows(lake: Lake) -> DataFrame:
    """The list of units by code and delivered spelling, as results look it up."""
    rows = []
    for row in read_codelist(lake.settings, UNITS):
        numbers = [
            float(row[name].replace(",", ".")) if row[name] else None
            for name in ("factor", "offset", "low", "high")
        ]
        rows.append((f"{row['code']}|{row['text']}", row["becomes"], row["ucum"], *numbers))
    ddl = (
        "unit_key STRING, becomes STRING, ucum STRING, factor DOUBLE, offset DOUBLE, low DOUBLE, high DOUBLE"
    )
    return lake.spark.createDataFrame(rows, ddl)
