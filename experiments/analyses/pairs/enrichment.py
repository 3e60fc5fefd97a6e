"""What a pair's row says beyond its own test: breaks in coding, its family's verdict, and how many meet the outcome."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.kernels.pairs.competing import CompetingCounts
from experiments.statistics.error_control.tree_errors import tree_bh
from experiments.statistics.survival.time_to_event import cumulative_incidence


def tree_of(name: str, family: str) -> tuple[str, str]:
    """Where a code stands: chapter and block; codes of systems without a tree stand under their system."""
    system, _, code = name.partition("//")
    top = f"{system}//{code[:1]}" if system in ("ICD10", "ATC", "SKS") else system
    return top, f"{top}|{family or top}"


def call_by_tree(
    table: pa.Table, names: Sequence[str], families: Sequence[str], level: float
) -> NDArray[np.bool_]:
    """Pairs significant by families: chapter × chapter first, then block × block within the chosen, then the pairs.

    ``table`` has a row a pair, ``names`` and ``families`` [code]; returns [row of ``table``]. Hierarchical BH
    by :func:`tree_bh`.
    """
    tested = np.asarray(table.column("tested"))
    significant = np.zeros(table.num_rows, bool)
    if not tested.any():
        return significant
    a, b = (np.asarray(table.column(name))[tested] for name in ("code_a", "code_b"))
    groups = []
    for depth in (0, 1):
        words = [tree_of(name, family)[depth] for name, family in zip(names, families, strict=True)]
        found, place = np.unique(words, return_inverse=True)
        groups.append(place[a].astype(np.int64) * len(found) + place[b])
    log10_p = np.asarray(table.column("log10_p"), dtype=float)[tested]
    selected, _ = tree_bh(log10_p, np.stack(groups, axis=1), level)
    significant[tested] = selected
    return significant


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
