"""Rows marked for what other rows say of them: taken back later, repeating one of the week, parts of one set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.declarations.schema import Repeats, Reversal, SetAggregate
from lakehouse.gold.current_silver import content_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def with_reversals(rows: DataFrame, declared: Reversal) -> DataFrame:
    """Mark the rows that were taken back: for each negative row the latest earlier one of the opposite amount."""
    from pyspark.sql import functions

    amount, day = declared.amount, declared.day
    taking = rows.where(f"{amount} < 0").selectExpr(
        *declared.same,
        f"-{amount} AS {amount}",
        f"{day} AS taken_on",
        "file_id AS taken_file",
        "row_number AS taken_row",
    )
    nearest = f"row_number() OVER (PARTITION BY taken_file, taken_row ORDER BY {day} DESC, content, file_id, row_number)"
    given = rows.where(f"{amount} > 0").selectExpr(
        "file_id", "row_number", day, amount, *declared.same, f"{content_of(rows)} AS content"
    )
    taken = (
        given.join(functions.broadcast(taking), [*declared.same, amount])
        .where(f"{day} <= taken_on AND datediff(taken_on, {day}) <= {declared.within_days}")
        .selectExpr("file_id", "row_number", f"{nearest} AS rank")
        .where("rank = 1")
        .selectExpr("file_id", "row_number", "true AS reversed")
        .distinct()
    )
    return rows.join(functions.broadcast(taken), ["file_id", "row_number"], "left").withColumn(
        "reversed", functions.coalesce("reversed", functions.lit(False))
    )


def with_repeats(rows: DataFrame, declared: Repeats) -> DataFrame:
    """Mark the rows that only repeat another of their week, so that a week counts once."""
    from pyspark.sql import functions

    if rows.where(declared.where).isEmpty():
        return rows.withColumn("repeated", functions.lit(False))
    week = f"PARTITION BY {', '.join(declared.same)}, date_trunc('WEEK', {declared.day})"
    nth = f"row_number() OVER ({week} ORDER BY {declared.day}, {content_of(rows)}, file_id, row_number)"
    again = (
        rows.where(declared.where)
        .selectExpr("file_id", "row_number", f"{nth} AS nth")
        .where("nth > 1")
        .selectExpr("file_id", "row_number", "true AS repeated")
    )
    return rows.join(again, ["file_id", "row_number"], "left").withColumn(
        "repeated", functions.coalesce("repeated", functions.lit(False))
    )


def with_together(rows: DataFrame, declared: SetAggregate) -> DataFrame:
    """Every row with what all rows of its set say together."""
    partition = ", ".join(declared.same)
    return rows.selectExpr("*", f"{declared.aggregate} OVER (PARTITION BY {partition}) AS {declared.column}")
