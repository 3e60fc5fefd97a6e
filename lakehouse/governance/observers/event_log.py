"""A second observer: Spark's own event log of a reading, written beside it and read afterwards; reading it needs no Spark.

The listener that hands over plans lives in the process it watches. The event log is written by Spark itself, as
text, and is read by code that shares nothing with the listener; at the Sealed level by another account. It holds
pushed literals and is therefore pruned once it has been reconciled.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.governance.plans.text import FILE_READS, LOCATION, plain_path, schema_names
from lakehouse.spark_internals.event_log import EventLogger

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SQL = "org.apache.spark.sql.execution.ui."
READ_ROWS = "number of output rows"
DELTA_LOG = "_delta_log"
SCOPE_NAME = re.compile(r'"name"\s*:\s*"([^"]*)"')


@dataclass(frozen=True)
class EventLogScan:
    """A file scan as executed: where, which columns left the disk, under which filters, and how many rows came out."""

    execution: int
    paths: tuple[str, ...]
    columns: tuple[str, ...]
    filters: str
    rows: int


@dataclass
class EventLogReads:
    """Everything an event log shows of what was read."""

    scans: list[EventLogScan] = field(default_factory=list)
    executions: int = 0
    loose_jobs: list[int] = field(default_factory=list)
    sha256: str = ""


def read(log: Path) -> EventLogReads:
    """Parse an event log; a line that is no event is an error, because what it hid would be unknown."""
    plans: dict[int, dict[str, Any]] = {}
    sums: dict[int, int] = {}
    found = EventLogReads()
    digest = hashlib.sha256()
    with log.open("rb") as lines:
        for line in lines:
            digest.update(line)
            _take(json.loads(line), plans, sums, found)
    found.executions = len(plans)
    found.sha256 = digest.hexdigest()
    for execution, plan in plans.items():
        found.scans += scans_of(execution, plan, sums)
    return found


def _take(
    event: dict[str, Any], plans: dict[int, dict[str, Any]], sums: dict[int, int], found: EventLogReads
) -> None:
    kind = event.get("Event", "")
    if kind in (f"{SQL}SparkListenerSQLExecutionStart", f"{SQL}SparkListenerSQLAdaptiveExecutionUpdate"):
        plans[int(event["executionId"])] = event["sparkPlanInfo"]
    elif kind == "SparkListenerTaskEnd":
        for each in event.get("Task Info", {}).get("Accumulables", ()):
            if str(each.get("Update", "")).lstrip("-").isdigit():
                sums[int(each["ID"])] = sums.get(int(each["ID"]), 0) + int(each["Update"])
    elif kind == "SparkListenerJobStart":
        properties = event.get("Properties") or {}
        if "spark.sql.execution.id" not in properties and reads_files(event):
            found.loose_jobs.append(int(event["Job ID"]))


def reads_files(job: dict[str, Any]) -> bool:
    """Whether a job that belongs to no query reads files, by the names of its RDDs' scopes."""
    for stage in job.get("Stage Infos", ()):
        for rdd in stage.get("RDD Info", ()):
            name = SCOPE_NAME.search(str(rdd.get("Scope", "")))
            if name is not None and FILE_READS.search(f'label="{name[1]}"'):
                return True
    return False


def scans_of(execution: int, plan: dict[str, Any], sums: dict[int, int]) -> Iterator[EventLogScan]:
    """File scans of an executed plan, Delta's reading of its own log left out."""
    metadata = plan.get("metadata", {})
    if "Location" in metadata:
        place = LOCATION.search("Location: " + str(metadata["Location"]))
        paths = (
            tuple(plain_path(each) for each in place[2].split(",")) if place else (str(metadata["Location"]),)
        )
        rows = sum(
            sums.get(int(metric["accumulatorId"]), 0)
            for metric in plan.get("metrics", ())
            if metric.get("name") == READ_ROWS
        )
        filters = " ".join(str(metadata.get(name, "")) for name in ("PartitionFilters", "PushedFilters"))
        if not all(DELTA_LOG in path for path in paths) and "DeltaLogFileIndex" not in str(
            metadata["Location"]
        ):
            yield EventLogScan(
                execution, paths, schema_names(str(metadata.get("ReadSchema", ""))), filters, rows
            )
    for child in plan.get("children", ()):
        yield from scans_of(execution, child, sums)


class EventLogWriter:
    """Lets Spark write the events of one reading into a folder of its own, from ``start`` to ``stop``."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.folder = folder
        self._context = spark.sparkContext
        self._logger: EventLogger | None = None

    def start(self) -> None:
        """Add Spark's own event logger; no setting of the session is touched."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._logger = EventLogger(self._context, self.folder)

    def stop(self) -> EventLogReads:
        """Remove the logger, read what it wrote, and prune it.

        Raises :class:`FileNotFoundError` unless Spark wrote exactly one event log.
        """
        try:
            if self._logger is not None:
                self._logger.stop()
            logs = [path for path in self.folder.iterdir() if not path.name.startswith(".")]
            if len(logs) != 1:
                raise FileNotFoundError(f"{len(logs)} event logs instead of one")
            return read(logs[0])
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


def columns_by_table(scans: Iterable[EventLogScan], tables: dict[str, str]) -> dict[str, set[str]]:
    """Columns that left the disk, by table; ``tables`` gives the table of each folder."""
    found: dict[str, set[str]] = {}
    for scan in scans:
        for path in scan.paths:
            if path in tables:
                found.setdefault(tables[path], set()).update(scan.columns)
    return found
