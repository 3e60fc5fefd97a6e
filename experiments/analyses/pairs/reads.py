"""How often each code is written at each hospital in each month, from a study's events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from experiments.analyses.pairs.coding_breaks import PlaceCounts
from experiments.analyses.pairs.robustness import balanced_halves
from experiments.execution.codes import MinedCodes
from experiments.execution.over_spark import LOCKED_FROM
from experiments.kernels.pairs.months import FIRST_YEAR
from lakehouse.codes import TIMELINE_CODE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from lakehouse.study.session import Study


PLACES = {
    "gold.event": ["person_id", "day", "code", "domain", "status", "code_role", "flag", "place"],
    "gold.place": ["place", "institution", "valid_from"],
}
"""What is read besides when breaks in coding are to be looked for place by place."""


def counts_by_place(study: Study, codes: MinedCodes) -> PlaceCounts:
    """Distinct (person, day, mined code) by hospital and month, counted from January 1900.

    A place counts as the institution its code stood for last, so that a department's new number is no break; one
    that ``gold.place`` knows no institution of stands for itself. Codes are those of the timeline.
    """
    from pyspark.sql import functions

    event = study.table("gold.event", PLACES["gold.event"])
    unit = study.table("gold.place", PLACES["gold.place"]).where("institution IS NOT NULL")
    words = study.table("gold.vocabulary", ["code_id", "code"])
    mined = [(number, int(code)) for number, code in enumerate(codes.code_map) if code >= 0]
    numbers = words.sparkSession.createDataFrame(mined, "code_id INT, mined INT")
    named = words.join(functions.broadcast(numbers), "code_id").select("code", "mined")
    last = functions.max(functions.struct("valid_from", "institution")).alias("last")
    hospital = unit.groupBy("place").agg(last).selectExpr("place", "last.institution AS institution")
    month = f"(year(date_from_unix_date(day)) - {FIRST_YEAR}) * 12 + month(date_from_unix_date(day)) - 1"
    cells = (
        event.where("day IS NOT NULL")
        .selectExpr("person_id", "day", f"{TIMELINE_CODE} AS code", "place")
        .where("code IS NOT NULL")
        .join(functions.broadcast(named), "code")
        .join(functions.broadcast(hospital), "place", "left")
        .selectExpr("person_id", "day", "mined", "coalesce(institution, place) AS hospital")
        .distinct()
        .groupBy("mined", "hospital", functions.expr(month).alias("month"))
        .agg(functions.count("*").alias("events"))
        .toArrow()
    )
    names = cells.column("hospital").to_pylist()
    place = {name: number for number, name in enumerate(sorted({name for name in names if name is not None}))}
    code, months, events = (
        cells.column(name).to_numpy().astype(np.int64) for name in ("mined", "month", "events")
    )
    return PlaceCounts(code, np.array([place.get(name, -1) for name in names], np.int64), months, events)


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
