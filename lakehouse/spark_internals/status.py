"""Spark's status store: every execution and job of the application, also those no listener of a session hears of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from lakehouse.spark_internals.queries import scala_context

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class ExecutionStatus:
    """A SQL execution as the status store tells it; each property asks the JVM."""

    told: Any

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return not self.told.completionTime().isEmpty()

    @property
    def query(self) -> str:
        """Identity of the query it ran."""
        return str(self.told.queryId().toString())

    @property
    def metrics(self) -> frozenset[int]:
        """Numbers of its plan's metrics, which stay the same when the plan is run again."""
        listed = self.told.metrics()
        return frozenset(int(listed.apply(place).accumulatorId()) for place in range(listed.size()))

    @property
    def description(self) -> str:
        """What the caller said it is for, or where it was called."""
        return str(self.told.description())

    @property
    def plan(self) -> str:
        """The physical plan as text."""
        return str(self.told.physicalPlanDescription())


class JobStatus(NamedTuple):
    """A job: its name, and whether a SQL execution started it."""

    name: str
    of_query: bool


class StatusStore:
    """Executions and jobs of the application behind a session, by number."""

    def __init__(self, spark: SparkSession) -> None:
        jvm: Any = spark.sparkContext._jvm
        self._scala = scala_context(spark.sparkContext)
        self._sql = spark._jsparkSession.sharedState().statusStore()
        self._draw = jvm.org.apache.spark.ui.scope.RDDOperationGraph.makeDotFile

    def newest_execution(self) -> int:
        """Number of the newest SQL execution known, -1 before the first."""
        known = self._sql.executionsList()
        if known.isEmpty():
            return -1
        return max(int(known.last().executionId()), int(known.head().executionId()))

    def execution(self, number: int) -> ExecutionStatus | None:
        """An execution; ``None`` where it is not known, because it never began or was forgotten."""
        found = self._sql.execution(number)
        return None if found.isEmpty() else ExecutionStatus(found.get())

    def next_job(self) -> int:
        """Number that the next job will have."""
        return int(self._scala.dagScheduler().nextJobId())

    def job(self, number: int) -> JobStatus:
        """A job; an exception of Java's where Spark no longer knows it."""
        pair = self._scala.statusStore().jobWithAssociatedSql(number)
        return JobStatus(str(pair._1().name()), bool(pair._2().isDefined()))

    def drawing(self, number: int) -> str:
        """A job's graph as Spark draws it, whose labels name what it reads; empty where there is none."""
        graphs = self._scala.statusStore().operationGraphForJob(number)
        return "".join(str(self._draw(graphs.apply(place))) for place in range(graphs.size()))
