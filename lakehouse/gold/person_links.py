"""One person under several numbers: which token stands for which, however many changes lie between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DDL = "old_id STRING, new_id STRING"


def resolved(links: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """The last token of each former one, from (old, new, valid from) rows in any order.

    Of several successors of one number the one of the latest date counts. Numbers that lead back to
    themselves name no last one; they stay as they are.
    """
    newest: dict[str, tuple[str, str]] = {}
    for old, new, since in links:
        if old != new:
            newest[old] = max(newest.get(old, ("", "")), (since, new))
    return {old: last for old in newest if (last := last_of(old, newest)) is not None}


def last_of(token: str, newest: Mapping[str, tuple[str, str]]) -> str | None:
    """Follow the successors of a token to the end; None when they run in a circle."""
    seen = {token}
    while token in newest:
        token = newest[token][1]
        if token in seen:
            return None
        seen.add(token)
    return token


def link_frame(spark: SparkSession, frames: Iterable[DataFrame]) -> DataFrame | None:
    """Former and last token of every person who has both; None when nobody has.

    Links are few (one person in five thousand), so they pass through the driver, as tokens.
    """
    found = [(row[0], row[1], str(row[2] or "")) for frame in frames for row in frame.collect()]
    known = resolved(found)
    if not known:
        return None
    return spark.createDataFrame(sorted(known.items()), DDL)


def relinked(rows: DataFrame, links: DataFrame) -> DataFrame:
    """Rows with the last token of each person instead of a former one."""
    from pyspark.sql import functions

    columns = [
        functions.coalesce("new_id", "person_id").alias(name) if name == "person_id" else functions.col(name)
        for name in rows.columns
    ]
    return rows.join(functions.broadcast(links), rows["person_id"] == links["old_id"], "left").select(
        *columns
    )
