"""The one listener of a Spark session: reads each query's plans once and hands the result to all observers."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from lakehouse.governance.observers.observations import Observations, ObservedQuery, Scan, scans_of
from lakehouse.governance.observers.plan_sources import command_of, described, of_delta, targets_of
from lakehouse.governance.plans.operators import analyse
from lakehouse.governance.plans.tree import parse_plan
from lakehouse.spark_internals.plans import leaves, plan_json
from lakehouse.spark_internals.queries import (
    analysed_plan,
    cancel_everything,
    executed_plan_json,
    listen,
    query_id,
    session_name,
    wait_for_events,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DRAIN_MILLISECONDS = 60_000
MOST_PLANNED = 200
"""Plans kept between the gate and the end of their query."""

T = TypeVar("T", str, int)

KEPT_EARLIER = 1000
"""Queries from before the oldest observer that stay known: a table's state is read by one query again and again."""


class Listener(Protocol):
    """An observer as the hub sees it."""

    seen: Observations

    def take(self, record: ObservedQuery | None) -> None:
        """One more query, ``None`` for Delta's reading of its own log."""


class RecentIdentities(Generic[T]):
    """Identities in the order in which they were last heard of, so that old ones can be forgotten; safe with threads."""

    def __init__(self) -> None:
        self._heard: dict[T, int] = {}
        self._lock = threading.Lock()
        self.count = 0

    def add(self, identities: Iterable[T]) -> None:
        """Take in identities; one that is known already becomes the newest."""
        with self._lock:
            for each in identities:
                self._heard.pop(each, None)
                self._heard[each] = self.count
                self.count += 1

    def forget_before(self, count: int) -> None:
        """Forget what was last heard of before the counter stood at ``count``."""
        with self._lock:
            old = list(itertools.takewhile(lambda each: self._heard[each] < count, self._heard))
            for each in old:
                del self._heard[each]

    def __contains__(self, identity: object) -> bool:
        return identity in self._heard

    def __iter__(self) -> Iterator[T]:
        with self._lock:
            return iter(list(self._heard))

    def __len__(self) -> int:
        return len(self._heard)


class Hub:
    """Listens to a session for all observers of it, and stays registered for the session's life.

    Spark removes a listener by identity, which an object on the Python side has not, so one that never leaves
    replaces many that cannot. Spark holds it as long as the application runs; with the application it goes. What
    it knows of queries is kept as long as an observer that was there may ask for it.
    """

    _by_session: ClassVar[dict[str, Hub]] = {}
    _making: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, spark: SparkSession) -> None:
        self.queries, self.metrics = RecentIdentities[str](), RecentIdentities[int]()
        self.listening: tuple[Listener, ...] = ()
        self._since: dict[Listener, tuple[int, int]] = {}
        self._lock = threading.Lock()
        self._context = spark.sparkContext
        self.application = self._context.applicationId
        self._plans: dict[str, ObservedQuery | None] = {}
        listen(spark, self.notice)

    @classmethod
    def of(cls, spark: SparkSession) -> Hub:
        """The session's hub, made when first asked for."""
        name = session_name(spark)
        with cls._making:
            if name not in cls._by_session:
                running = spark.sparkContext.applicationId
                for ended in [each for each, hub in cls._by_session.items() if hub.application != running]:
                    del cls._by_session[ended]
                cls._by_session[name] = cls(spark)
            return cls._by_session[name]

    def join(self, observer: Listener) -> None:
        """Let an observer hear of every query from now on."""
        with self._lock:
            self._since[observer] = (self.queries.count, self.metrics.count)
            self.listening = (*self.listening, observer)

    def leave(self, observer: Listener) -> None:
        """Let an observer hear of no more queries; what it heard of stays known until :meth:`forget`."""
        with self._lock:
            self.listening = tuple(each for each in self.listening if each is not observer)

    def forget(self, observer: Listener) -> None:
        """Forget queries that no observer was there for but one that has left and asks for nothing more."""
        with self._lock:
            self._since.pop(observer, None)
            marks = [*self._since.values(), (self.queries.count, self.metrics.count)]
            self.queries.forget_before(min(query for query, _ in marks) - KEPT_EARLIER)
            self.metrics.forget_before(min(metric for _, metric in marks))
            if not self._since:
                self._plans.clear()

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
                cancel_everything(self._context)

    def _read(self, action: str, query: Any, failed: bool) -> ObservedQuery | None:
        """One query as its plans show it; ``None`` for Delta's reading of its own log."""
        identity = query_id(query)
        repeated = identity in self.queries
        self.queries.add([identity])
        record = self._analysed(query, action)
        if record is None:
            if repeated:
                self.metrics.add(self._executed(query)[1])
            return None
        record = replace(record, action=action, failed=failed, at=time.monotonic())
        try:
            record.scans, metrics = self._executed(query)
            self.metrics.add(metrics)
        except Exception as error:
            if not failed:
                record.fault = f"its executed plan could not be read ({type(error).__name__})"
        return record

    def planned(self, query: Any) -> ObservedQuery | None:
        """A query before it runs; what was found out is kept for when it has run."""
        identity = query_id(query)
        record = self._analysed(query, "planned")
        with self._lock:
            self._plans[identity] = record
            while len(self._plans) > MOST_PLANNED:
                self._plans.pop(next(iter(self._plans)))
        return record

    def _analysed(self, query: Any, action: str) -> ObservedQuery | None:
        """What a query's analysed plan says, found out once; ``None`` for Delta's reading of its own log."""
        identity = query_id(query)
        with self._lock:
            if identity in self._plans:
                return self._plans[identity]
        plan = analysed_plan(query)
        sources = list(leaves(plan))
        if sources and all(of_delta(leaf) for leaf in sources):
            return None
        record = ObservedQuery(action, date.min, time.monotonic())
        record.leaves = dict(described(leaf) for leaf in sources)
        record.use = analyse(parse_plan(plan_json(plan)))
        record.writes = targets_of(plan)
        record.command = command_of(plan, [leaf.kind for leaf in sources])
        return record

    def _executed(self, query: Any) -> tuple[list[Scan], set[int]]:
        """File scans and metric ids of the final physical plan."""
        return scans_of(json.loads(executed_plan_json(self._context, query))["sparkPlanInfo"])

    def drain(self) -> str | None:
        """Wait until Spark has delivered its events; a sentence when it did not."""
        try:
            wait_for_events(self._context, DRAIN_MILLISECONDS)
        except Exception as error:
            return f"Spark did not deliver its events in time ({type(error).__name__})"
        return None
