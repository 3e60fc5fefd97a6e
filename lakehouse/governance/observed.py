"""Watches what Spark really runs: plans through its query listener, and its status store for what comes by no plan."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

from lakehouse.governance.operators import analyse
from lakehouse.governance.plan_leaves import described, leaves_of, of_delta, targets_of
from lakehouse.governance.plan_tree import parse_plan
from lakehouse.governance.sightings import (
    FILE_READS,
    LABELLED_PATH,
    LOCATION,
    QuerySeen,
    RunSeen,
    Scan,
    Sightings,
    plain_path,
    scans_of,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DRAIN_MILLISECONDS = 60_000


class Observer:
    """Records every query of a session from ``start`` to ``stop``, and every job that no query explains.

    Two independent sights: the query listener hands over plans (tables, versions, columns, conditions), and
    the status store of the whole application lists executions and jobs whether or not they came through
    this session. An execution or job that only the second sight knows is reported as a run.
    """

    def __init__(self, spark: SparkSession, clock: Callable[[], date]) -> None:
        self.spark, self.clock = spark, clock
        self.seen = Sightings()
        self._hub: Hub | None = None

    def start(self) -> None:
        """Begin to listen, after everything that ran before has been delivered."""
        self._hub = Hub.of(self.spark)
        self._drain(self._hub)
        self._first_execution = self._hub.newest_execution() + 1
        self._first_job = self._hub.next_job()
        self._hub.listening += (self,)

    def stop(self) -> Sightings:
        """Deliver what is still on the way, stop listening, and add what only the status store knows."""
        hub, self._hub = self._hub, None
        if hub is not None:
            self._drain(hub)
            hub.listening = tuple(each for each in hub.listening if each is not self)
            try:
                runs, faults = hub.unexplained(self._first_execution, self._first_job)
            except Exception as error:
                runs, faults = [], [f"Spark could not be asked what it ran ({type(error).__name__})"]
            self.seen.runs += runs
            self.seen.faults += faults
        return self.seen

    def _drain(self, hub: Hub) -> None:
        if (fault := hub.drain()) is not None:
            self.seen.faults.append(fault)


class Hub:
    """The one listener of a session: reads each query's plans once and hands the result to all observers.

    It stays registered for the session's life: Spark removes a listener by identity, which an object on
    the Python side has not, so one that never leaves replaces many that cannot.
    """

    _by_session: ClassVar[dict[str, Hub]] = {}

    def __init__(self, spark: SparkSession) -> None:
        from pyspark.java_gateway import ensure_callback_server_started

        context = spark.sparkContext
        begin: Any = ensure_callback_server_started
        begin(context._gateway)
        self.listening: tuple[Observer, ...] = ()
        self._jvm: Any = context._jvm
        self._scala = context._jsc.sc()
        self._store = spark._jsparkSession.sharedState().statusStore()
        self._ids: set[str] = set()
        self._metrics: set[int] = set()
        spark._jsparkSession.listenerManager().register(_Listener(self))

    @classmethod
    def of(cls, spark: SparkSession) -> Hub:
        """The session's hub, made when first asked for."""
        identity = f"{spark.sparkContext.applicationId} {spark._jsparkSession.sessionUUID()}"
        if identity not in cls._by_session:
            cls._by_session[identity] = cls(spark)
        return cls._by_session[identity]

    def notice(self, action: str, query: Any, failed: bool) -> None:
        """Take in one query; whatever goes wrong here is itself recorded, so nothing is lost in silence."""
        listening = self.listening
        if not listening:
            return
        try:
            record = self._read(action, query, failed)
        except Exception as error:
            fault = f"a query ({action}) could not be read: {type(error).__name__}: {error}"[:300]
            for observer in listening:
                observer.seen.faults.append(fault)
            return
        for observer in listening:
            if record is None:
                observer.seen.delta_queries += 1
            else:
                observer.seen.queries.append(replace(record, on=observer.clock()))

    def _read(self, action: str, query: Any, failed: bool) -> QuerySeen | None:
        """One query as its plans show it; ``None`` for Delta's reading of its own log."""
        identity = query.queryId().toString()
        repeated = identity in self._ids
        self._ids.add(identity)
        plan = query.analyzed()
        leaves = list(leaves_of(plan))
        if leaves and all(of_delta(leaf, kind) for leaf, kind in leaves):
            if repeated:
                self._metrics |= self._executed(query)[1]
            return None
        record = QuerySeen(action, date.min, time.monotonic(), failed)
        record.leaves = dict(described(leaf, kind) for leaf, kind in leaves)
        record.use = analyse(parse_plan(_json_of(plan)))
        record.writes = targets_of(plan)
        try:
            record.scans, metrics = self._executed(query)
            self._metrics |= metrics
        except Exception as error:
            if not failed:
                record.fault = f"its executed plan could not be read ({type(error).__name__})"
        return record

    def _executed(self, query: Any) -> tuple[list[Scan], set[int]]:
        """File scans and metric ids of the final physical plan."""
        sql = self._jvm.org.apache.spark.sql.execution
        info = sql.SparkPlanInfo.fromSparkPlan(query.executedPlan())
        event = sql.ui.SparkListenerSQLAdaptiveExecutionUpdate(0, "", info)
        text = self._jvm.org.apache.spark.util.JsonProtocol.sparkEventToJsonString(event)
        return scans_of(json.loads(text)["sparkPlanInfo"])

    def unexplained(self, first_execution: int, first_job: int) -> tuple[list[RunSeen], list[str]]:
        """Executions and jobs of the whole application that came by no query, and what can no longer be told."""
        runs: list[RunSeen | None] = []
        faults = []
        for number in range(first_execution, self.newest_execution() + 1):
            found = self._store.execution(number)
            if found.isEmpty():
                faults.append(f"Spark no longer knows its execution {number}")
            else:
                runs.append(self._execution(found.get()))
        status = self._scala.statusStore()
        for number in range(first_job, self.next_job()):
            try:
                pair = status.jobWithAssociatedSql(number)
            except Exception:
                faults.append(f"Spark no longer knows its job {number}")
                continue
            if pair._2().isEmpty():
                runs.append(self._job(status, number, pair._1().name()))
        return [run for run in runs if run is not None], faults

    def _execution(self, execution: Any) -> RunSeen | None:
        """A query the listener was not told of: by another session, or row by row, or still running.

        A query run again gets a new identity but keeps its plan, hence its metrics: those tell it is known.
        """
        if execution.completionTime().isEmpty():
            return RunSeen(f"a query still running ({execution.description()})", ())
        if execution.queryId().toString() in self._ids:
            return None
        metrics = execution.metrics()
        if {int(metrics.apply(place).accumulatorId()) for place in range(metrics.size())} & self._metrics:
            return None
        text = execution.physicalPlanDescription()
        found = [(index, each) for index, paths in LOCATION.findall(text) for each in paths.split(",")]
        paths = tuple(
            dict.fromkeys(plain_path(each) for index, each in found if index != "DeltaLogFileIndex")
        )
        if paths or ("Scan ExistingRDD" in text and not execution.description().startswith("Delta: ")):
            return RunSeen(f"a query outside the watched session ({execution.description()})", paths)
        return None

    def _job(self, status: Any, number: int, name: str) -> RunSeen | None:
        """A job of no query, when its drawing shows that it read files or when there is no drawing."""
        graphs = status.operationGraphForJob(number)
        draw = self._jvm.org.apache.spark.ui.scope.RDDOperationGraph.makeDotFile
        drawn = "".join(draw(graphs.apply(place)) for place in range(graphs.size()))
        if drawn and not FILE_READS.search(drawn):
            return None
        paths = tuple(dict.fromkeys(plain_path(path) for path in LABELLED_PATH.findall(drawn)))
        return RunSeen(f"a job outside any query ({name})", paths)

    def drain(self) -> str | None:
        """Wait until Spark has delivered its events; a sentence when it did not."""
        try:
            self._scala.listenerBus().waitUntilEmpty(DRAIN_MILLISECONDS)
        except Exception as error:
            return f"Spark did not deliver its events in time ({type(error).__name__})"
        return None

    def newest_execution(self) -> int:
        """Highest number of a SQL execution so far, −1 before the first."""
        known = self._store.executionsList()
        return (
            -1 if known.isEmpty() else max(int(known.last().executionId()), int(known.head().executionId()))
        )

    def next_job(self) -> int:
        """Number the next Spark job will get."""
        return int(self._scala.dagScheduler().nextJobId())


class _Listener:
    """The object Spark calls after each query; Spark swallows what it raises, so it raises nothing."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    def onSuccess(self, action: str, query: Any, nanoseconds: int) -> None:  # noqa: N802
        """A query ended."""
        self.hub.notice(action, query, failed=False)

    def onFailure(self, action: str, query: Any, error: Any) -> None:  # noqa: N802
        """A query failed; it may have read before it did."""
        self.hub.notice(action, query, failed=True)

    class Java:
        """The Java interface this object stands for."""

        implements: ClassVar = ["org.apache.spark.sql.util.QueryExecutionListener"]


def _json_of(plan: Any) -> str:
    """JSON of a logical plan. It leaves out the escape character of LIKE, so one that is not the usual is marked."""
    text = str(plan.toJSON())
    if '"escapeChar":null' in text and " ESCAPE '" in plan.toString():
        return text.replace('"escapeChar":null', '"escapeChar":"?"')
    return text
