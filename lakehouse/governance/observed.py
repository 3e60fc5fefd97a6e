"""Watches what Spark really runs: plans through its query listener, and its status store for what comes by no plan."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

from lakehouse.governance.lineage import analyse
from lakehouse.governance.plan_tree import parse_plan
from lakehouse.governance.sightings import (
    FILE_RDDS,
    FILE_READS,
    LABELLED_PATH,
    LOCATION,
    Leaf,
    QuerySeen,
    RunSeen,
    Sightings,
    plain_path,
    scans_of,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DRAIN_MILLISECONDS = 60_000
DELTA_STATE = "Delta Table State"


class Observer:
    """Records every query of a session from ``start`` to ``stop``, and every job that no query explains.

    Two independent sights: the query listener hands over plans (tables, versions, columns, conditions), and
    the status store of the whole application lists executions and jobs whether or not they came through
    this session. An execution or job that only the second sight knows is reported as a run.
    """

    def __init__(self, spark: SparkSession, clock: Callable[[], date]) -> None:
        self.spark, self.clock = spark, clock
        self.seen = Sightings()
        self._ids: set[str] = set()
        self._metrics: set[int] = set()
        context = spark.sparkContext
        self._jvm = context._jvm
        self._scala = context._jsc.sc()
        self._session = spark._jsparkSession  # type: ignore[attr-defined]
        self._store = self._session.sharedState().statusStore()
        self._listener: _Listener | None = None

    def start(self) -> None:
        """Register the listener, after everything that ran before has been delivered."""
        from pyspark.java_gateway import ensure_callback_server_started

        ensure_callback_server_started(self.spark.sparkContext._gateway)  # type: ignore[no-untyped-call]
        self._drain()
        self._first_execution = self._newest_execution() + 1
        self._first_job = self._next_job()
        self._listener = _Listener(self)
        self._session.listenerManager().register(self._listener)

    def stop(self) -> Sightings:
        """Deliver what is still on the way, stop listening, and add what only the status store knows."""
        if self._listener is not None:
            self._drain()
            self._session.listenerManager().unregister(self._listener)
            self._listener = None
            self._sweep()
        return self.seen

    def notice(self, action: str, query: Any, failed: bool) -> None:
        """Take in one query; whatever goes wrong here is itself recorded, so nothing is lost in silence."""
        try:
            self._take(action, query, failed)
        except Exception as error:
            self.seen.faults.append(
                f"a query ({action}) could not be read: {type(error).__name__}: {error}"[:300]
            )

    def _take(self, action: str, query: Any, failed: bool) -> None:
        identity = query.queryId().toString()
        plan = query.analyzed()
        leaves = list(_leaves(plan))
        own_of_delta = bool(leaves) and all(_of_delta(leaf, kind) for leaf, kind in leaves)
        if own_of_delta and identity not in self._ids:
            self._ids.add(identity)
            self.seen.delta_queries += 1
            return
        self._ids.add(identity)
        record = QuerySeen(action, self.clock(), failed)
        if not own_of_delta:
            record.leaves = dict(self._leaf(leaf, kind) for leaf, kind in leaves)
            record.use = analyse(parse_plan(plan.toJSON()))
            record.writes = _targets(plan)
            self.seen.queries.append(record)
        try:
            record.scans, metrics = self._executed(query)
            self._metrics |= metrics
        except Exception as error:
            if not failed:
                record.fault = f"its executed plan could not be read ({type(error).__name__})"

    def _executed(self, query: Any) -> tuple[list[Any], set[int]]:
        sql = self._jvm.org.apache.spark.sql.execution
        info = sql.SparkPlanInfo.fromSparkPlan(query.executedPlan())
        event = sql.ui.SparkListenerSQLAdaptiveExecutionUpdate(0, "", info)
        text = self._jvm.org.apache.spark.util.JsonProtocol.sparkEventToJsonString(event)
        return scans_of(json.loads(text)["sparkPlanInfo"])

    def _leaf(self, leaf: Any, kind: str) -> tuple[int, Leaf]:
        output = leaf.output()
        identity = -1 if output.isEmpty() else int(output.head().exprId().id())
        if kind == "LogicalRDD":
            return identity, self._rdd(leaf)
        if kind != "LogicalRelation":
            return identity, Leaf(kind, name=leaf.simpleString(2000)[:2000])
        relation = leaf.relation()
        name = relation.getClass().getName().rsplit(".", 1)[-1]
        location = _given(relation, "location")
        if location is None:
            return identity, Leaf("Relation", name=name)
        index = location.getClass().getSimpleName()
        if index.startswith("Tahoe"):
            snapshot = _given(location, "snapshotAtAnalysis") or _given(location, "snapshot")
            version = None if snapshot is None else int(snapshot.version())
            return identity, Leaf(index, plain_path(location.path().toString()), version)
        roots = location.rootPaths()
        path = plain_path(roots.head().toString()) if not roots.isEmpty() else None
        return identity, Leaf(index, path, name=roots.mkString(",")[:2000])

    def _rdd(self, leaf: Any) -> Leaf:
        text = leaf.rdd().toDebugString()
        if DELTA_STATE in text:
            return Leaf("DeltaLog")
        files = next((kind for kind in FILE_RDDS if kind in text), None)
        return Leaf("FileRDD", name=files) if files else Leaf("RDD")

    def _sweep(self) -> None:
        """Executions and jobs of the whole application that the listener did not explain."""
        newest = self._newest_execution()
        for number in range(self._first_execution, newest + 1):
            found = self._store.execution(number)
            if found.isEmpty():
                self.seen.faults.append(f"Spark no longer knows its execution {number}")
                continue
            self._explain(found.get())
        status = self._scala.statusStore()
        for number in range(self._first_job, self._next_job()):
            try:
                pair = status.jobWithAssociatedSql(number)
            except Exception:
                self.seen.faults.append(f"Spark no longer knows its job {number}")
                continue
            if pair._2().isEmpty():
                self._outside_sql(status, number, pair._1().name())

    def _explain(self, execution: Any) -> None:
        if execution.completionTime().isEmpty():
            self.seen.runs.append(RunSeen(f"a query still running ({execution.description()})", ()))
        if execution.queryId().toString() in self._ids:
            return
        metrics = execution.metrics()
        ids = {int(metrics.apply(place).accumulatorId()) for place in range(metrics.size())}
        if ids & self._metrics:
            return
        text = execution.physicalPlanDescription()
        found = [(index, each) for index, paths in LOCATION.findall(text) for each in paths.split(",")]
        paths = tuple(
            dict.fromkeys(plain_path(each) for index, each in found if index != "DeltaLogFileIndex")
        )
        if paths or ("Scan ExistingRDD" in text and not execution.description().startswith("Delta: ")):
            self.seen.runs.append(
                RunSeen(f"a query outside the watched session ({execution.description()})", paths)
            )

    def _outside_sql(self, status: Any, number: int, name: str) -> None:
        graphs = status.operationGraphForJob(number)
        draw = self._jvm.org.apache.spark.ui.scope.RDDOperationGraph.makeDotFile
        drawn = "".join(draw(graphs.apply(place)) for place in range(graphs.size()))
        if FILE_READS.search(drawn) or not drawn:
            paths = tuple(dict.fromkeys(plain_path(path) for path in LABELLED_PATH.findall(drawn)))
            self.seen.runs.append(RunSeen(f"a job outside any query ({name})", paths))

    def _drain(self) -> None:
        try:
            self._scala.listenerBus().waitUntilEmpty(DRAIN_MILLISECONDS)
        except Exception as error:
            self.seen.faults.append(f"Spark did not deliver its events in time ({type(error).__name__})")

    def _newest_execution(self) -> int:
        known = self._store.executionsList()
        return (
            -1 if known.isEmpty() else max(int(known.last().executionId()), int(known.head().executionId()))
        )

    def _next_job(self) -> int:
        return int(self._scala.dagScheduler().nextJobId())


class _Listener:
    """The object Spark calls after each query; Spark swallows what it raises, so it raises nothing."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer

    def onSuccess(self, action: str, query: Any, nanoseconds: int) -> None:  # noqa: N802
        """A query ended."""
        self.observer.notice(action, query, failed=False)

    def onFailure(self, action: str, query: Any, error: Any) -> None:  # noqa: N802
        """A query failed; it may have read before it did."""
        self.observer.notice(action, query, failed=True)

    class Java:
        """The Java interface this object stands for."""

        implements = ["org.apache.spark.sql.util.QueryExecutionListener"]  # noqa: RUF012


