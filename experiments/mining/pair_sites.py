"""Timelines whose halves are halves of the places persons live in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.mining.carrier import LOCKED_FROM
from experiments.pair_sites import balanced_halves

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from lakehouse.study import Study

SITES = {"gold.person": ["person_id", "municipality"], "gold.timeline": ["person_id"]}
"""What is read besides when findings are to be looked for again at other places."""


def by_place(study: Study, timeline: DataFrame) -> DataFrame:
    """Timelines of the persons whose municipality is known, ``split`` saying which half of the municipalities it is in.

    Municipalities are halved by the persons of the study in each, so the halves are the same however Spark cuts them.
    """
    from pyspark.sql import functions

    spark = timeline.sparkSession
    whole = study.table("gold.timeline", ["person_id", *timeline.columns])
    person = study.table("gold.person", SITES["gold.person"]).where("municipality IS NOT NULL")
    placed = whole.join(person, "person_id")
    sizes = {row["municipality"]: row["count"] for row in placed.groupBy("municipality").count().collect()}
    rows = [(place, half * LOCKED_FROM) for place, half in sorted(balanced_halves(sizes).items())]
    halves = spark.createDataFrame(rows, "municipality STRING, of_place SMALLINT")
    return (
        placed.join(functions.broadcast(halves), "municipality")
        .withColumn("split", functions.col("of_place"))
        .select(*timeline.columns)
    )
