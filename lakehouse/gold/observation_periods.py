"""From when until when each person could have been seen in the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.gold.absences import without_absences
from lakehouse.gold.current_silver import CurrentFiles, silver_rows, union

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from lakehouse.lake import Lake


def periods(lake: Lake, current: CurrentFiles, person: DataFrame) -> DataFrame | None:
    """``gold.observation_period``: declared spans, cut to what the deliveries cover, to birth and to death."""
    frames = []
    away = []
    for _, table in current.tables():
        for absence in table.absences:
            rows = silver_rows(lake, current, table).where(absence.where)
            away.append(rows.selectExpr("person_id", f"{absence.start} AS gone", f"{absence.end} AS back"))
        for period in table.periods:
            rows = silver_rows(lake, current, table).where(period.where)
            frames.append(
                rows.selectExpr(
                    "person_id", f"{period.start} AS first_date", f"{period.end} AS last_date"
                ).where("person_id IS NOT NULL")
            )
    spans = union(frames)
    if spans is None:
        return None
    absences = union(away)
    spans = without_absences(spans, absences) if absences is not None else spans
    begins, ends = (f"DATE'{day}'" if day else "CAST(NULL AS DATE)" for day in current.covers)
    cut = spans.join(person.select("person_id", "birth_date", "death_date"), "person_id", "left").selectExpr(
        "person_id",
        f"CAST(datediff(greatest(first_date, birth_date, {begins}), DATE'1970-01-01') AS INT) AS start_day",
        f"CAST(datediff(least(last_date, death_date, {ends}), DATE'1970-01-01') AS INT) AS end_day",
    )
    return cut.where("end_day >= start_day").distinct()
