"""The list of units: which spellings of a unit a code comes in, and what makes them one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.codes import read_codelist
from lakehouse.lab_tables import UNITS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from lakehouse.settings import Settings


def unit_rows(spark: SparkSession, settings: Settings) -> DataFrame:
    """The list of units by code and delivered spelling, as results look it up."""
    rows = []
    for row in read_codelist(settings, UNITS):
        numbers = [
            float(row[name].replace(",", ".")) if row[name] else None
            for name in ("factor", "offset", "low", "high")
        ]
        rows.append((f"{row['code']}|{row['text']}", row["becomes"], row["ucum"], *numbers))
    ddl = (
        "unit_key STRING, becomes STRING, ucum STRING, factor DOUBLE, offset DOUBLE, low DOUBLE, high DOUBLE"
    )
    return spark.createDataFrame(rows, ddl)
