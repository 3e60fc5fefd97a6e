"""What goes out beside a pattern table: attrition, scope records, and the guard over a folder to be shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from lakehouse.errors import DisclosureRefused
from lakehouse.governance.suppression.disclosure import Thresholds

IDENTIFIER = re.compile(r"\b(?:[0-9a-fA-F]{16,}|\d{6}-?\d{4})\b")
"""A pseudonym or a personal number inside a predicate."""


def merge_steps(steps: Sequence[tuple[str, int]], thresholds: Thresholds) -> list[tuple[str, int | None]]:
    """Attrition steps of which no two neighbours differ by 1 to k−1 persons, and none is so small itself.

    ``steps`` are (rule, persons left after it), not rising. A step that removes too few is told together with
    the next one; at the end it is told without a number of its own (``None``).
    """
    k = thresholds.persons
    told: list[tuple[str, int | None]] = []
    waiting: list[str] = []
    last: int | None = None
    for rule, persons in steps:
        removed = 0 if last is None else abs(last - persons)
        if 0 < removed < k or 0 < persons < k:
            waiting.append(rule)
            continue
        told.append(("; ".join([*waiting, rule]), persons))
        waiting, last = [], persons
    if waiting:
        told.append(("; ".join(waiting), None))
    return told


def differ_by_few(totals: Iterable[int | None], thresholds: Thresholds) -> bool:
    """Whether totals shown in one place stand for 1 to k−1 persons, or differ by so few from one another."""
    counts = sorted({0, *(total for total in totals if total is not None)})
    return any(later - earlier < thresholds.persons for earlier, later in pairwise(counts))


def rounded(total: int, thresholds: Thresholds) -> int:
    """A total rounded down to a multiple of k."""
    return total // thresholds.persons * thresholds.persons


def clean_scope(
    record: Mapping[str, Any], thresholds: Thresholds, beside: Iterable[int | None] = ()
) -> dict[str, Any]:
    """A scope record that may be shown: no small count, none by difference, no identifier in a predicate.

    When persons of two reads, or of a read and a total shown ``beside`` the record, differ by 1 to k−1, all
    persons and rows (which bound them) are rounded down to multiples of k. When nothing had to change, the
    record comes back as it was; otherwise ``shown`` says that the exact one, to which the digest belongs,
    stays in the study.
    """
    reads = [dict(read) for read in record.get("reads", ())]
    near = differ_by_few([*(read.get("persons") for read in reads), *beside], thresholds)
    for read in reads:
        for name in ("persons", "rows"):
            value = read.get(name)
            if value is not None and (near or 0 < value < thresholds.persons):
                read[name] = rounded(int(value), thresholds)
        read["predicates"] = [IDENTIFIER.sub("…", str(text)) for text in read.get("predicates", ())]
    cleaned = {**record, "reads": reads}
    if cleaned != dict(record):
        multiples = f"multiples of {thresholds.persons}"
        cleaned["shown"] = f"counts rounded down to {multiples}; the exact record stays in the study"
    return cleaned


def small_counts(table: pa.Table, columns: Sequence[str], thresholds: Thresholds) -> list[str]:
    """Columns among ``columns`` that show a count of 1 to k−1; what a released table must not have."""
    offending = []
    for name in set(columns) & set(table.column_names):
        values = np.asarray(pc.fill_null(table.column(name).cast(pa.int64()), 0))
        if ((values > 0) & (values < thresholds.persons)).any():
            offending.append(name)
    return sorted(offending)


def assert_clean(folder: Path, columns: Sequence[str], thresholds: Thresholds) -> None:
    """Refuse a folder in which a table, a JSON file or a page shows a count of 1 to k−1 persons.

    Looks at ``columns`` in Parquet and CSV files, at keys of those names (and ``persons``) in JSON, and in
    pages at ``data-persons`` attributes and embedded JSON. Raises :class:`DisclosureRefused` naming every
    place.
    """
    found: list[str] = []
    keys = {*columns, "persons", "rows"}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        where = str(path.relative_to(folder))
        if path.suffix == ".parquet":
            found += [f"{where}: {name}" for name in small_counts(pq.read_table(path), columns, thresholds)]
        elif path.suffix == ".csv":
            found += [f"{where}: {name}" for name in small_counts(pa_csv.read_csv(path), columns, thresholds)]
        elif path.suffix == ".json":
            found += [
                f"{where}: {key}"
                for key in _small_keys(json.loads(path.read_text()), keys, thresholds.persons)
            ]
        elif path.suffix == ".html":
            found += [
                f"{where}: {what}"
                for what in _small_in_page(path.read_text("utf-8"), keys, thresholds.persons)
            ]
    if found:
        raise DisclosureRefused(
            f"Small groups show in {', '.join(found)}.",
            f"Counts of 1 to {thresholds.persons - 1} persons can single somebody out.",
            "Release checked results only.",
        )


def _small_keys(value: Any, keys: set[str], k: int) -> Iterator[str]:
    """Keys anywhere in a JSON value that hold a small count, alone or in a list."""
    if isinstance(value, dict):
        for key, inner in value.items():
            listed = inner if isinstance(inner, list) else [inner]
            if key in keys and any(type(one) in (int, float) and 0 < one < k for one in listed):
                yield key
            yield from _small_keys(inner, keys, k)
    elif isinstance(value, list):
        for inner in value:
            yield from _small_keys(inner, keys, k)


def _small_in_page(text: str, keys: set[str], k: int) -> Iterator[str]:
    """Small counts in a page's marked numbers and embedded data."""
    for number in re.findall(r'data-persons="([0-9.]+)"', text):
        if 0 < float(number) < k:
            yield f"data-persons={number}"
    for block in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.DOTALL):
        yield from _small_keys(json.loads(block), keys, k)
