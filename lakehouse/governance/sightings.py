"""What an observer of Spark reports: queries with their leaves, uses and scans, and runs no query explains."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import date
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from lakehouse.governance.lineage import PlanUse

if TYPE_CHECKING:
    from lakehouse.governance.event_log import Logged

FILE_READS = re.compile(
    r'label="(Scan (?!ExistingRDD|OneRowRelation)[^"]*|textFile|wholeTextFiles|binaryFiles|binaryRecords|hadoop\w*'
    r'|newAPIHadoop\w*|sequenceFile|objectFile|pickleFile)\s*"'
)
"""Scopes in Spark's drawing of a job that read files."""

LABELLED_PATH = re.compile(r'label="((?:\w+:)?/[^"\[]*?) \[\d+\]')
LOCATION = re.compile(r"Location: (\w+)(?:\(\d+ paths?\))? ?\[([^\]]*)\]")
FILE_RDDS = ("FileScanRDD", "HadoopRDD", "NewHadoopRDD", "BinaryFileRDD", "DataSourceRDD", "WholeTextFileRDD")
HARMLESS_SOURCES = ("Range", "LocalRelation", "OneRowRelation", "EmptyRelation")


def plain_path(path: str) -> str:
    """A Hadoop path as a local one: no ``file:`` scheme, no doubled or trailing slash."""
    text = re.sub(r"^file:/*", "/", path.strip())
    return text if "://" in text else str(PurePosixPath(text))


def below(path: str, root: str) -> bool:
    """Whether a path is the root folder or lies in it; a pattern counts by what stands before its first star.

    Links and ``..`` are followed, so that a lake under another name is the lake.
    """
    fixed = re.split(r"[*?\[{]", path, maxsplit=1)[0]
    if path == root or fixed.startswith(root.rstrip("/") + "/"):
        return True
    if "://" in fixed or not fixed.startswith("/"):
        return False
    real, base = os.path.realpath(fixed), os.path.realpath(root)
    return real == base or real.startswith(base + os.sep)


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
class QuerySeen:
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
class RunSeen:
    """Work of Spark that no observed query explains: an RDD job, or a query outside the watched session."""

    what: str
    paths: tuple[str, ...]


@dataclass
class Sightings:
    """Everything an observer saw between the opening and the closing of a study.

    ``faults`` are failures of the recorder, ``doubts`` happenings whose reads cannot be told. ``logged`` is the event
    log of that time, ``shared`` whether it also holds another study's queries.
    """

    queries: list[QuerySeen] = field(default_factory=list)
    runs: list[RunSeen] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    delta_queries: int = 0
    logged: Logged | None = None
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


def schema_names(schema: str) -> tuple[str, ...]:
    """Top-level names of ``struct<a:int,b:array<int>>``."""
    text = schema.strip().removeprefix("struct<").removesuffix(">")
    names, depth, start = [], 0, 0
    for place, letter in enumerate(text + ","):
        if letter in "<(":
            depth += 1
        elif letter in ">)":
            depth -= 1
        elif letter == "," and depth == 0:
            names.append(text[start:place].split(":", 1)[0])
            start = place + 1
    return tuple(name for name in names if name)
