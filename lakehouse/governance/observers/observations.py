"""What an observer of Spark reports: queries with their leaves, uses and scans, and runs no query explains."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from lakehouse.governance.plans.lineage import PlanUse
from lakehouse.governance.plans.text import LOCATION, plain_path, schema_names

if TYPE_CHECKING:
    from lakehouse.governance.observers.event_log import EventLogReads


@dataclass(frozen=True)
class Leaf:
    """Where a plan's data comes from: kind of source, path (and further ones), Delta version, further words."""

    kind: str
    path: str | None = None
    version: int | None = None
    name: str = ""
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scan:
    """A file scan of the executed plan."""

    paths: tuple[str, ...]
    columns: tuple[str, ...]
    pushed: str = ""
    cached: bool = False


@dataclass
class ObservedQuery:
    """One query that Spark ran or refused, as its plans show it.

    ``at`` is the monotonic time it was noticed, ``command`` the text of a plan that is a command on tables.
    """

    action: str
    on: date
    at: float = 0.0
    failed: bool = False
    use: PlanUse = field(default_factory=PlanUse)
    leaves: dict[int, Leaf] = field(default_factory=dict)
    scans: list[Scan] = field(default_factory=list)
    writes: tuple[str, ...] = ()
    command: str = ""
    fault: str | None = None


@dataclass(frozen=True)
class UnexplainedWork:
    """Work of Spark that no observed query explains: an RDD job, or a query outside the watched session."""

    what: str
    paths: tuple[str, ...]


@dataclass
class Observations:
    """Everything an observer saw between the opening and the closing of a study.

    ``faults`` are failures of the recorder, ``doubts`` happenings whose reads cannot be known. ``logged`` is the event
    log of that time, ``shared`` whether it also holds another study's queries.
    """

    queries: list[ObservedQuery] = field(default_factory=list)
    runs: list[UnexplainedWork] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    delta_queries: int = 0
    logged: EventLogReads | None = None
    shared: bool = False


def scans_of(info: dict[str, Any], cached: bool = False) -> tuple[list[Scan], set[int]]:
    """File scans and metric ids of a ``SparkPlanInfo`` in its JSON form, the cached parts marked."""
    scans: list[Scan] = []
    metrics = {int(metric["accumulatorId"]) for metric in info.get("metrics", ())}
    name, metadata = str(info.get("nodeName", "")), info.get("metadata", {})
    if "Location" in metadata and name.startswith("Scan"):
        found = LOCATION.search("Location: " + str(metadata["Location"]))
        paths = (
            tuple(plain_path(each) for each in found[2].split(",")) if found else (str(metadata["Location"]),)
        )
        columns = schema_names(str(metadata.get("ReadSchema", "")))
        scans.append(Scan(paths, columns, str(metadata.get("PushedFilters", "")), cached))
    inside = cached or name.startswith("InMemoryTableScan")
    for child in info.get("children", ()):
        more, ids = scans_of(child, inside)
        scans += more
        metrics |= ids
    return scans, metrics
