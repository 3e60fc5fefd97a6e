"""Which numbers of an output would single out a small group, and the same output without them.

A count of 1 to k−1 persons is hidden, and with it every number it could be worked out from: totals that
contain it, estimates that are functions of it, the same count in the row of the reversed pair, complements
(persons with the first code *without* the second), and the one gap in a sum that is known. What was hidden
and why is returned beside the output, so that a second person can judge the evidence apart from the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.errors import ConfigurationError
from lakehouse.governance.suppression.pair_cells import Mask, Masks, remainders, small_rows, twins
from lakehouse.settings import SMALL_CELL_FLOOR


class Fact(Enum):
    """What a released column lets a reader know; columns of one fact are hidden together."""

    KEY = "key"
    """Names the row or follows from margins alone; never hidden."""
    MARGIN = "margin"
    """Persons with one of the codes."""
    OUTCOME = "outcome"
    """How often the second code followed the first, and every estimate made from it."""
    ORDER = "order"
    """Persons with the second code first."""
    DIRECTION = "direction"
    """Every test of the order: made of the outcome and the order."""
    SAME_DAY = "same day"
    """Persons with both on one day."""
    TOTAL = "total"
    """Persons with both: the sum of outcome, order and same day."""
    LAG = "lag"
    """A quantile of the days between the two; needs persons beyond it."""


@dataclass(frozen=True)
class Thresholds:
    """Fewest persons a number may stand for; ``raised`` takes a stricter permit into account."""

    persons: int = SMALL_CELL_FLOOR

    def __post_init__(self) -> None:
        if self.persons < SMALL_CELL_FLOOR:
            raise ConfigurationError(
                f"A small-cell threshold of {self.persons} was asked for.",
                f"The coded floor is {SMALL_CELL_FLOOR} persons: it may be raised, never lowered.",
                "Ask for the floor or more.",
            )

    def raised(self, persons: int | None) -> Thresholds:
        """The stricter of this and another threshold."""
        return Thresholds(max(self.persons, persons or 0))

    def quantile_needs(self, share: float) -> int:
        """Persons needed before a quantile leaves ``persons`` of them on its thinner side."""
        return int(np.ceil(round(self.persons / min(share, 1 - share), 6)))


@dataclass(frozen=True)
class Suppression:
    """One reason, and how many pairs of the output it touched."""

    rule: str
    why: str
    pairs: int


@dataclass(frozen=True)
class DisclosureRecord:
    """Evidence (what was hidden and why) and verdict of one check.

    ``pairs`` were looked at, ``pairs_whole`` came through with every number; ``cells_hidden`` counts numbers.
    """

    output: str
    threshold: int
    pairs: int
    pairs_whole: int
    cells_hidden: int
    hidden: tuple[Suppression, ...]
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


WHY = {
    "margin": "fewer than {k} persons have one of the two codes",
    "outcome": "the second code followed the first in fewer than {k} persons",
    "order": "the second code came first in fewer than {k} persons",
    "same day": "fewer than {k} persons had both on one day",
    "total": "fewer than {k} persons had both",
    "complement": "fewer than {k} persons with one code are left over when those with both are taken away",
    "class": "everyone with one of the codes, or everyone who could, had the other",
    "difference": "two counts of nearly the same persons differ by fewer than {k}",
    "twin": "the row of the reversed pair hides the same persons",
    "remainder": "it was the only hidden row of a known sum, so a second row had to be hidden",
    "lag": "fewer than {k} persons lie beyond the quantile",
}


def check_pairs(
    table: pa.Table, facts: Mapping[str, Fact], thresholds: Thresholds, output: str = "patterns"
) -> tuple[pa.Table, DisclosureRecord]:
    """A table of ordered pairs without its small cells, and the record of what was hidden.

    ``table`` holds every pair the scan looked at, with dictionary-encoded ``code_a`` and ``code_b``, the
    counts ``n_a n_b n_person n_before n_same_day n_after O`` (persons) and any further columns; ``facts``
    says what each column lets a reader know. Only rows with ``tested`` leave, and none of a code that too few
    persons have, not even its name. Hidden numbers become null, and ``small_cell`` names the hidden facts.

    Assumes that ``O`` of (a, b) counts the same persons as ``n_before`` of (a, b) and ``n_after`` of (b, a).
    """
    k = thresholds.persons
    counts = {
        name: _counts(table, name) for name in ("n_a", "n_b", "n_person", "n_before", "n_same_day", "n_after")
    }
    counts["O"] = _counts(table, "O")
    tested = _flags(table, "tested")
    a, b = _codes(table, "code_a"), _codes(table, "code_b")
    masks, reasons = small_rows(counts, k)
    reasons["class"] |= (everyone := _everyone_at_risk(table))
    masks.outcome |= everyone
    masks.order |= everyone
    released = tested & ~masks.margin
    twin = twins(a, b)
    reasons["twin"] = masks.close(twin)
    reasons["remainder"] = remainders(masks, counts["O"], b, released)
    masks.close(twin)
    hidden = _hidden_columns(table, facts, masks, counts["O"], thresholds)
    lags = [mask for name, mask in hidden.items() if facts[name] is Fact.LAG]
    reasons["lag"] = np.logical_or.reduce([*lags, masks.outcome]) & ~masks.outcome
    touched = np.logical_or.reduce([*hidden.values(), ~released])
    checked = _release(table, hidden, masks, released)
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
    return checked, record


def _hidden_columns(
    table: pa.Table, facts: Mapping[str, Fact], masks: Masks, observed: np.ndarray, thresholds: Thresholds
) -> dict[str, Mask]:
    """For each column that may be hidden, the rows where a number of it is."""
    by_fact = {
        Fact.OUTCOME: masks.outcome,
        Fact.ORDER: masks.order,
        Fact.DIRECTION: masks.outcome | masks.order,
        Fact.SAME_DAY: masks.same_day,
        Fact.TOTAL: masks.total,
    }
    hidden: dict[str, Mask] = {}
    for name in table.column_names:
        fact = facts[name]
        if fact is Fact.LAG:
            share = int(name.rsplit("q", 1)[1]) / 100
            hidden[name] = masks.outcome | (observed < thresholds.quantile_needs(share))
        elif fact in by_fact:
            hidden[name] = by_fact[fact]
    return {name: mask & np.asarray(pc.is_valid(table.column(name))) for name, mask in hidden.items()}


def _release(table: pa.Table, hidden: Mapping[str, Mask], masks: Masks, released: Mask) -> pa.Table:
    """The released rows with hidden numbers as null and ``small_cell`` filled."""
    keep = np.flatnonzero(released)
    rows = table.take(pa.array(keep))
    columns: dict[str, pa.Array | pa.ChunkedArray] = {}
    for name in rows.column_names:
        column = rows.column(name)
        if pa.types.is_dictionary(column.type):
            column = only_used(column.combine_chunks())
        if name in hidden and (mask := hidden[name][keep]).any():
            column = pc.if_else(pa.array(~mask), column, pa.scalar(None, column.type))
        columns[name] = column
    columns["small_cell"] = _facts_hidden(masks, keep)
    return pa.table(columns, metadata=table.schema.metadata)


def only_used(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """The same words without those that no row uses: a rare code must not leave as an unused name."""
    if not len(column.dictionary):
        return column
    given = np.asarray(pc.fill_null(column.indices, 0))
    used = np.unique(given)
    place = np.zeros(len(column.dictionary), column.indices.type.to_pandas_dtype())
    place[used] = np.arange(len(used))
    index = pa.array(place[given], mask=np.asarray(pc.is_null(column.indices)))
    return pa.DictionaryArray.from_arrays(index, column.dictionary.take(pa.array(used)))


def _facts_hidden(masks: Masks, keep: np.ndarray) -> pa.DictionaryArray:
    """The hidden facts of each row in words, empty where none is."""
    parts = (
        ("outcome", masks.outcome),
        ("order", masks.order),
        ("same day", masks.same_day),
        ("total", masks.total),
    )
    code = np.zeros(len(keep), np.int8)
    for bit, (_, mask) in enumerate(parts):
        code += (mask[keep].astype(np.int8) << bit).astype(np.int8)
    words = [
        ", ".join(word for bit, (word, _) in enumerate(parts) if value >> bit & 1)
        for value in range(1 << len(parts))
    ]
    return pa.DictionaryArray.from_arrays(pa.array(code), pa.array(words))


def _everyone_at_risk(table: pa.Table) -> Mask:
    """Rows whose relative risk is as high as it can be: everybody who could have the outcome had it."""
    if not {"rr", "rr_high"} <= set(table.column_names):
        return np.zeros(table.num_rows, bool)
    rr, high = (np.asarray(pc.fill_null(table.column(name), 0.0), dtype=float) for name in ("rr", "rr_high"))
    return np.asarray((rr > 0) & (high <= rr * (1 + 1e-9)))


def _counts(table: pa.Table, name: str) -> np.ndarray:
    """A column of person counts as int64; a count that was not made counts nobody."""
    return np.asarray(pc.fill_null(table.column(name).cast(pa.int64()), 0))


def _flags(table: pa.Table, name: str) -> Mask:
    return np.asarray(pc.fill_null(table.column(name), False))


def _codes(table: pa.Table, name: str) -> np.ndarray:
    """Small integers that stand for the codes, the same in both code columns."""
    other = "code_b" if name == "code_a" else "code_a"
    chunk = table.column(name).combine_chunks()
    if isinstance(chunk, pa.DictionaryArray):
        twin = table.column(other).combine_chunks()
        if chunk.dictionary.equals(twin.dictionary):
            return np.asarray(chunk.indices)
        chunk = chunk.dictionary_decode()
    names = sorted({*chunk.unique().to_pylist(), *pc.unique(table.column(other)).to_pylist()})
    return np.asarray(pc.index_in(chunk, pa.array(names)))
