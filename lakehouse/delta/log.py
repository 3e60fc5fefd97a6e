"""Delta's log read as the text it is: newest version, what its commit says, rows its writer counted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


def newest_commit(table: Path) -> Path | None:
    """The newest commit file of a table; None where there is no table."""
    return max((table / "_delta_log").glob("*.json"), default=None)


def newest_version(table: Path) -> int:
    """Newest version, -1 where there is no table."""
    commit = newest_commit(table)
    return int(commit.stem) if commit else -1


def is_table(table: Path) -> bool:
    """Whether there is a table: the folder of its log may have been left by a writer killed before its first commit."""
    return newest_commit(table) is not None


def actions(commit: Path | None) -> Iterator[dict[str, Any]]:
    """The actions of one commit."""
    if commit is not None:
        with commit.open(encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines if line.strip())


def stamp_of(table: Path) -> str | None:
    """The note the newest commit was made with."""
    for action in actions(newest_commit(table)):
        if "commitInfo" in action:
            note = action["commitInfo"].get("userMetadata")
            return None if note is None else str(note)
    return None


def added_rows(table: Path) -> int:
    """Rows the newest commit wrote."""
    return rows_in(actions(newest_commit(table)))


def rows_in(told: Iterable[dict[str, Any]]) -> int:
    """Rows of the files that a commit's actions add."""
    return sum(json.loads(each["add"]["stats"])["numRecords"] for each in told if "add" in each)
