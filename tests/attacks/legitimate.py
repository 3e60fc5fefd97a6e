"""Two hundred and forty legitimate jobs: every way to begin, with every way to end; none may be refused or marked."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lakehouse.governance.scope.scope import State
from lakehouse.session import spark_session
from lakehouse.settings import load_settings
from lakehouse.study.session import Study
from tests.support.small_lake import write_small_lake
from tests.support.study_lab import Lab

Start = Callable[[Study], Any]
End = Callable[[Study, Any], Any]


def cached(study: Study) -> Any:
    frame = study.table("gold.event").select("person_id", "day", "code").cache()
    frame.count()
    return frame


def viewed(study: Study) -> Any:
    study.table("gold.event").createOrReplaceTempView("legitimate_event")
    return study._spark.sql("SELECT person_id, day, code FROM legitimate_event WHERE day > 17600")


def joined(study: Study) -> Any:
    events, people = study.table("gold.event"), study.table("gold.person")
    return events.join(people, "person_id").select("person_id", "day", "code", "sex")


def windowed(study: Study) -> Any:
    study.table("gold.event").createOrReplaceTempView("legitimate_event")
    query = "SELECT person_id, day, code, row_number() OVER (PARTITION BY person_id ORDER BY day) n FROM legitimate_event"
    return study._spark.sql(query)


def exploded(study: Study) -> Any:
    return study.table("gold.timeline").selectExpr("person_id", "inline(arrays_zip(code, day))")


def own_data(study: Study) -> Any:
    own = study._spark.createDataFrame([("ICD10//A", 1)], "code string, wanted int")
    return study.table("gold.event").join(own, "code").select("person_id", "day", "code")


def filtered_only(study: Study) -> Any:
    return (
        study.table("gold.event", ["person_id", "day", "code", "place"])
        .where("place = 'hospital 1'")
        .drop("place")
    )


def checkpointed(study: Study) -> Any:
    return study.table("gold.event").select("person_id", "day", "code").localCheckpoint()


STARTS: dict[str, Start] = {
    "a table": lambda study: study.table("gold.event"),
    "some columns": lambda study: study.table("gold.event", ["person_id", "day", "code"]),
    "some rows": lambda study: study.table("gold.event").where("day > 17700 and code <> 'ICD10//B'"),
    "a cache": cached,
    "a view": viewed,
    "a join": joined,
    "a window": windowed,
    "exploded lists": exploded,
    "own data": own_data,
    "a filter-only column": filtered_only,
    "a union": lambda study: study.table("gold.event").select("person_id", "day", "code").union(
        study.table("gold.event").select("person_id", "day", "code")
    ),
    "a checkpoint": checkpointed,
}  # fmt: skip


def arrow(study: Study, frame: Any) -> Any:
    return frame.select("day").mapInArrow(lambda parts: parts, "day int").count()


def pandas_udf(study: Study, frame: Any) -> Any:
    from pyspark.sql import functions as fn

    later = fn.udf(lambda day: (day or 0) + 1, "int")
    return frame.select(later("day")).collect()


def grouped_pandas(study: Study, frame: Any) -> Any:
    chosen = frame.select("person_id", "day")
    return chosen.groupBy("person_id").applyInPandas(lambda part: part.head(1), chosen.schema).count()


def written(study: Study, frame: Any) -> Any:
    target = str(study.settings.home / "out" / "written")
    frame.select("day").write.mode("overwrite").parquet(target)
    return study._spark.read.parquet(target).count()


def looked_up(study: Study, frame: Any) -> Any:
    words = {row.code: row.code_id for row in study.table("gold.vocabulary").collect()}
    return [words.get(row[0]) for row in frame.select(frame.columns[-1]).take(3)]


def empty(study: Study, frame: Any) -> Any:
    return frame.where("day < 0").isEmpty()


def wrong_name(study: Study, frame: Any) -> Any:
    """A mistake that Spark reports is no breach."""
    try:
        return frame.select("nothing").collect()
    except Exception:
        return frame.limit(1).collect()


ENDS: dict[str, End] = {
    "collect": lambda study, frame: frame.collect(),
    "count": lambda study, frame: frame.count(),
    "pandas": lambda study, frame: frame.toPandas(),
    "arrow table": lambda study, frame: frame.toArrow(),
    "group": lambda study, frame: frame.groupBy("day").count().collect(),
    "aggregate": lambda study, frame: frame.selectExpr(
        "min(day)", "max(day)", "count(distinct person_id)"
    ).first(),
    "sort and take": lambda study, frame: frame.orderBy("day").take(5),
    "distinct": lambda study, frame: frame.select("day").distinct().count(),
    "pandas on Spark": lambda study, frame: frame.select("day").pandas_api()["day"].max(),
    "describe": lambda study, frame: frame.select("day").describe().collect(),
    "sample": lambda study, frame: frame.sample(0.5, seed=1).count(),
    "pivot": lambda study, frame: frame.groupBy("person_id").pivot("day", [17632]).count().collect(),
    "arrow function": arrow,
    "function": pandas_udf,
    "grouped function": grouped_pandas,
    "file": written,
    "look-up": looked_up,
    "nothing there": empty,
    "mistake": wrong_name,
    "show": lambda study, frame: frame.select("day").limit(2).show(),
}


def refused(lab: Lab, starts: list[str], ends: list[str]) -> list[str]:
    """Jobs that were refused or marked, with the reason; each is a study of its own."""
    wrong = []
    for start in starts:
        for end in ends:
            study = lab.open()
            error = None
            try:
                with study:
                    ENDS[end](study, STARTS[start](study))
            except Exception as failure:
                error = failure
            finally:
                lab.spark.catalog.clearCache()
            scope = study.scope()
            if scope.state is not State.ACCOUNTED or scope.denials or error is not None:
                wrong.append(f"{start}, {end}: {scope.state} {scope.reasons} {scope.denials} {error!s:.300}")
    return wrong


def main() -> int:
    """Run them all and say how many were refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="patternlake-legitimate-") as place:
        settings = load_settings(Path(place) / "home", "test")
        spark = spark_session(settings, "legitimate jobs")
        write_small_lake(spark, settings)
        lab = Lab(spark, settings)
        lab.permit("lab")
        wrong = refused(lab, list(STARTS), list(ENDS))
        spark.stop()
    print("\n".join(wrong))
    print(f"{len(STARTS) * len(ENDS)} legitimate jobs, {len(wrong)} refused or marked")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
