"""Spark's own list of what ran: executions and jobs of the whole application, read as they come, judged at the end."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from lakehouse.governance.observers.observations import RunSeen
from lakehouse.governance.plans.text import FILE_READS, LABELLED_PATH, LOCATION, plain_path

ADVANCE_AFTER = 250
"""Jobs after which the list is read on: Spark forgets all but the last thousand."""

FORGOTTEN_AFTER = 800
"""An execution missing from the list is forgotten only when this many came after it; else it never began."""


@dataclass(frozen=True)
class Execution:
    """A SQL execution as the status store tells it, reduced to what decides whether a query explains it."""

    query: str
    metrics: frozenset[int]
    description: str
    plan: str

    def unexplained(self, queries: Collection[str], metrics: Collection[int]) -> RunSeen | None:
        """What to report unless the query listener knows it.

        A query run again gets a new identity but keeps its plan, hence its metrics: those tell it is known.
        """
        if self.query in queries or self.metrics & set(metrics):
            return None
        found = [(index, each) for index, paths in LOCATION.findall(self.plan) for each in paths.split(",")]
        paths = tuple(
            dict.fromkeys(plain_path(each) for index, each in found if index != "DeltaLogFileIndex")
        )
        if paths or ("Scan ExistingRDD" in self.plan and not self.description.startswith("Delta: ")):
            return RunSeen(f"a query outside the watched session ({self.description})", paths)
        return None


class RunLog:
    """Follows the application's executions and jobs from one moment on."""

    def __init__(self, spark: Any) -> None:
        context = spark.sparkContext
        self._scala = context._jsc.sc()
        self._sql = spark._jsparkSession.sharedState().statusStore()
        self._draw = context._jvm.org.apache.spark.ui.scope.RDDOperationGraph.makeDotFile
        self._execution = self._newest_execution() + 1
        self._job = self._next_job()
        self._running: list[int] = []
        self._ended: list[Execution] = []
        self._runs: list[RunSeen] = []
        self._faults: list[str] = []

    def follow(self, explained: Collection[str]) -> None:
        """Read on when enough has run since the last time; what is explained by then is not kept."""
        if self._next_job() - self._job >= ADVANCE_AFTER:
            self._advance(explained)

    def settle(self, queries: Collection[str], metrics: Collection[int]) -> tuple[list[RunSeen], list[str]]:
        """What ran that no query explains, and what can no longer be told, once all events are delivered."""
        self._advance(queries)
        for number in self._running:
            self._runs.append(RunSeen(f"execution {number}, still running at the end,", ()))
        told = [each.unexplained(queries, metrics) for each in self._ended]
        return [*self._runs, *(run for run in told if run is not None)], self._faults

    def _advance(self, explained: Collection[str]) -> None:
        newest, next_job = self._newest_execution(), self._next_job()
        waiting, self._running = self._running, []
        for number in [*waiting, *range(self._execution, newest + 1)]:
            self._take_execution(number, newest, explained)
        status = self._scala.statusStore()
        for number in range(self._job, next_job):
            self._take_job(status, number)
        self._execution, self._job = max(self._execution, newest + 1), next_job

    def _take_execution(self, number: int, newest: int, explained: Collection[str]) -> None:
        found = self._sql.execution(number)
        if found.isEmpty():
            if newest - number > FORGOTTEN_AFTER:
                self._faults.append(f"Spark no longer knows its execution {number}")
            return
        told = found.get()
        if told.completionTime().isEmpty():
            self._running.append(number)
            return
        query = told.queryId().toString()
        if query in explained:
            return
        listed = told.metrics()
        metrics = frozenset(int(listed.apply(place).accumulatorId()) for place in range(listed.size()))
        self._ended.append(Execution(query, metrics, told.description(), told.physicalPlanDescription()))

    def _take_job(self, status: Any, number: int) -> None:
        """A job of no query is reported when its drawing shows that it read files, or when there is none."""
        try:
            pair = status.jobWithAssociatedSql(number)
        except Exception:
            self._faults.append(f"Spark no longer knows its job {number}")
            return
        if pair._2().isDefined():
            return
        graphs = status.operationGraphForJob(number)
        drawn = "".join(self._draw(graphs.apply(place)) for place in range(graphs.size()))
        if FILE_READS.search(drawn) or not drawn:
            paths = tuple(dict.fromkeys(plain_path(path) for path in LABELLED_PATH.findall(drawn)))
            self._runs.append(RunSeen(f"a job outside any query ({pair._1().name()})", paths))

    def _newest_execution(self) -> int:
        known = self._sql.executionsList()
        return (
            -1 if known.isEmpty() else max(int(known.last().executionId()), int(known.head().executionId()))
        )

    def _next_job(self) -> int:
        return int(self._scala.dagScheduler().nextJobId())
