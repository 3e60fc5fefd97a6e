"""Watches what Spark really runs: plans through its query listener, and its status store for what comes by no plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.governance.observers.event_log import EventLogWriter
from lakehouse.governance.observers.hub import Hub
from lakehouse.governance.observers.observations import Observations, ObservedQuery
from lakehouse.governance.observers.status_store import RunLog
from lakehouse.spark_internals.queries import query_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


class Observer:
    """Records every query of a session from ``start`` to ``stop``, and every job that no query explains.

    Independent observers: the query listener hands over plans (tables, versions, columns, conditions); the status
    store of the whole application lists executions and jobs whether or not they came through this session, and
    what only it knows is reported as a run; Spark's event log, written into ``folder``, shows what was scanned.
    """

    def __init__(self, spark: SparkSession, clock: Callable[[], date], folder: Path) -> None:
        self.spark, self.clock = spark, clock
        self._writer = EventLogWriter(spark, folder)
        self.seen = Observations()
        self._hub: Hub | None = None
        self._log: RunLog | None = None

    def start(self) -> None:
        """Begin to listen, after everything that ran before has been delivered."""
        self._hub = Hub.of(self.spark)
        self._drain(self._hub)
        self._log = RunLog(self.spark)
        self._writer.start()
        self._hub.join(self)

    def planned(self, frame: DataFrame) -> ObservedQuery | None:
        """A frame's query as it is planned, before it runs; ``None`` for Delta's reading of its own log."""
        assert self._hub is not None
        record = self._hub.planned(query_of(frame))
        return None if record is None else replace(record, on=self.clock())

    def stop(self) -> Observations:
        """Deliver what is still on the way, stop listening, and add what only the status store knows."""
        hub, log = self._hub, self._log
        self._hub = self._log = None
        if hub is not None and log is not None:
            self._drain(hub)
            hub.leave(self)
            try:
                runs, faults = log.settle(hub.queries, hub.metrics)
            except Exception as error:
                runs, faults = [], [f"Spark could not be asked what it ran ({type(error).__name__})"]
            finally:
                hub.forget(self)
            self.seen.runs += runs
            self.seen.faults += faults
            try:
                self.seen.logged = self._writer.stop()
            except Exception as error:
                self.seen.faults.append(
                    f"Spark's event log could not be read ({type(error).__name__}: {error})"[:300]
                )
        return self.seen

    def take(self, record: ObservedQuery | None) -> None:
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
