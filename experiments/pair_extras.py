"""What a pair's row says beyond its own test: breaks in coding, its family's verdict, and how many meet the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.kernels.competing import CompetingCounts
from experiments.kernels.months import FIRST_YEAR, MonthCounts
from experiments.pair_places import BrokenAtPlaces
from experiments.statistics.change_points import KINDS, find_breaks
from experiments.statistics.cumulative_incidence import cumulative_incidence
from experiments.statistics.tree_errors import tree_bh

ARTEFACT = "artefact"


class BrokenCode(NamedTuple):
    """A code whose writing down breaks off, begins or steps: its number, kind, month (2019-03), ratio."""

    code: int
    kind: str
    month: str
    ratio: float


def broken_codes(counts: MonthCounts, systems: Sequence[str], level: float = 0.01) -> list[BrokenCode]:
    """Codes with a break against all that is written in their code ``systems`` (a source that begins late or
    ends is no break of its codes)."""
    events = counts.events
    used = np.flatnonzero(events.any(axis=0))
    if not len(used):
        return []
    first, last = int(used[0]), int(used[-1]) + 1
    series = events[:, first:last]
    names, place = np.unique(np.asarray(systems), return_inverse=True)
    totals = np.zeros((len(names), last - first), np.int64)
    np.add.at(totals, place, series)
    found = find_breaks(series, totals[place], level)
    broken = []
    for code in np.flatnonzero(found.month >= 0):
        year, month = divmod(first + int(found.month[code]), 12)
        when = f"{FIRST_YEAR + year}-{month + 1:02d}"
        broken.append(BrokenCode(int(code), KINDS[found.kind[code]], when, float(found.ratio[code])))
    return broken


def flag_artefacts(table: pa.Table, broken: Sequence[BrokenCode | BrokenAtPlaces], n_codes: int) -> pa.Table:
    """Pairs of a code with a break carry the flag: an order or a gap may be the registration's."""
    affected = np.zeros(n_codes, bool)
    affected[[each.code for each in broken]] = True
    a, b = (np.asarray(table.column(name)) for name in ("code_a", "code_b"))
    hit = affected[a] | affected[b]
    flags = table.column("flags").combine_chunks()
    words = [word or "" for word in flags.dictionary.to_pylist()]
    both = [*words, *(f"{word} {ARTEFACT}".strip() for word in words)]
    place = np.asarray(flags.indices.fill_null(0)).astype(np.int32) + hit * np.int32(len(words))
    column = pa.DictionaryArray.from_arrays(pa.array(place.astype(np.int32)), pa.array(both, pa.string()))
    return table.set_column(table.column_names.index("flags"), "flags", column)


def tree_of(name: str, family: str) -> tuple[str, str]:
    """Where a code stands: chapter and block; codes of systems without a tree stand under their system."""
    system, _, code = name.partition("//")
    top = f"{system}//{code[:1]}" if system in ("ICD10", "ATC", "SKS") else system
    return top, f"{top}|{family or top}"


def call_by_tree(
    table: pa.Table, names: Sequence[str], families: Sequence[str], level: float
) -> NDArray[np.bool_]:
    """Pairs called by families: chapter × chapter first, then block × block within the chosen, then the pairs."""
    tested = np.asarray(table.column("tested"))
    called = np.zeros(table.num_rows, bool)
    if not tested.any():
        return called
    a, b = (np.asarray(table.column(name))[tested] for name in ("code_a", "code_b"))
    groups = []
    for depth in (0, 1):
        words = [tree_of(name, family)[depth] for name, family in zip(names, families, strict=True)]
        found, place = np.unique(words, return_inverse=True)
        groups.append(place[a].astype(np.int64) * len(found) + place[b])
    log10_p = np.asarray(table.column("log10_p"), dtype=float)[tested]
    selected, _ = tree_bh(log10_p, np.stack(groups, axis=1), level)
    called[tested] = selected
    return called


def add_incidence(table: pa.Table, counts: CompetingCounts | None) -> pa.Table:
    """Cumulative incidence of the outcome with its interval, and of death before it; null where not counted."""
    names = ("cif", "cif_low", "cif_high", "died_first")
    full = np.full((table.num_rows, len(names)), np.nan)
    if counts is not None and len(counts.pairs):
        width = int(np.asarray(table.column("code_b")).max()) + 1
        keys = [
            np.asarray(table.column("code_a")).astype(np.int64) * width + np.asarray(table.column("code_b")),
            counts.pairs[:, 0].astype(np.int64) * width + counts.pairs[:, 1],
        ]
        rows = np.searchsorted(keys[0], keys[1])
        for number, row in enumerate(rows.tolist()):
            full[row] = cumulative_incidence(*counts.by_day(number))
    for at, name in enumerate(names):
        table = table.append_column(name, pa.array(full[:, at], mask=~np.isfinite(full[:, at])))
    return table
