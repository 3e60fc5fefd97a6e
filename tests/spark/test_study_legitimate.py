"""Work a researcher may do in a study: none of it is refused, none of it leaves the run marked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lakehouse.governance.scope.scope import State
from lakehouse.study.session import Study
from tests.support.study_lab import Lab


def filtered(study: Study) -> Any:
    return study.table("gold.event").filter("day > 17700 and code like 'ICD10%'").collect()


def joined(study: Study) -> Any:
    events, people = study.table("gold.event"), study.table("gold.person")
    return events.join(people, "person_id").select("code", "sex").collect()


def self_joined(study: Study) -> Any:
    events = study.table("gold.event")
    return events.alias("a").join(events.alias("b"), "person_id").select("a.code", "b.day").collect()


def grouped(study: Study) -> Any:
    return study.table("gold.event").groupBy("code").agg({"value_num": "avg"}).collect()


def windowed(study: Study) -> Any:
    from pyspark.sql import Window
    from pyspark.sql import functions as fn

    order = Window.partitionBy("person_id").orderBy("day")
    return study.table("gold.event").withColumn("n", fn.row_number().over(order)).filter("n = 1").collect()


def counted(study: Study) -> Any:
    return study.table("gold.timeline").count()


def cached(study: Study) -> Any:
    frame = study.table("gold.event").filter("day > 17700").cache()
    first = (frame.count(), frame.select("code").distinct().collect(), frame.collect(), frame.collect())
    frame.unpersist()
    return first


def sql_view(study: Study) -> Any:
    study.table("gold.event").createOrReplaceTempView("events")
    study.table("gold.person").createOrReplaceTempView("people")
    return study._spark.sql(
        "WITH late AS (SELECT * FROM events WHERE day > (SELECT avg(day) FROM events)) "
        "SELECT p.sex, count(*) FROM late JOIN people p USING (person_id) "
        "WHERE EXISTS (SELECT 1 FROM events e WHERE e.person_id = p.person_id) GROUP BY p.sex ORDER BY 1"
    ).collect()


def pandas_on_spark(study: Study) -> Any:
    frame = study.pandas("gold.event")
    return frame[frame.day > 17700].groupby("code").value_num.mean().sort_index().to_pandas()


def map_in_pandas(study: Study) -> Any:
    frame = study.table("gold.timeline", ["code", "day"])
    return frame.mapInPandas(lambda batches: batches, frame.schema).collect()


def grouped_pandas(study: Study) -> Any:
    frame = study.table("gold.event", ["person_id", "day"])
    return frame.groupBy("person_id").applyInPandas(lambda part: part.head(1), frame.schema).collect()


def written(study: Study) -> Any:
    out = study.settings.home / "results" / "own.parquet"
    study.table("gold.event").select("code").write.mode("overwrite").parquet(str(out))
    return study._spark.read.parquet(str(out)).count()


def written_delta(study: Study) -> Any:
    out = study.settings.home / "results" / "own"
    study.table("gold.event").select("code").write.format("delta").mode("overwrite").save(str(out))


def taken(study: Study) -> Any:
    frame = study.table("gold.event")
    return frame.take(2), frame.first(), frame.head(3), frame.limit(2).toPandas(), frame.isEmpty()


def arrow(study: Study) -> Any:
    return study.table("gold.timeline").toArrow()


def united(study: Study) -> Any:
    events = study.table("gold.event").select("code")
    words = study.table("gold.vocabulary").select("code")
    return events.union(words).distinct().sort("code").collect()


def own_data(study: Study) -> Any:
    own = study._spark.createDataFrame([("ICD10//A",), ("ICD10//B",)], "code string")
    return study.table("gold.event").join(own, "code", "left_anti").count()


def parallel_own(study: Study) -> Any:
    return study._spark.sparkContext.parallelize(range(10)).map(lambda n: n * 2).sum()


def exploded(study: Study) -> Any:
    from pyspark.sql import functions as fn

    return study.table("gold.timeline").select(fn.explode("code").alias("c")).groupBy("c").count().collect()


def user_function(study: Study) -> Any:
    from pyspark.sql import functions as fn

    double = fn.udf(lambda day: day * 2, "int")
    return study.table("gold.event").select(double("day")).collect()


def described(study: Study) -> Any:
    frame = study.table("gold.event").select("day", "value_num")
    return (
        frame.describe().collect(),
        frame.approxQuantile("day", [0.5], 0.1),
        frame.stat.corr("day", "value_num"),
    )


def rolled_up(study: Study) -> Any:
    return study.table("gold.event").rollup("domain", "code").count().collect()


def pivoted(study: Study) -> Any:
    return study.table("gold.event").groupBy("person_id").pivot("domain").count().collect()


def checkpointed(study: Study) -> Any:
    frame = study.table("gold.event").select("code").localCheckpoint()
    return frame.count(), frame.distinct().collect()


def broadcast(study: Study) -> Any:
    from pyspark.sql import functions as fn

    events = study.table("gold.event")
    firsts = events.groupBy("person_id").agg(fn.min("day").alias("day"))
    return events.join(fn.broadcast(firsts), ["person_id", "day"]).count()


def explained(study: Study) -> Any:
    study.table("gold.event").explain()
    return study.table("gold.event").printSchema()


def sampled(study: Study) -> Any:
    return [part.count() for part in study.table("gold.event").randomSplit([0.5, 0.5], 1)]


def mined_by_spark_ml(study: Study) -> Any:
    from pyspark.ml.fpm import FPGrowth

    frame = study.table("gold.timeline", ["code"]).localCheckpoint()
    return FPGrowth(itemsCol="code", minSupport=0.3).fit(frame).freqItemsets.collect()


def rdd_of_a_checkpoint(study: Study) -> Any:
    return study.table("gold.event", ["day"]).localCheckpoint().rdd.map(lambda row: row.day).sum()


def merged_into_own_table(study: Study) -> Any:
    own = str(study.settings.home / "results" / "own_merge")
    study.table("gold.event", ["day", "code"]).write.format("delta").mode("overwrite").save(own)
    study.table("gold.event", ["day"]).createOrReplaceTempView("newer")
    source = "(SELECT DISTINCT day FROM newer)"
    return study._spark.sql(
        f"MERGE INTO delta.`{own}` t USING {source} n ON t.day = n.day WHEN MATCHED THEN DELETE"
    ).collect()


def without_a_sink(study: Study) -> Any:
    study.table("gold.event", ["day"]).write.mode("overwrite").format("noop").save()


def many_queries(study: Study) -> Any:
    context = study._spark.sparkContext
    frame = study.table("gold.event", ["day"])
    return [frame.filter(f"day > {day}").count() for day in (17500, 17600)] + [
        context.parallelize([1], 1).count() for _ in range(300)
    ]


LEGITIMATE: list[Callable[[Study], Any]] = [
    filtered, joined, self_joined, grouped, windowed, counted, cached, sql_view, pandas_on_spark, map_in_pandas,
    grouped_pandas, written, written_delta, taken, arrow, united, own_data, parallel_own, exploded, user_function,
    described, rolled_up, pivoted, checkpointed, broadcast, explained, sampled,
    mined_by_spark_ml, rdd_of_a_checkpoint, merged_into_own_table, without_a_sink, many_queries,
]  # fmt: skip


@pytest.mark.parametrize("work", LEGITIMATE, ids=lambda work: work.__name__)
def test_legitimate_work__is_accounted(lab: Lab, work: Callable[[Study], Any]) -> None:
    study = lab.open()
    with study:
        work(study)
    scope = study.scope()
    assert scope.state is State.ACCOUNTED, scope.reasons
    for read in scope.reads:
        used = {*read.columns_direct, *read.columns_filter, *read.columns_join}
        assert used <= set(lab.open().permit.uses(read.table))
        assert read.rows is not None and read.rows >= (read.persons or 0)
