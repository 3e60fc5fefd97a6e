"""Courses of care across sectors: a person's contacts anywhere, chained as long as no long break lies between.

``gap30``: a day with a contact in hospital, in general or specialist practice or in municipal care belongs to the
course before it when at most 30 days lie between that course's end and it. A stay or a spell of help counts until its
end. Dispensings, laboratory results, plans and housing are no contacts. A hand-over is a change of sector from one
contact to the next in time: the seams at which readmissions and medication errors are looked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.chaining import numbered
from lakehouse.tables import Setting

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

GAP_DAYS = 30
MODEL = f"gap{GAP_DAYS}"
SECTORS = {
    "hospital": (Setting.INPATIENT, Setting.OUTPATIENT, Setting.EMERGENCY),
    "practice": (Setting.PRIMARY_CARE,),
    "municipality": (Setting.MUNICIPAL,),
}
CONTACTS = ("contact", "diagnosis", "procedure", "primary_care", "condition", "rating")
"""Domains whose rows mean that somebody met, treated or looked after the person on that day."""


def courses(event: DataFrame) -> DataFrame:
    """Columns of ``gold.course`` from ``gold.event``."""
    sector = " ".join(
        f"WHEN setting IN ({', '.join(str(int(each)) for each in settings)}) THEN '{name}'"
        for name, settings in SECTORS.items()
    )
    domains = ", ".join(f"'{name}'" for name in CONTACTS)
    until = "greatest(day, coalesce(datediff(CAST(time_end AS DATE), DATE'1970-01-01'), day))"
    contact = (
        event.where(
            f"domain IN ({domains}) AND day IS NOT NULL AND coalesce(status, 'active') IN ('active', 'open')"
        )
        .selectExpr("person_id", f"CASE {sector} END AS sector", "day", f"{until} AS until")
        .where("sector IS NOT NULL")
        .groupBy("person_id", "sector", "day")
        .agg({"until": "max"})
        .withColumnRenamed("max(until)", "until")
    )
    before = "lag(sector) OVER (PARTITION BY person_id, number ORDER BY day, sector)"
    return (
        numbered(contact, "person_id", "day, sector", "day", "until", str(GAP_DAYS))
        .selectExpr("*", f"coalesce(sector <> {before}, false) AS over")
        .groupBy("person_id", "number")
        .agg(*_course())
        .selectExpr(
            "person_id",
            "start_day",
            "end_day",
            "array_join(array_sort(sectors), ',') AS sectors",
            "first_sector",
            "last_sector",
            "contacts",
            "handovers",
            f"'{MODEL}' AS model",
        )
    )


def _course() -> tuple[Column, ...]:
    """What a course is told by."""
    from pyspark.sql.functions import expr

    return tuple(
        expr(sql)
        for sql in (
            "min(day) AS start_day",
            "max(until) AS end_day",
            "collect_set(sector) AS sectors",
            "min_by(sector, struct(day, sector)) AS first_sector",
            "max_by(sector, struct(day, sector)) AS last_sector",
            "CAST(count(*) AS INT) AS contacts",
            "CAST(sum(CAST(over AS INT)) AS INT) AS handovers",
        )
    )
