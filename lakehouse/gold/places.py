"""Places of treatment, what stays cost there, and what codes are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.data_model import GOLD
from lakehouse.gold.current_silver import CurrentFiles, silver_rows, union

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from lakehouse.lake import Lake


def places(lake: Lake, current: CurrentFiles) -> DataFrame | None:
    """``gold.place``: units with the spans their codes stood for them; the same span of two lists counts once."""
    found = []
    for _, table in current.tables():
        if table.places:
            given = table.places.columns
            columns = (
                f"CAST({given.get(each.name, 'NULL')} AS {each.type}) AS {each.name}"
                for each in GOLD["gold.place"].columns
            )
            found.append(silver_rows(lake, current, table).selectExpr(*columns))
    rows = union(found)
    if rows is None:
        return None
    rank = (
        "row_number() OVER (PARTITION BY place, place_system, valid_from "
        "ORDER BY parent NULLS LAST, name, institution, valid_to)"
    )
    return rows.selectExpr("*", f"{rank} AS _rank").where("_rank = 1").drop("_rank")


def stay_costs(lake: Lake, current: CurrentFiles) -> DataFrame | None:
    """Cost of each contact, by the tables that give one for it."""
    from pyspark.sql import functions

    found = [
        silver_rows(lake, current, table)
        .where(table.stay_cost.where)
        .selectExpr(f"{table.stay_cost.contact} AS contact_id", f"{table.stay_cost.amount} AS cost_dkk")
        for _, table in current.tables()
        if table.stay_cost
    ]
    rows = union(found)
    return (
        rows.groupBy("contact_id").agg(functions.sum("cost_dkk").alias("cost_dkk"))
        if rows is not None
        else None
    )


def names(lake: Lake, current: CurrentFiles) -> DataFrame | None:
    """Texts of codes that sources deliver themselves."""
    found = []
    for _, table in current.tables():
        for each in table.names:
            rows = silver_rows(lake, current, table)
            found.append(
                rows.selectExpr(f"{each.code} AS code", f"{each.text} AS text").where("text IS NOT NULL")
            )
    return union(found)