def _leaves(plan: Any) -> Iterator[tuple[Any, str]]:
    """Leaves of a plan, of its subqueries, and of the query inside a command, each with its class name."""
    yield from _own_leaves(plan)
    subqueries = plan.subqueriesAll()
    for place in range(subqueries.size()):
        yield from _own_leaves(subqueries.apply(place))


def _own_leaves(plan: Any) -> Iterator[tuple[Any, str]]:
    found = plan.collectLeaves()
    for place in range(found.size()):
        leaf = found.apply(place)
        kind = str(leaf.getClass().getName()).rsplit(".", 1)[-1]
        yield leaf, kind
        if kind.endswith("Command") and kind != "CreateViewCommand":
            inner = leaf.innerChildren()
            for each in range(inner.size()):
                yield from _leaves(inner.apply(each))


def _of_delta(leaf: Any, kind: str) -> bool:
    """Whether a leaf is Delta's own state: its log files, or its cached list of files."""
    if kind == "LogicalRDD":
        return DELTA_STATE in leaf.rdd().toDebugString()
    if kind != "LogicalRelation":
        return False
    location = _given(leaf.relation(), "location")
    return location is not None and location.getClass().getSimpleName() == "DeltaLogFileIndex"


def _targets(plan: Any) -> tuple[str, ...]:
    """Paths a command writes to."""
    kind = str(plan.getClass().getName()).rsplit(".", 1)[-1]
    if kind == "InsertIntoHadoopFsRelationCommand":
        return (plain_path(plan.outputPath().toString()),)
    if kind == "SaveIntoDataSourceCommand":
        path = plan.options().get("path")
        return (plain_path(path.get()),) if path.isDefined() else ()
    return ()


def _given(thing: Any, method: str) -> Any:
    """What a Java object's method returns, or ``None`` when it has no such method."""
    from py4j.protocol import Py4JError

    try:
        return getattr(thing, method)()
    except Py4JError:
        return None
