"""Residence cut by absences: no data of somebody abroad does not mean that nothing happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def without_absences(spans: DataFrame, absences: DataFrame) -> DataFrame:
    """Spans of residence cut at each absence; the days of leaving and of coming back count as present.

    An absence without a return ends what it falls into, until the next span begins.
    """
    listed = (
        absences.where("gone IS NOT NULL AND person_id IS NOT NULL")
        .groupBy("person_id")
        .agg({"gone": "count"})
        .select("person_id")
        .join(absences, "person_id")
        .selectExpr("person_id", "struct(gone, back) AS spell")
        .groupBy("person_id")
        .agg({"spell": "collect_list"})
        .withColumnRenamed("collect_list(spell)", "spells")
    )
    inside = "x.gone >= first_date AND (last_date IS NULL OR x.gone <= last_date)"
    cut = (
        spans.join(listed, "person_id", "left")
        .selectExpr("*", f"array_sort(filter(coalesce(spells, array()), x -> {inside})) AS cuts")
        .selectExpr("*", "explode(sequence(0, size(cuts))) AS piece")
    )
    far = "DATE'9999-12-31'"
    back = f"array_max(transform(slice(cuts, 1, piece), x -> coalesce(x.back, {far})))"
    return cut.selectExpr(
        "person_id",
        f"CASE WHEN piece = 0 THEN first_date ELSE greatest(first_date, {back}) END AS first_date",
        "CASE WHEN piece < size(cuts) THEN least(coalesce(last_date, cuts[piece].gone), cuts[piece].gone) "
        "ELSE last_date END AS last_date",
    ).where(f"last_date IS NULL AND first_date < {far} OR last_date >= first_date")
