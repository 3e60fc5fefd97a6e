"""One result that reached the lake by several ways: the best copy counts, the others are superseded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

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
