"""Spark's own list of what ran: executions and jobs of the whole application, read as they come, judged at the end."""

from __future__ import annotations

from collections.abc import Collection, Container
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakehouse.governance.observers.observations import UnexplainedWork
from lakehouse.governance.plans.text import FILE_READS, LABELLED_PATH, LOCATION, plain_path
from lakehouse.spark_internals.status import StatusStore

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ADVANCE_AFTER = 250
"""Jobs after which the list is read on: Spark forgets all but the last thousand."""

FORGOTTEN_AFTER = 800
"""An execution missing from the list is forgotten only when this many came after it; else it never began."""


@dataclass(frozen=True)
class Execution:
    """A SQL execution as the status store shows it, reduced to what decides whether a query explains it."""

    query: str
    metrics: frozenset[int]
    description: str
    plan: str

    def unexplained(self, queries: Container[str], metrics: Collection[int]) -> UnexplainedWork | None:
        """What to report unless the query listener knows it.

        A query run again gets a new identity but keeps its plan, hence its metrics: by those it is known.
        """
        if self.query in queries or self.metrics & set(metrics):
            return None
        found = [(index, each) for index, paths in LOCATION.findall(self.plan) for each in paths.split(",")]
        paths = tuple(
            dict.fromkeys(plain_path(each) for index, each in found if index != "DeltaLogFileIndex")
        )
        if paths or ("Scan ExistingRDD" in self.plan and not self.description.startswith("Delta: ")):
            return UnexplainedWork(f"a query outside the watched session ({self.description})", paths)
        return None


class RunLog:
    """Follows the application's executions and jobs from one moment on."""

    def __init__(self, spark: SparkSession) -> None:
        self._store = StatusStore(spark)
        self._execution = self._store.newest_execution() + 1
        self._job = self._store.next_job()
        self._running: list[int] = []
        self._ended: list[Execution] = []
        self._runs: list[UnexplainedWork] = []
        self._faults: list[str] = []

    def follow(self, explained: Container[str]) -> None:
        """Read on when enough has run since the last time; what is explained by then is not kept."""
        if self._store.next_job() - self._job >= ADVANCE_AFTER:
            self._advance(explained)

    def settle(
        self, queries: Container[str], metrics: Collection[int]
    ) -> tuple[list[UnexplainedWork], list[str]]:
        """What ran that no query explains, and what can no longer be known, once all events are delivered."""
        self._advance(queries)
        for number in self._running:
            self._runs.append(UnexplainedWork(f"execution {number}, still running at the end,", ()))
        known = frozenset(metrics)
        reports = [each.unexplained(queries, known) for each in self._ended]
        return [*self._runs, *(run for run in reports if run is not None)], self._faults

    def _advance(self, explained: Container[str]) -> None:
        newest, next_job = self._store.newest_execution(), self._store.next_job()
        waiting, self._running = self._running, []
        for number in [*waiting, *range(self._execution, newest + 1)]:
            self._take_execution(number, newest, explained)
        for number in range(self._job, next_job):
            self._take_job(number)
        self._execution, self._job = max(self._execution, newest + 1), next_job

    def _take_execution(self, number: int, newest: int, explained: Container[str]) -> None:
        found = self._store.execution(number)
        if found is None:
            if newest - number > FORGOTTEN_AFTER:
                self._faults.append(f"Spark no longer knows its execution {number}")
            return
        if not found.ended:
            self._running.append(number)
        elif (query := found.query) not in explained:
            self._ended.append(Execution(query, found.metrics, found.description, found.plan))

    def _take_job(self, number: int) -> None:
        """A job of no query is reported when its drawing shows that it read files, or when there is none."""
        try:
            job = self._store.job(number)
        except Exception:
            self._faults.append(f"Spark no longer knows its job {number}")
            return
        if job.of_query:
            return
        drawn = self._store.drawing(number)
        if FILE_READS.search(drawn) or not drawn:
            paths = tuple(dict.fromkeys(plain_path(path) for path in LABELLED_PATH.findall(drawn)))
            self._runs.append(UnexplainedWork(f"a job outside any query ({job.name})", paths))
