"""Spans of one person put together as long as no long break lies between: stays, courses of care, exposure periods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyspark.sql import DataFrame

DAY_BITS = 26
"""Room for a day, of the years -90,000 to 90,000, beside the number of a group."""


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


def chain_starts(
    group: NDArray[np.int64], start: NDArray[np.int64], end: NDArray[np.int64], gap: int
) -> NDArray[np.intp]:
    """Where chains begin among spans in order of ``group`` and ``start``: the same rule, over arrays.

    ``start`` and ``end`` are days and may be negative; groups are numbered from 0, below 2**37.
    The arrays are [span]; the result holds positions of spans, [chain].
    """
    if not len(group):
        return np.zeros(0, np.intp)
    base = 1 << (DAY_BITS - 1)
    reached = np.maximum.accumulate((group << DAY_BITS) + (end + base))[:-1]
    begins = (group[1:] << DAY_BITS) + (start[1:] + base) > reached + gap
    return np.flatnonzero(np.concatenate(([True], begins | (group[1:] != group[:-1]))))
