"""Exposure periods of medicines: dispensings turned into days under treatment, by a model that has a name.

``ddd1-grace30``: a dispensing covers as many days as it holds defined daily doses (at least one, at most a year); a
person's dispensings of one ATC code belong to one period as long as each falls at most 30 days after the cover
reached so far; a period ends with its cover. Nothing is carried over: what is left of an earlier package when the
next one is fetched counts no days of its own. Durations are estimates: the registers hold what was fetched, not what
was taken, and neither hospital medicine nor most of what is sold without prescription.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.chaining import numbered

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MODEL = "ddd1-grace30"
GRACE_DAYS = 30
MOST_DAYS = 365


def exposure_periods(event: DataFrame) -> DataFrame:
    """Columns of ``gold.exposure`` from ``gold.event``."""
    covered = (
        f"CAST(day + least(greatest(ceil(quantity), 1), {MOST_DAYS}) AS INT)"  # first day no longer covered
    )
    fetched = event.where("domain = 'medicine' AND status = 'active' AND quantity > 0 AND day IS NOT NULL")
    spans = fetched.selectExpr("person_id", "code", "day", "quantity", f"{covered} AS until")
    return (
        numbered(spans, "person_id, code", "day, until", "day", "until", str(GRACE_DAYS))
        .groupBy("person_id", "code", "number")
        .agg({"day": "min", "until": "max", "*": "count", "quantity": "sum"})
        .selectExpr(
            "person_id",
            "code",
            "`min(day)` AS start_day",
            "`max(until)` - 1 AS end_day",
            "CAST(`count(1)` AS INT) AS dispensings",
            "`sum(quantity)` AS ddd",
            f"'{MODEL}' AS model",
        )
    )
