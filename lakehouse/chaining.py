"""Spans of one person put together as long as no long break lies between: stays, courses of care, exposure periods."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def numbered(frame: DataFrame, by: str, order: str, start: str, end: str, gap: str) -> DataFrame:
    """The same rows with ``number``: which chain of its ``by`` each is in, from 1.

    All but the frame are SQL. In ``order`` a row begins a new chain when its ``start`` is more than ``gap`` after the
    furthest ``end`` so far, which stands in ``reached`` (null in a first row).
    """
    window = f"PARTITION BY {by} ORDER BY {order} ROWS BETWEEN UNBOUNDED PRECEDING AND"
    begins = f"reached IS NULL OR {start} > reached + {gap}"
    return frame.selectExpr("*", f"max({end}) OVER ({window} 1 PRECEDING) AS reached").selectExpr(
        "*", f"sum(CASE WHEN {begins} THEN 1 ELSE 0 END) OVER ({window} CURRENT ROW) AS number"
    )
