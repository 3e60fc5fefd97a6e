"""The contract with Spark, Delta and Py4J: each thing they do not promise and we rely on, exercised for real.

An upgrade of pyspark or delta-spark runs this file first (``make test-upgrade``). Each message says what of ours breaks
where the check fails, so that it is known what to mend before anything else is tried.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from lakehouse.governance.guard import plan_check, side_doors
from lakehouse.governance.observers.event_log import read
from lakehouse.governance.observers.observations import scans_of
from lakehouse.governance.observers.plan_sources import of_delta
from lakehouse.governance.plans.text import FILE_RDDS, FILE_READS, LOCATION, plain_path
from lakehouse.governance.plans.tree import parse_plan
from lakehouse.governance.scope.reconcile import NEVER_RUN
from lakehouse.spark_internals import connection
from lakehouse.spark_internals.delta import newest_snapshot
from lakehouse.spark_internals.event_log import EventLogger
from lakehouse.spark_internals.plans import kind_of, leaves, plan_json, plan_text, write_target
from lakehouse.spark_internals.process import jvm_process, worker_environment, wrap_frames
from lakehouse.spark_internals.queries import (
    analysed_plan,
    cancel_everything,
    executed_plan_json,
    listen,
    query_id,
    query_of,
    session_name,
    wait_for_events,
)
from lakehouse.spark_internals.schemas import arrow_schema
from lakehouse.spark_internals.statements import condition_json, statement_tree
from lakehouse.spark_internals.status import StatusStore

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("internals")


@pytest.fixture(scope="module")
def table(spark: SparkSession, folder: Path) -> Path:
    """A Delta table of two versions."""
    path = folder / "table"
    spark.range(7).selectExpr("id", "cast(id % 3 AS string) AS code").write.format("delta").save(str(path))
    spark.range(7, 9).selectExpr("id", "'x' AS code").write.format("delta").mode("append").save(str(path))
    return path


def of_table(spark: SparkSession, path: Path) -> DataFrame:
    return spark.read.format("delta").load(str(path))


class TestConnection:
    def test_every_socket_passes_through_the_two_methods_made_prompt(self, spark: SparkSession) -> None:
        assert connection.prompt_answers(), (
            "Every exchange with the JVM waits 40 ms: Py4J's connection has changed."
        )
        client: Any = spark.sparkContext._gateway._gateway_client  # type: ignore[union-attr]
        held = [each.socket for each in client.deque]
        assert held and all(isinstance(each, connection.PromptSocket) for each in held), (
            "Sockets are not prompt."
        )

    def test_commands_are_seen_before_they_are_sent(self, spark: SparkSession, folder: Path) -> None:
        client: Any = spark.sparkContext._gateway._gateway_client  # type: ignore[union-attr]
        before = {
            key: client.__dict__.pop(key)
            for key in ("send_command", connection.MARK)
            if key in client.__dict__
        }
        seen: list[str] = []

        def see(command: str) -> None:
            seen.append(command)
            if "availableProcessors" in command:
                raise PermissionError("not sent")

        try:
            connection.watch_commands(spark, see)
            jvm: Any = spark.sparkContext._jvm
            jvm.java.nio.file.Files.exists(jvm.java.io.File(str(folder)).toPath(), spark.sparkContext._gateway.new_array(  # type: ignore[union-attr]
                jvm.java.nio.file.LinkOption, 0))  # fmt: skip
            with pytest.raises(PermissionError):
                jvm.java.lang.Runtime.getRuntime().availableProcessors()
            spark.sql("SELECT 'a\nb' AS text").collect()
            given = folder / "given.txt"
            given.write_text("given")
            spark.sparkContext.addFile(str(given))
        finally:
            for key in ("send_command", connection.MARK):
                client.__dict__.pop(key, None)
            client.__dict__.update(before)
        asked = [each for each in seen if each.startswith(side_doors.ASKING)]
        for door in ("java.io.", "java.nio.", "java.lang.Runtime"):
            assert any(
                (found := side_doors.JVM_DOORS.search(each[:400])) and found[0] == door for each in asked
            ), f"The guard no longer sees a job ask the JVM for {door}."
        handed = [found[1] for each in seen if (found := side_doors.HANDING.match(each))]
        assert [connection.text_in(each) for each in handed] == [str(given)], (
            "Files handed to workers pass unseen."
        )
        run = [connection.text_in(found[1]) for each in seen if (found := side_doors.SQL.match(each))]
        assert "SELECT 'a\nb' AS text" in run, "Statements of a job (ADD JAR and the like) pass unseen."

    def test_a_missing_java_method_is_told_from_one_that_is_there(self, spark: SparkSession) -> None:
        jvm: Any = spark.sparkContext._jvm
        thing = jvm.java.lang.StringBuilder("ab")
        assert connection.given(thing, "length") == 2
        assert connection.given(thing, "snapshotAtAnalysis") is None, (
            "Relations without files fail the recorder."
        )

    def test_errors_are_known_to_be_sparks(self, spark: SparkSession) -> None:
        jvm: Any = spark.sparkContext._jvm
        failing = (
            lambda: spark.sql("SELECT no_column").collect(),
            lambda: jvm.java.lang.Integer.parseInt("x"),
        )
        for each in failing:
            with pytest.raises(Exception) as raised:
                each()
            assert connection.is_from_spark(raised.value), (
                "An ingest would show a stack of frames, values included."
            )
        assert not connection.is_from_spark(ValueError("ours"))


class TestWithoutPromptSockets:
    @pytest.fixture
    def unpatched(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        from py4j.clientserver import ClientServerConnection

        monkeypatch.delattr(ClientServerConnection, connection.MARK, raising=False)
        connection._tell_once.cache_clear()
        yield
        connection._tell_once.cache_clear()

    @pytest.mark.parametrize("hidden", connection.HOOKS)
    def test_a_method_that_is_gone_is_told_once(
        self, hidden: str, unpatched: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        from py4j.clientserver import ClientServerConnection

        with monkeypatch.context() as hide, caplog.at_level(logging.WARNING):
            other = next(name for name in connection.HOOKS if name != hidden)
            kept = getattr(ClientServerConnection, other)
            hide.delattr(ClientServerConnection, hidden)
            assert not connection.prompt_answers()
            assert not connection.prompt_answers()
            assert getattr(ClientServerConnection, other) is kept, "one half was patched"
        assert [hidden in record.getMessage() for record in caplog.records] == [True]

    def test_a_class_that_is_gone_is_told(
        self, unpatched: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        import py4j.clientserver

        with monkeypatch.context() as hide, caplog.at_level(logging.WARNING):
            hide.delattr(py4j.clientserver, "ClientServerConnection")
            assert not connection.prompt_answers()
        assert "ClientServerConnection" in caplog.text

    def test_a_session_works_without(self, tmp_path: Path) -> None:
        code = (
            "import pathlib, sys\n"
            "from lakehouse.spark_internals import connection\n"
            "connection.HOOKS = ('_renamed', '_renamed_too')\n"
            "from lakehouse.session import spark_session\n"
            "from lakehouse.settings import load_settings\n"
            "settings = load_settings(pathlib.Path(sys.argv[1]), 'test')\n"
            "spark = spark_session(settings)\n"
            "assert spark_session(settings) is spark\n"
            "client = spark.sparkContext._gateway._gateway_client\n"
            "assert not any(isinstance(each.socket, connection.PromptSocket) for each in client.deque)\n"
            "print('counted', spark.range(5).count())\n"
            "spark.stop()\n"
        )
        run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
        assert "counted 5" in run.stdout, run.stderr
        assert run.stderr.count("stay as Py4J makes them") == 1


class TestProcess:
    def test_the_jvm_tells_its_process(self, spark: SparkSession) -> None:
        number = jvm_process(spark)
        told = subprocess.run(["ps", "-o", "comm=", "-p", str(number)], capture_output=True, text=True).stdout
        assert number != os.getpid() and "java" in told, "The writers' lock names the wrong process."

    def test_workers_get_the_environment(self, spark: SparkSession) -> None:
        from pyspark.sql import functions as fn

        environment = worker_environment(spark)
        environment["PATTERNLAKE_MARK"] = "here"
        try:
            ask = fn.udf(lambda _: os.environ.get("PATTERNLAKE_MARK", ""), "string")
            told = spark.range(1).select(ask("id").alias("told")).first()
        finally:
            del environment["PATTERNLAKE_MARK"]
        assert told is not None and told["told"] == "here", (
            "Workers of a study are no longer closed to the lake."
        )

    def test_every_action_of_a_frame_can_be_guarded(self, spark: SparkSession, folder: Path) -> None:
        from pyspark.sql.classic.dataframe import DataFrame

        names = (*plan_check.ACTIONS, *plan_check.PROPERTIES)
        before = {name: DataFrame.__dict__.get(name) for name in names}
        heard: list[str] = []

        def wrap(action: Any) -> Any:
            def heard_of(*arguments: Any, **named: Any) -> Any:
                heard.append(action.__name__)
                return action(*arguments, **named)

            return heard_of

        try:
            wrap_frames(plan_check.ACTIONS, plan_check.PROPERTIES, wrap)
            frame = spark.range(3).toDF("id")
            act = {name: (lambda name=name: getattr(frame, name)()) for name in plan_check.ACTIONS}
            act |= {"tail": lambda: frame.tail(1), "foreach": lambda: frame.foreach(print)}
            act |= {"foreachPartition": lambda: frame.foreachPartition(list)}
            act |= {"writeTo": lambda: frame.writeTo("t")}
            act |= {name: (lambda name=name: getattr(frame, name)) for name in plan_check.PROPERTIES}
            spark.sparkContext.setCheckpointDir(str(folder / "checkpoints"))
            for name in names:
                heard.clear()
                if name == "writeStream":
                    with pytest.raises(Exception, match="streaming"):
                        act[name]()
                else:
                    act[name]()
                assert name in heard, f"A study no longer sees {name} before it runs."
            for reach in (lambda: frame.head(1), lambda: frame.first(), lambda: frame.take(1)):
                heard.clear()
                reach()
                assert "collect" in heard, (
                    "head, first or take no longer end in collect: they pass the guard."
                )
            with pytest.raises(AttributeError, match="no_such_action"):
                wrap_frames(["count", "no_such_action"], [], lambda action: None)
            assert frame.count() == 3
        finally:
            for name, held in before.items():
                if held is None:
                    delattr(DataFrame, name)
                else:
                    setattr(DataFrame, name, held)


class TestStatements:
    def test_a_condition_is_parsed(self, spark: SparkSession) -> None:
        tree = parse_plan(condition_json(spark, "sex = 'F' AND birth_year IN (SELECT y FROM other)"))
        names = {node.name for node in tree.walk()}
        assert {"And", "EqualTo"} <= names, "Conditions of permits and cohorts can no longer be judged."
        assert any("Subquery" in each for each in names) or any(node.is_plan for node in tree.walk())
        with pytest.raises(Exception, match="PARSE_SYNTAX_ERROR"):
            condition_json(spark, "sex = = 'F'")

    def test_commands_no_study_needs_are_named(self, spark: SparkSession) -> None:
        statements = (
            "ADD JAR 'a.jar'", "ADD FILE 'a.txt'", "ADD ARCHIVE 'a.zip'", "CREATE FUNCTION f AS 'a.B'",
            "CREATE TEMPORARY FUNCTION f AS 'a.B'",
        )  # fmt: skip
        for statement in statements:
            tree = statement_tree(spark, statement)
            assert any(each in tree for each in NEVER_RUN), f"A study may now run: {statement}"


class TestDelta:
    def test_version_and_identity(self, spark: SparkSession, table: Path, folder: Path) -> None:
        found = newest_snapshot(spark, table)
        assert found.version == 1, "Studies cannot pin the versions of their tables."
        of_table(spark, table).limit(1).write.format("delta").mode("overwrite").save(str(folder / "other"))
        other = newest_snapshot(spark, folder / "other")
        assert found.table_id and found.table_id != other.table_id, "An exchanged table is no longer noticed."
        of_table(spark, table).limit(1).write.format("delta").mode("append").save(str(folder / "other"))
        assert newest_snapshot(spark, folder / "other") == (1, other.table_id)
        assert newest_snapshot(spark, folder / "nothing").version == -1


class TestQueries:
    def test_each_session_has_its_name(self, spark: SparkSession) -> None:
        assert session_name(spark) == session_name(spark) != session_name(spark.newSession())

    def test_a_listener_hears_of_every_query(self, spark: SparkSession, folder: Path) -> None:
        own = spark.newSession()
        heard: list[tuple[str, Any, bool]] = []
        listen(own, lambda action, query, failed: heard.append((action, query, failed)))
        own.range(3).write.format("delta").save(str(folder / "listened"))
        frame = of_table(own, folder / "listened")
        frame.collect()
        with pytest.raises(Exception, match="refused"):
            own.range(1).selectExpr("raise_error('refused')").collect()
        spark.range(1).count()
        wait_for_events(own.sparkContext, 60_000)
        why = "Nothing a study reads is recorded any more."
        mine = [each for each in heard if query_id(each[1]) == query_id(query_of(frame))]
        assert [failed for _, _, failed in mine] == [False], why
        assert len([query for _, query, failed in heard if failed]) == 1, why
        table_leaves = list(leaves(analysed_plan(mine[0][1])))
        assert [leaf.kind for leaf in table_leaves] == ["LogicalRelation"], why
        assert any(
            (own_leaves := list(leaves(analysed_plan(query)))) and all(of_delta(leaf) for leaf in own_leaves)
            for _, query, failed in heard
            if not failed
        ), "Delta's reading of its own log is taken for a reading of the job."

    def test_the_executed_plan_tells_scans(self, spark: SparkSession, table: Path) -> None:
        import json

        frame = of_table(spark, table).where("code = 'x'").select("id", "code")
        frame.collect()
        info = json.loads(executed_plan_json(spark.sparkContext, query_of(frame)))["sparkPlanInfo"]
        scans, metrics = scans_of(info)
        assert [scan.paths for scan in scans] == [(str(table),)], "Files that were scanned are not told."
        assert set(scans[0].columns) == {"id", "code"} and "x" in scans[0].pushed
        assert metrics, "A query run again is taken for an unknown one."

    def test_everything_can_be_stopped(self, spark: SparkSession) -> None:
        ended: list[str] = []

        def long() -> None:
            try:
                spark.sparkContext.parallelize([1], 1).foreach(lambda _: time.sleep(120))
            except Exception as error:
                ended.append(str(error))

        running = threading.Thread(target=long)
        running.start()
        for _ in range(100):
            if spark.sparkContext.statusTracker().getActiveJobsIds():
                break
            time.sleep(0.1)
        cancel_everything(spark.sparkContext)
        running.join(60)
        assert len(ended) == 1 and "cancel" in ended[0], "What cannot be recorded is no longer stopped."


class TestPlans:
    def test_a_delta_table_tells_path_and_version(self, spark: SparkSession, table: Path) -> None:
        old = spark.read.format("delta").option("versionAsOf", 0).load(str(table))
        for frame, version in ((of_table(spark, table), 1), (old, 0)):
            plan = analysed_plan(query_of(frame))
            (leaf,) = leaves(plan)
            assert leaf.kind == "LogicalRelation" and leaf.files is not None and leaf.files.is_table
            assert [plain_path(path) for path in leaf.files.paths] == [str(table)], (
                "Tables are not recognised."
            )
            assert leaf.files.version == version, "Records name no version."
            (node,) = [node for node in parse_plan(plan_json(plan)).walk() if node.name == "LogicalRelation"]
            assert f'"id":{leaf.identity},' in plan_json(plan), "A leaf cannot be found in the plan's JSON."
            assert node.is_plan

    def test_files_rows_and_ranges_are_told_apart(self, spark: SparkSession, folder: Path) -> None:
        spark.range(3).write.parquet(str(folder / "plain"))
        (leaf,) = leaves(analysed_plan(query_of(spark.read.parquet(str(folder / "plain")))))
        assert leaf.files is not None and leaf.files.name == "InMemoryFileIndex" and not leaf.files.is_table
        assert [plain_path(path) for path in leaf.files.paths] == [str(folder / "plain")]
        (folder / "text.txt").write_text("a\n")
        lines = spark.sparkContext.textFile(str(folder / "text.txt")).map(lambda line: (line,))
        (leaf,) = leaves(analysed_plan(query_of(spark.createDataFrame(lines, "line string"))))
        assert leaf.kind == "LogicalRDD" and any(kind in leaf.lineage for kind in FILE_RDDS), (
            "Files read as RDD pass."
        )
        (leaf,) = leaves(analysed_plan(query_of(spark.range(3))))
        assert leaf.kind == "Range" and leaf.text.startswith("Range") and leaf.identity >= 0

    def test_leaves_of_subqueries_and_commands_are_found(
        self, spark: SparkSession, table: Path, folder: Path
    ) -> None:
        of_table(spark, table).createOrReplaceTempView("internals_view")
        asked = spark.sql("SELECT * FROM range(3) WHERE id IN (SELECT id FROM internals_view)")
        kinds = {leaf.kind for leaf in leaves(analysed_plan(query_of(asked)))}
        assert {"Range", "LogicalRelation"} <= kinds, "A table read in a subquery is missed."
        heard: list[Any] = []
        own = spark.newSession()
        listen(own, lambda action, query, failed: heard.append(analysed_plan(query)))
        for form in ("parquet", "delta"):
            of_table(own, table).write.format(form).save(str(folder / f"written-{form}"))
        wait_for_events(own.sparkContext, 60_000)
        written = {plain_path(path): plan for plan in heard if (path := write_target(plan)) is not None}
        wanted = {str(folder / f"written-{form}") for form in ("parquet", "delta")}
        assert wanted <= set(written), "A job's writing into the lake is missed."
        for path in wanted:
            assert kind_of(written[path]).endswith("Command")
            assert "LogicalRelation" in {leaf.kind for leaf in leaves(written[path])}, (
                "What is written was not read."
            )

    def test_an_unusual_escape_character_is_marked(self, spark: SparkSession, table: Path) -> None:
        frame = of_table(spark, table).where("code LIKE '1!_%' ESCAPE '!'")
        plan = analysed_plan(query_of(frame))
        assert " ESCAPE '" in plan_text(plan) and '"escapeChar":null' not in plan_json(plan), (
            "A condition would be told otherwise than it was: its escape character is lost."
        )
        usual = plan_json(analysed_plan(query_of(of_table(spark, table).where("code LIKE '1%'"))))
        assert '"escapeChar":"?"' not in usual


class TestStatus:
    def test_executions_are_told(self, spark: SparkSession, table: Path) -> None:
        store = StatusStore(spark)
        before = store.newest_execution()
        frame = of_table(spark, table).select("id")
        frame.collect()
        wait_for_events(spark.sparkContext, 60_000)
        told = [store.execution(number) for number in range(before + 1, store.newest_execution() + 1)]
        mine = [each for each in told if each is not None and each.query == query_id(query_of(frame))]
        why = "A query outside the watched session is no longer found."
        assert len(mine) == 1 and mine[0].ended and mine[0].metrics and mine[0].description, why
        assert str(table) in str(LOCATION.findall(mine[0].plan)), why
        assert store.execution(10**9) is None

    def test_jobs_of_no_query_are_told(self, spark: SparkSession, folder: Path) -> None:
        (folder / "lines.txt").write_text("a\nb\n")
        store = StatusStore(spark)
        number = store.next_job()
        assert spark.sparkContext.textFile(str(folder / "lines.txt")).count() == 2
        spark.range(2).collect()
        wait_for_events(spark.sparkContext, 60_000)
        assert store.next_job() >= number + 1
        why = "Files read as an RDD are no longer found."
        assert not store.job(number).of_query and "count" in store.job(number).name, why
        assert FILE_READS.search(store.drawing(number)) and "lines.txt" in store.drawing(number), why
        assert any(store.job(each).of_query for each in range(number + 1, store.next_job())), why
        with pytest.raises(Exception, match="NoSuchElement"):
            store.job(10**8)


def test_the_event_log_tells_scans_and_rows(spark: SparkSession, table: Path, folder: Path) -> None:
    place = folder / "events"
    place.mkdir()
    logger = EventLogger(spark.sparkContext, place)
    of_table(spark, table).where("id >= 0").collect()
    wait_for_events(spark.sparkContext, 60_000)
    logger.stop()
    (log,) = [path for path in place.iterdir() if not path.name.startswith(".")]
    found = read(log)
    mine = [scan for scan in found.scans if scan.paths == (str(table),)]
    assert mine and sum(scan.rows for scan in mine) == 9, "The second sight is blind: runs are unaccounted."
    assert set(mine[0].columns) == {"id", "code"}
    size = log.stat().st_size
    spark.range(3).count()
    wait_for_events(spark.sparkContext, 60_000)
    assert log.stat().st_size == size, "The logger goes on after it was stopped."


def test_arrow_schemas_are_sparks(spark: SparkSession) -> None:
    schema = arrow_schema("a STRING, b INT, c DATE, d DECIMAL(9,2) NOT NULL")
    assert schema == pa.schema([
        ("a", pa.string()), ("b", pa.int32()), ("c", pa.date32()), pa.field("d", pa.decimal128(9, 2), nullable=False)
    ]), "Gold files written by workers differ from what Spark writes."  # fmt: skip
