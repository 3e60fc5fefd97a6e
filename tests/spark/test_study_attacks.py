"""Reads past the permit: each is refused, or, where Python cannot be stopped, recorded and the run marked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lakehouse.delta.tables import table_path
from lakehouse.errors import ConfigurationError, PermissionRefused, ScopeBreach
from lakehouse.governance.scope.scope import State
from lakehouse.study.session import Study
from tests.support.study_lab import TODAY, Lab, read_of


def folder(study: Study, table: str = "gold.spell") -> str:
    return str(table_path(study.settings, table))


def delta_path(study: Study) -> Any:
    return study._spark.read.format("delta").load(folder(study)).collect()


def granted_table_by_path(study: Study) -> Any:
    return study._spark.read.format("delta").load(folder(study, "gold.event")).select("cost_dkk").collect()


def parquet_path(study: Study) -> Any:
    return study._spark.read.parquet(folder(study) + "/*.parquet").count()


def sql_path(study: Study) -> Any:
    return study._spark.sql(f"SELECT count(*) FROM delta.`{folder(study)}`").collect()


def sql_subquery(study: Study) -> Any:
    study.table("gold.event").createOrReplaceTempView("events")
    path = folder(study)
    query = f"SELECT code FROM events WHERE person_id IN (SELECT person_id FROM delta.`{path}`)"
    return study._spark.sql(query).collect()


def time_travel(study: Study) -> Any:
    path = folder(study, "gold.event")
    return study._spark.read.format("delta").option("versionAsOf", 0).load(path).count()


def delta_log(study: Study) -> Any:
    return study._spark.read.json(folder(study) + "/_delta_log/*.json").collect()


def table_history(study: Study) -> Any:
    return study._spark.sql(f"DESCRIBE HISTORY delta.`{folder(study)}`").collect()


def table_of_the_catalog(study: Study) -> Any:
    study._spark.sql(f"CREATE TABLE IF NOT EXISTS sly USING delta LOCATION '{folder(study)}'")
    return study._spark.table("sly").collect()


def catalog_history(study: Study) -> Any:
    return study._spark.sql("DESCRIBE HISTORY sly").collect()


def deleted(study: Study) -> Any:
    return study._spark.sql(f"DELETE FROM delta.`{folder(study)}` WHERE hours < 0")


def optimised(study: Study) -> Any:
    return study._spark.sql(f"OPTIMIZE delta.`{folder(study)}`")


def streamed(study: Study) -> Any:
    stream = study._spark.readStream.format("delta").load(folder(study))
    running = stream.writeStream.format("memory").queryName("sly_stream").trigger(availableNow=True).start()
    return running.awaitTermination()


def change_feed(study: Study) -> Any:
    options = {"readChangeFeed": "true", "startingVersion": "0"}
    return study._spark.read.format("delta").options(**options).load(folder(study)).collect()


def several_paths(study: Study) -> Any:
    own = str(study.settings.home / "results" / "own_paths")
    study._spark.range(3).write.mode("overwrite").parquet(own)
    part = str(next(Path(folder(study)).glob("*.parquet")))
    return study._spark.read.option("mergeSchema", "true").parquet(own, part).collect()


def file_names(study: Study) -> Any:
    return study.table("gold.event").select("_metadata.file_path").collect()


def file_names_by_function(study: Study) -> Any:
    from pyspark.sql import functions as fn

    return study.table("gold.event").select(fn.input_file_name()).collect()


def delta_table(study: Study) -> Any:
    from delta.tables import DeltaTable

    return DeltaTable.forPath(study._spark, folder(study)).toDF().collect()


def python_open(study: Study) -> Any:
    return next(Path(folder(study)).glob("*.parquet")).read_bytes()


def pandas_file(study: Study) -> Any:
    import pandas as pd

    return pd.read_parquet(next(Path(folder(study)).glob("*.parquet")))


def symbolic_link(study: Study) -> Any:
    link = study.settings.home / "link"
    link.unlink(missing_ok=True)
    link.symlink_to(folder(study))
    return next(link.glob("*.parquet")).read_bytes()


def root_key(study: Study) -> Any:
    return (study.settings.keys / "root.key").read_bytes()


def other_process(study: Study) -> Any:
    import subprocess

    return subprocess.run(["ls", folder(study)], check=True, capture_output=True)


def text_file(study: Study) -> Any:
    return study._spark.sparkContext.textFile(folder(study) + "/_delta_log/*.json").count()


def binary_files(study: Study) -> Any:
    return study._spark.sparkContext.binaryFiles(folder(study)).count()


def binary_format(study: Study) -> Any:
    return study._spark.read.format("binaryFile").load(folder(study) + "/*.parquet").count()


def other_session(study: Study) -> Any:
    return study._spark.newSession().read.format("delta").load(folder(study)).collect()


def cache_of_a_path(study: Study) -> Any:
    return study._spark.read.format("delta").load(folder(study)).cache().count()


def written_out(study: Study) -> Any:
    frame = study._spark.read.format("delta").load(folder(study))
    frame.write.mode("overwrite").parquet(str(study.settings.home / "results" / "stolen"))


def written_into_the_lake(study: Study) -> Any:
    frame = study.table("gold.event").select("code")
    frame.write.mode("overwrite").parquet(str(study.settings.lake / "gold" / "planted"))


def forged_opening(study: Study) -> Any:
    name = "gold.event@lab#00000000"
    return (
        study._spark.read.format("delta").load(folder(study, "gold.event")).select("*").alias(name).collect()
    )


def opening_over_another_table(study: Study) -> Any:
    study.table("gold.vocabulary", ["code"])
    from lakehouse.governance.access import openings

    nonce = next(nonce for nonce, each in openings.register().items() if each.serial == study._serial)
    frame = study._spark.read.format("delta").load(folder(study, "gold.event")).select("code")
    return frame.alias(f"gold.vocabulary@lab#{nonce}").collect()


def filter_only_column_shown(study: Study) -> Any:
    return study.table("gold.event", ["code", "place"]).collect()


def join_only_column_shown(study: Study) -> Any:
    return study.table("gold.event", ["code", "setting"]).groupBy("setting").count().collect()


def join_only_column_in_a_condition(study: Study) -> Any:
    frame = study.table("gold.event", ["day", "setting", "place"])
    return frame.filter("setting = 1 AND place = 'hospital 1'").select("day").collect()


def failing_query_past_the_study(study: Study) -> Any:
    from pyspark.sql import functions as fn

    frame = study._spark.read.format("delta").load(folder(study))
    return frame.select(fn.when(fn.col("hours") > 0, fn.raise_error("stop"))).collect()


BREACHES: list[tuple[Callable[[Study], Any], str]] = [
    (delta_path, "gold/spell version 1 was read past the study"),
    (granted_table_by_path, "gold/event version 1 was read past the study"),
    (parquet_path, "gold/spell"),
    (sql_path, "gold/spell version 1 was read past the study"),
    (sql_subquery, "gold/spell version 1 was read past the study"),
    (time_travel, "gold/event version 0 (the study is pinned to 1) was read past the study"),
    (delta_log, "gold/spell/_delta_log"),
    (table_history, "gold/spell"),
    (table_of_the_catalog, "gold/spell"),
    (catalog_history, "gold/spell, past the study"),
    (deleted, "gold/spell version 1 was read past the study"),
    (optimised, "OptimizeTableCommand was run on"),
    (streamed, "gold/spell version 1 was read past the study"),
    (change_feed, "change feed"),
    (several_paths, "gold/spell/"),
    (file_names, "gold.event._metadata was taken though it was not handed out"),
    (file_names_by_function, "input_file_name"),
    (delta_table, "gold/spell version 1 was read past the study"),
    (python_open, "Python opened"),
    (pandas_file, "Python opened"),
    (symbolic_link, "gold/spell"),
    (root_key, "root.key"),
    (other_process, "A process was started over"),
    (text_file, "gold/spell/_delta_log"),
    (binary_files, "gold/spell"),
    (binary_format, "gold/spell"),
    (other_session, "gold/spell was read by a query outside the watched session"),
    (cache_of_a_path, "gold/spell version 1 was read past the study"),
    (written_out, "gold/spell version 1 was read past the study"),
    (written_into_the_lake, "wrote to"),
    (forged_opening, "claims an opening of gold.event that the study did not make"),
    (opening_over_another_table, "was read under the name of gold.vocabulary"),
    (filter_only_column_shown, "gold.event.place was used direct, but is granted filter only"),
    (join_only_column_shown, "gold.event.setting was used direct, but is granted join only"),
    (join_only_column_in_a_condition, "gold.event.setting was used filter, but is granted join only"),
    (failing_query_past_the_study, "gold/spell version 1 was read past the study"),
]  # fmt: skip


@pytest.mark.parametrize(("attack", "told"), BREACHES, ids=lambda each: getattr(each, "__name__", ""))
def test_breach__is_stopped_before_reading_or_recorded_and_named(
    lab: Lab, attack: Callable[[Study], Any], told: str
) -> None:
    scope = lab.run(attack)
    if scope.state is State.BREACH:
        assert told in " ".join(scope.reasons) and not scope.releasable
    else:
        assert scope.denials, "neither stopped nor recorded"


def rdd(study: Study) -> Any:
    return study.table("gold.event").select("code").rdd.take(2)


def rdd_to_frame(study: Study) -> Any:
    rows = study.table("gold.event").select("day").rdd.map(lambda row: (row.day + 1,))
    return study._spark.createDataFrame(rows, "day int").collect()


def for_each(study: Study) -> Any:
    return study.table("gold.event").foreach(lambda row: None)


def row_by_row(study: Study) -> Any:
    return list(study.table("gold.event").toLocalIterator())


def granted_path_in_another_session(study: Study) -> Any:
    return study._spark.newSession().read.format("delta").load(folder(study, "gold.event")).collect()


def cloned(study: Study) -> Any:
    target = study.settings.home / "results" / "clone"
    return study._spark.sql(f"CREATE OR REPLACE TABLE delta.`{target}` SHALLOW CLONE delta.`{folder(study)}`")


def mined_by_spark_ml(study: Study) -> Any:
    from pyspark.ml.fpm import FPGrowth

    model = FPGrowth(itemsCol="code", minSupport=0.3).fit(study.table("gold.timeline", ["code"]))
    return model.freqItemsets.collect()


def recorder_broken(study: Study) -> Any:
    from lakehouse.governance.observers import hub as observed

    real = observed.analyse
    observed.analyse = lambda plan: 1 / 0  # type: ignore[assignment]
    try:
        study.table("gold.event").count()
        study._observer._hub.drain()
    finally:
        observed.analyse = real


def listener_broken(study: Study) -> Any:
    hub = study._observer._hub
    assert hub is not None
    real, hub._read = hub._read, lambda *all: 1 / 0  # type: ignore[assignment, method-assign, return-value]
    try:
        study.table("gold.event").count()
        hub.drain()
    finally:
        hub._read = real  # type: ignore[method-assign]
    with pytest.raises(ScopeBreach, match="recorder failed"):
        study.table("gold.vocabulary")


def event_log_gone(study: Study) -> Any:
    import shutil

    study.table("gold.event").count()
    shutil.rmtree(study._observer._writer.folder)


UNACCOUNTED: list[tuple[Callable[[Study], Any], str]] = [
    (rdd, "a job outside any query"),
    (rdd_to_frame, "RDD that reads files"),
    (for_each, "a job outside any query"),
    (row_by_row, "a query outside the watched session (toLocalIterator"),
    (granted_path_in_another_session, "over gold.event"),
    (cloned, "A table was cloned"),
    (mined_by_spark_ml, "localCheckpoint()"),
    (recorder_broken, "ZeroDivisionError"),
    (listener_broken, "ZeroDivisionError"),
    (event_log_gone, "event log"),
]


@pytest.mark.parametrize(("work", "told"), UNACCOUNTED, ids=lambda each: getattr(each, "__name__", ""))
def test_unaccounted__says_what_cannot_be_told(lab: Lab, work: Callable[[Study], Any], told: str) -> None:
    scope = lab.run(work)
    if scope.denials and not scope.reads and scope.state is State.ACCOUNTED:
        return
    assert scope.state is State.UNACCOUNTED, scope.reasons
    assert told in " ".join(scope.reasons)
    assert not scope.releasable


def test_row_by_row__of_a_query_that_is_known_is_accounted(lab: Lab) -> None:
    def work(study: Study) -> None:
        frame = study.table("gold.event").select("code")
        frame.collect()
        list(frame.toLocalIterator())

    assert lab.run(work).state is State.ACCOUNTED


def test_foreign_data__is_a_remark(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("code\nICD10//A\n")
    scope = lab.run(lambda study: study._spark.read.csv(str(tmp_path / "own.csv"), header=True).count())
    assert scope.state is State.ACCOUNTED
    assert any("own.csv" in remark for remark in scope.remarks)


@dataclass
class Clock:
    """A day that a test moves."""

    day: date = TODAY

    def __call__(self) -> date:
        return self.day


def test_expiry_mid_run__refuses_new_tables_and_actions_on_old_ones(lab: Lab) -> None:
    clock = Clock()
    with lab.open(today=clock) as study:
        frame = study.table("gold.event")
        frame.count()
        study._observer._hub.drain()
        clock.day = date(2026, 1, 1)
        with pytest.raises(PermissionRefused, match="has expired"):
            study.table("gold.timeline")
        with pytest.raises(PermissionRefused, match="2026-01-01, outside the permit's"):
            frame.select("code").collect()
    scope = study.scope()
    assert scope.state is State.ACCOUNTED and len(scope.denials) == 2


def test_opted_out_mid_run__is_gone_from_the_next_table(lab: Lab) -> None:
    from tests.support.small_lake import PERSONS

    listed = lab.settings.home / "conf" / "permits" / "leaving.txt"
    listed.write_text("")
    lab.permit("leaving", 'opt_outs = "leaving.txt"')
    with lab.open("leaving") as study:
        before = study.table("gold.person").count()
        listed.write_text(f"{PERSONS[4]}\n")
        after = study.table("gold.person").count()
    assert (before, after) == (10, 9)
    assert study.scope().state is State.ACCOUNTED
    assert any("opt-out list changed" in remark for remark in study.scope().remarks)


def test_frame_of_a_closed_study__is_refused_by_the_next(lab: Lab) -> None:
    with lab.open() as first:
        frame = first.table("gold.event").select("code")
    scope = lab.run(lambda study: frame.collect())
    assert "gold.event of study 'lab' was read after that study was closed" in scope.denials[0]["what"]
    assert scope.state is State.ACCOUNTED and not scope.reads


def test_two_studies_in_one_query__is_refused(lab: Lab) -> None:
    lab.permit("second")
    with lab.open() as one, lab.open("second") as other:
        both = one.table("gold.event").select("code").union(other.table("gold.vocabulary").select("code"))
        with pytest.raises(PermissionRefused, match="joined this study's data with another study's"):
            both.collect()
    assert not one.scope().reads and not other.scope().reads


def test_cohort_that_reads_elsewhere__is_refused(lab: Lab) -> None:
    path = table_path(lab.settings, "gold.spell")
    lab.permit("sly", study=f'cohort = "person_id in (select person_id from delta.`{path}`)"')
    with pytest.raises(ConfigurationError, match="one condition on the columns"):
        lab.open("sly")


def test_breach_and_accounted_reads__stand_side_by_side(lab: Lab) -> None:
    def work(study: Study) -> None:
        study.table("gold.event").groupBy("code").count().collect()
        python_open(study)

    scope = lab.run(work)
    assert scope.state is State.BREACH
    assert read_of(scope, "gold.event").columns_join == ["code"]
