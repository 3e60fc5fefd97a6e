"""What is odd about an event, as flags in ``gold.event.quality``: nothing is lost for it, everything is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime

    from pyspark.sql import DataFrame

REPORTING_DAYS = 92
"""Hospitals report late: what is younger than this at the delivery is not complete yet."""
GRACE_DAYS = 30
"""Days after a death in which results may still come in."""


def recent(delivered: str, day: str) -> str:
    """SQL: the flag of a record from months that are not complete yet."""
    return f"CASE WHEN datediff({delivered}, {day}) < {REPORTING_DAYS} THEN 'incomplete_months' END"


def register_break(day: str) -> str:
    """SQL: the flag of hospital records from the weeks in which the regions changed register, one after another.

    Before, a course had one diagnosis; after, every visit has its own: no trend runs across it.
    """
    return f"CASE WHEN {day} >= DATE'2019-02-02' AND {day} < DATE'2019-04-01' THEN 'register_break' END"


def joined(*flags: str) -> str:
    """SQL: several flags in one text, null when there is none."""
    return f"nullif(concat_ws(',', {', '.join(flags)}), '')"


def clock(moment: str, precision: str) -> str:
    """SQL: flags of local times that the change to and from summer time skips or has twice."""
    day = f"CAST({moment} AS DATE)"
    sunday = f"dayofweek({day}) = 1 AND day({day}) >= 25 AND hour({moment}) = 2"
    return (
        f"CASE WHEN {precision} = 'minute' AND {sunday} THEN CASE month({day}) WHEN 3 THEN 'no_such_time' "
        "WHEN 10 THEN 'hour_twice' END END"
    )


def with_life(events: DataFrame, person: DataFrame, begin: datetime.date | None) -> DataFrame:
    """Events with the flags ``before_birth`` and ``after_death`` where they lie outside a person's life.

    Only persons who were born since the deliveries begin, or died, can have such events: few enough to be
    sent to every task.
    """
    from pyspark.sql import functions

    born = f"birth_date >= DATE'{begin}'" if begin else "birth_date IS NOT NULL"
    lives = person.where(f"death_date IS NOT NULL OR {born}").selectExpr(
        "person_id AS _who",
        "datediff(birth_date, DATE'1970-01-01') AS _born",
        f"datediff(death_date, DATE'1970-01-01') + {GRACE_DAYS} AS _gone",
    )
    flag = joined(
        "quality",
        "CASE WHEN day < _born THEN 'before_birth' WHEN day > _gone THEN 'after_death' END",
    )
    columns = [f"{flag} AS quality" if name == "quality" else f"`{name}`" for name in events.columns]
    return events.join(functions.broadcast(lives), events["person_id"] == lives["_who"], "left").selectExpr(
        *columns
    )
