"""Side doors of a Spark process, watched while a study is open: the JVM behind Python, Arrow's own file readers, workers."""

from __future__ import annotations

import functools
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.errors import PermissionRefused
from lakehouse.spark_internals.connection import text_in, watch_commands
from lakehouse.spark_internals.process import worker_environment

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

JVM_DOORS = re.compile(
    r"org\.apache\.hadoop\.fs|java\.io\.|java\.nio\.|scala\.io|org\.apache\.parquet|sql\.delta\.DeltaLog"
    r"|java\.lang\.Runtime|java\.lang\.ProcessBuilder"
)
"""Java classes by which files are read, or processes started, without a query."""

ASKING = ("c\nz:", "i\n", "r\nu\n")
"""Beginnings of Py4J commands that name a class: static call, constructor, look-up."""

HANDING = re.compile(r"c\n\S+\n(?:addFile|addArchive|addJar|addPyFile)\ns(.*)")
"""A Py4J command by which Spark copies a file to where its workers, and anyone here, can read it."""

SQL = re.compile(r"c\n\S+\nsql\ns(.*)")
"""A Py4J command that runs a statement."""

READERS = ("duckdb", "polars", "deltalake", "fastparquet")
"""Libraries that open files themselves, unseen by Python's audit events."""

CLOSED, OPEN = "PATTERNLAKE_CLOSED", "PATTERNLAKE_OPEN"

Watcher = Callable[[str, str], None]
"""Called with ``jvm`` and a class, or ``arrow`` or ``handing`` and a path, or ``sql`` and a statement; raises to refuse."""

_watchers: tuple[Watcher, ...] = ()
_lock = threading.Lock()


def add(spark: SparkSession, watcher: Watcher) -> None:
    """Let a watcher see every use of a side door until :func:`remove`."""
    global _watchers
    with _lock:
        _watch_jvm(spark)
        _watch_arrow()
        _watch_loaded()
        _watchers = (*_watchers, watcher)


def remove(watcher: Watcher) -> None:
    """Stop calling a watcher."""
    global _watchers
    with _lock:
        _watchers = tuple(each for each in _watchers if each != watcher)


def _tell(door: str, what: str) -> None:
    for watcher in _watchers:
        watcher(door, what)


def _watch_jvm(spark: SparkSession) -> None:
    """See what Python asks the JVM for: classes that open files or start processes, files to hand on, statements."""
    watch_commands(spark, _see)


def _see(command: str) -> None:
    """Tell the watchers what a Py4J command asks for; what they raise keeps it from being sent."""
    if not _watchers:
        return
    if command.startswith(ASKING) and (found := JVM_DOORS.search(command[:400])):
        _tell("jvm", found[0])
    if handed := HANDING.match(command):
        _tell("handing", paths_in([handed[1]])[0])
    if statement := SQL.match(command):
        _tell("sql", text_in(statement[1]))


def _watch_arrow() -> None:
    """See every path given to Arrow's readers, which open files without Python."""
    import pyarrow as pa
    import pyarrow.dataset as dataset
    import pyarrow.parquet as parquet
    import pyarrow.parquet.core as core

    if getattr(pa, "_patternlake", False):
        return
    pa._patternlake = True
    for module in (parquet, core):
        for name in ("read_table", "read_metadata", "read_schema", "read_pandas"):
            _wrap(module, name)
    for holder in (core.ParquetFile, core.ParquetDataset):
        _wrap(holder, "__init__")
    for name in ("dataset", "parquet_dataset"):
        _wrap(dataset, name)
    _wrap(pa, "memory_map")


def _watch_loaded() -> None:
    """See every path given to delta-rs once an ingest of this process has loaded it: only loading would be seen."""
    if (loaded := sys.modules.get("deltalake")) is not None:
        _wrap(loaded.DeltaTable, "__init__")
        _wrap(loaded, "write_deltalake")


def _wrap(holder: Any, name: str) -> None:
    real = getattr(holder, name, None)
    if real is None or getattr(real, "_patternlake", False):
        return

    @functools.wraps(real)
    def watched(*arguments: Any, **named: Any) -> Any:
        for path in paths_in([*arguments, *named.values()]) if _watchers else ():
            _tell("arrow", path)
        return real(*arguments, **named)

    watched._patternlake = True  # type: ignore[attr-defined]
    setattr(holder, name, watched)


def paths_in(values: Iterable[Any]) -> list[str]:
    """Real paths among arguments, lists of them included."""
    found: list[str] = []
    for value in values:
        if isinstance(value, (list, tuple)):
            found += paths_in(value)
        elif isinstance(value, (str, os.PathLike)):
            found.append(os.path.realpath(re.sub("^file:(//)?", "", os.fsdecode(value))))
    return found


def close_workers(spark: SparkSession, closed: Iterable[Path], open_: Iterable[Path]) -> None:
    """Close folders to the Python functions made from now on: their workers read ``worker_site`` first."""
    environment = worker_environment(spark)
    environment[CLOSED] = os.pathsep.join(os.path.realpath(path) for path in closed)
    environment[OPEN] = os.pathsep.join(os.path.realpath(path) for path in open_)
    site = str(Path(__file__).parent / "worker_site")
    before = os.environ.get("PYTHONPATH", "")
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [site, before]))


def open_workers(spark: SparkSession) -> None:
    """Let functions made from now on run in workers without that."""
    environment = worker_environment(spark)
    for name in (CLOSED, OPEN, "PYTHONPATH"):
        environment.pop(name, None)


def refuse(what: str) -> PermissionRefused:
    """The refusal of a side door."""
    return PermissionRefused(
        f"{what}, past the study.",
        "Inside a study data are read through study.table(...) alone, so that the record is whole.",
        "Leave it out, or do it outside the study's block.",
    )
