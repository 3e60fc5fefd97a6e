"""The small-cell check of every kind of pattern that has none of its own: whole rows, and what nested rows give away."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.governance.suppression.disclosure import (
    DisclosureRecord,
    Fact,
    Suppression,
    Thresholds,
    only_used,
)

Mask = np.ndarray

WHY = {
    "margin": "fewer than {k} persons have one of the codes, or the whole pattern",
    "count": "a count of the row stands for fewer than {k} persons",
    "complement": "fewer than {k} persons are left over when a count is taken from a margin or total of its row",
    "nested": "a pattern beside this one counts nearly the same persons: fewer than {k} differ",
    "lag": "fewer than {k} persons lie beyond the quantile",
}
LONGEST_NESTED = 6
"""Patterns are compared with what lies inside them up to this many items (2 to the power of it comparisons)."""


def check_rows(
    table: pa.Table,
    facts: Mapping[str, Fact],
    thresholds: Thresholds,
    output: str = "patterns",
    also: Mask | None = None,
) -> tuple[pa.Table, DisclosureRecord]:
    """A result table without its small cells, for rows that are no ordered pairs.

    Whole-number columns whose fact is MARGIN or a count (OUTCOME, ORDER, SAME_DAY, TOTAL) count persons. A row
    with a margin of 1 to k−1 does not leave, nor one whose ``items`` contain another row's with 1 to k−1 persons
    fewer. Where another count is small, or falls short of a margin or a total by so few, every number of
    the row but its margins is hidden. Only rows with ``tested`` leave. ``also`` marks further rows that give away a
    difference of few persons, as a kind may know them.
    """
    k, rows = thresholds.persons, table.num_rows
    tested = _flags(table, "tested")
    margins = {
        name: _whole(table, name)
        for name, fact in facts.items()
        if fact is Fact.MARGIN and _counts(table, name)
    }
    counts = {
        name: _whole(table, name)
        for name, fact in facts.items()
        if fact not in (Fact.MARGIN, Fact.KEY, Fact.LAG) and _counts(table, name)
    }
    margin = _any([_small(values, k) for values in margins.values()], rows)
    count = _any([_small(values, k) for values in counts.values()], rows)
    wholes = [*margins.values(), *(values for name, values in counts.items() if facts[name] is Fact.TOTAL)]
    complement = _complements(wholes, counts, k, rows)
    nested = _nested(table, k) if also is None else _nested(table, k) | also
    released = tested & ~margin & ~nested
    hide = count | complement
    hidden: dict[str, Mask] = {}
    for name in table.column_names:
        fact = facts[name]
        if fact in (Fact.KEY, Fact.MARGIN):
            continue
        mask = hide.copy()
        if fact is Fact.LAG and "_q" in name:
            mask |= _behind(margins, counts, rows) < thresholds.quantile_needs(
                int(name.rsplit("q", 1)[1]) / 100
            )
        hidden[name] = mask & np.asarray(pc.is_valid(table.column(name)))
    reasons = {"margin": margin, "count": count, "complement": complement, "nested": nested}
    reasons["lag"] = _any([mask for name, mask in hidden.items() if facts[name] is Fact.LAG], rows) & ~hide
    touched = _any([*hidden.values(), ~released], rows)
    record = DisclosureRecord(
        output=output,
        threshold=k,
        pairs=int(tested.sum()),
        pairs_whole=int((tested & ~touched).sum()),
        cells_hidden=sum(int((mask & released).sum()) for mask in hidden.values()),
        hidden=tuple(
            Suppression(rule, WHY[rule].format(k=k), int((mask & tested).sum()))
            for rule, mask in reasons.items()
            if (mask & tested).any()
        ),
        verdict="released without small cells" if (touched & tested).any() else "clean",
    )
    return _release(table, hidden, hide, released), record


def _release(table: pa.Table, hidden: Mapping[str, Mask], hide: Mask, released: Mask) -> pa.Table:
    keep = np.flatnonzero(released)
    rows = table.take(pa.array(keep))
    columns: dict[str, pa.Array | pa.ChunkedArray] = {}
    for name in rows.column_names:
        column = rows.column(name).combine_chunks()
        if pa.types.is_dictionary(column.type):
            column = only_used(column)
        if name in hidden and (mask := hidden[name][keep]).any():
            positions = np.where(mask, -1, np.arange(len(keep)))
            column = column.take(pa.array(positions, mask=mask))
        columns[name] = column
    words = pa.array(["", "numbers"])
    columns["small_cell"] = pa.DictionaryArray.from_arrays(pa.array(hide[keep].astype(np.int8)), words)
    return pa.table(columns, metadata=table.schema.metadata)


def _complements(wholes: list[Mask], counts: Mapping[str, Mask], k: int, rows: int) -> Mask:
    """Rows in which a count is 1 to k−1 less than a margin or a total."""
    found = np.zeros(rows, bool)
    for values in counts.values():
        for whole in wholes:
            found |= (values > 0) & _small(whole - values, k)
    return found


def _behind(margins: Mapping[str, Mask], counts: Mapping[str, Mask], rows: int) -> Mask:
    """Persons behind a quantile of the row: its smallest count that is not zero."""
    given = [
        np.where(values > 0, values, np.iinfo(np.int64).max)
        for values in (*margins.values(), *counts.values())
    ]
    return np.minimum.reduce(given) if given else np.zeros(rows, np.int64)


def _nested(table: pa.Table, k: int) -> Mask:
    """Rows that hold 1 to k−1 persons fewer than a row whose items, in order, are part of theirs."""
    found = np.zeros(table.num_rows, bool)
    if "items" not in table.column_names or table.column("items").null_count == table.num_rows:
        return found
    items = [tuple(each) if each else () for each in table.column("items").to_pylist()]
    windows = table.column("window").to_pylist() if "window" in table.column_names else [None] * len(items)
    persons = _whole(table, "n_person")
    known = {
        key: number
        for key, number in zip(zip(windows, items, strict=True), persons, strict=True)
        if number > 0
    }
    for row, (window, own) in enumerate(zip(windows, items, strict=True)):
        if not 1 < len(own) <= LONGEST_NESTED or persons[row] <= 0:
            continue
        for size in range(1, len(own)):
            for part in combinations(own, size):
                difference = known.get((window, part), 0) - persons[row]
                if 0 < difference < k:
                    found[row] = True
    return found


def _small(values: np.ndarray, k: int) -> Mask:
    return np.asarray((values > 0) & (values < k))


def _counts(table: pa.Table, name: str) -> bool:
    return name in table.column_names and pa.types.is_integer(table.schema.field(name).type)


def _whole(table: pa.Table, name: str) -> np.ndarray:
    return np.asarray(pc.fill_null(table.column(name).cast(pa.int64()), 0))


def _flags(table: pa.Table, name: str) -> Mask:
    return np.asarray(pc.fill_null(table.column(name), False))


def _any(masks: list[Mask], rows: int) -> Mask:
    return np.logical_or.reduce(masks) if masks else np.zeros(rows, bool)
