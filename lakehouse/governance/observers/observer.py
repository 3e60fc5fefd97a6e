"""Watches what Spark really runs: plans through its query listener, and its status store for what comes by no plan."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lakehouse.governance.observers.event_log import EventLogWriter
from lakehouse.governance.observers.observations import QuerySeen, Scan, Sightings, scans_of
from lakehouse.governance.observers.plan_sources import command_of, described, leaves_of, of_delta, targets_of
from lakehouse.governance.observers.status_store import RunLog
from lakehouse.governance.plans.operators import analyse
from lakehouse.governance.plans.tree import parse_plan

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DRAIN_MILLISECONDS = 60_000
MOST_PLANNED = 200
"""Plans kept between the gate and the end of their query."""


class Observer:
    """Records every query of a session from ``start`` to ``stop``, and every job that no query explains.

    Independent sights: the query listener hands over plans (tables, versions, columns, conditions); the status
    store of the whole application lists executions and jobs whether or not they came through this session, and
    what only it knows is reported as a run; Spark's event log, written into ``folder``, tells what was scanned.
    """

    def __init__(self, spark: SparkSession, clock: Callable[[], date], folder: Path) -> None:
        self.spark, self.clock = spark, clock
        self._writer = EventLogWriter(spark, folder)
        self.seen = Sightings()
        self._hub: Hub | None = None
        self._log: RunLog | None = None

    def start(self) -> None:
        """Begin to listen, after everything that ran before has been delivered."""
        self._hub = Hub.of(self.spark)
        self._drain(self._hub)
        self._log = RunLog(self.spark)
        self._writer.start()
        self._hub.listening += (self,)

    def planned(self, frame: Any) -> QuerySeen | None:
        """A frame's query as it is planned, before it runs; ``None`` for Delta's reading of its own log."""
        assert self._hub is not None
        record = self._hub.planned(frame._jdf.queryExecution())
        return None if record is None else replace(record, on=self.clock())

    def stop(self) -> Sightings:
        """Deliver what is still on the way, stop listening, and add what only the status store knows."""
        hub, log = self._hub, self._log
        self._hub = self._log = None
        if hub is not None and log is not None:
            self._drain(hub)
            hub.listening = tuple(each for each in hub.listening if each is not self)
            try:
                runs, faults = log.settle(hub.queries, hub.metrics)
            except Exception as error:
                runs, faults = [], [f"Spark could not be asked what it ran ({type(error).__name__})"]
            self.seen.runs += runs
            self.seen.faults += faults
            try:
                self.seen.logged = self._writer.stop()
            except Exception as error:
                self.seen.faults.append(
                    f"Spark's event log could not be read ({type(error).__name__}: {error})"[:300]
                )
        return self.seen

    def take(self, record: QuerySeen | None) -> None:
        """One more query, ``None`` for Delta's reading of its own log."""
        if record is None:
            self.seen.delta_queries += 1
        else:
            self.seen.queries.append(replace(record, on=self.clock()))
        if self._log is not None and self._hub is not None:
            self._log.follow(self._hub.queries)

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
        self.queries: set[str] = set()
        self.metrics: set[int] = set()
        self._plans: dict[str, QuerySeen | None] = {}
        spark._jsparkSession.listenerManager().register(_Listener(self))

    @classmethod
    def of(cls, spark: SparkSession) -> Hub:
        """The session's hub, made when first asked for."""
        identity = f"{spark.sparkContext.applicationId} {spark._jsparkSession.sessionUUID()}"
        if identity not in cls._by_session:
            cls._by_session[identity] = cls(spark)
        return cls._by_session[identity]

    def notice(self, action: str, query: Any, failed: bool) -> None:
        """Take in one query; whatever goes wrong here is itself recorded, so nothing is lost in silence.

        A query that could not even be analysed has no plan and read nothing.
        """
        listening = self.listening
        if not listening or (failed and action == "analyze"):
            return
        try:
            record = self._read(action, query, failed)
            for observer in listening:
                observer.take(record)
        except Exception as error:
            fault = f"a query ({action}) could not be read: {type(error).__name__}: {error}"[:300]
            for observer in listening:
                observer.seen.faults.append(fault)
            with contextlib.suppress(Exception):
                self._scala.cancelAllJobs()

    def _read(self, action: str, query: Any, failed: bool) -> QuerySeen | None:
        """One query as its plans show it; ``None`` for Delta's reading of its own log."""
        identity = query.queryId().toString()
        repeated = identity in self.queries
        self.queries.add(identity)
        record = self._analysed(query, action)
        if record is None:
            if repeated:
                self.metrics |= self._executed(query)[1]
            return None
        record = replace(record, action=action, failed=failed, at=time.monotonic())
        try:
            record.scans, metrics = self._executed(query)
            self.metrics |= metrics
        except Exception as error:
            if not failed:
                record.fault = f"its executed plan could not be read ({type(error).__name__})"
        return record

    def planned(self, query: Any) -> QuerySeen | None:
        """A query before it runs; what was found out is kept for when it has run."""
        identity = query.queryId().toString()
        record = self._analysed(query, "planned")
        self._plans[identity] = record
        while len(self._plans) > MOST_PLANNED:
            self._plans.pop(next(iter(self._plans)))
        return record

    def _analysed(self, query: Any, action: str) -> QuerySeen | None:
        """What a query's analysed plan says, found out once; ``None`` for Delta's reading of its own log."""
        identity = query.queryId().toString()
        if identity in self._plans:
            return self._plans[identity]
        plan = query.analyzed()
        leaves = list(leaves_of(plan))
        if leaves and all(of_delta(leaf, kind) for leaf, kind in leaves):
            return None
        record = QuerySeen(action, date.min, time.monotonic())
        record.leaves = dict(described(leaf, kind) for leaf, kind in leaves)
        record.use = analyse(parse_plan(_json_of(plan)))
        record.writes = targets_of(plan)
        record.command = command_of(plan, [kind for _, kind in leaves])
        return record

    def _executed(self, query: Any) -> tuple[list[Scan], set[int]]:
        """File scans and metric ids of the final physical plan."""
        sql = self._jvm.org.apache.spark.sql.execution
        info = sql.SparkPlanInfo.fromSparkPlan(query.executedPlan())
        event = sql.ui.SparkListenerSQLAdaptiveExecutionUpdate(0, "", info)
        text = self._jvm.org.apache.spark.util.JsonProtocol.sparkEventToJsonString(event)
        return scans_of(json.loads(text)["sparkPlanInfo"])

    def drain(self) -> str | None:
        """Wait until Spark has delivered its events; a sentence when it did not."""
        try:
            self._scala.listenerBus().waitUntilEmpty(DRAIN_MILLISECONDS)
        except Exception as error:
            return f"Spark did not deliver its events in time ({type(error).__name__})"
        return None


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
