"""A Delta table read without Spark or Delta: its log as JSON, its files with Arrow. The oracle of table equality."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq


def active_files(table: Path) -> dict[str, dict[str, str]]:
    """Files of the newest version, each with its partition values."""
    active: dict[str, dict[str, str]] = {}
    for commit in sorted((table / "_delta_log").glob("*.json")):
        for line in commit.read_text(encoding="utf-8").splitlines():
            action = json.loads(line)
            if "remove" in action:
                active.pop(action["remove"]["path"], None)
            if "add" in action:
                active[action["add"]["path"]] = action["add"]["partitionValues"]
    return active


def table_rows(table: Path) -> list[str]:
    """Every row as text with its columns in order of name, sorted: equal for equal tables however they lie."""
    rows: list[str] = []
    for path, partition in active_files(table).items():
        with pq.ParquetFile(table / path) as file:
            columns: dict[str, list[Any]] = file.read().to_pydict()
            count = file.metadata.num_rows
        columns |= {name: [value] * count for name, value in partition.items()}
        names = sorted(columns)
        rows += [repr([(name, columns[name][row]) for name in names]) for row in range(count)]
    return sorted(rows)


def lake_rows(lake: Path) -> dict[str, list[str]]:
    """Rows of every table of a lake that has any."""
    tables = {str(log.parent.relative_to(lake)): table_rows(log.parent) for log in lake.rglob("_delta_log")}
    return {name: rows for name, rows in tables.items() if rows}
