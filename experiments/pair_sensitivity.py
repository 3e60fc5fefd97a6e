"""Does what is called with a wash-out stand without it?"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

BESIDE = ("called", "rr", "direction")
"""Columns of the scan without wash-out that stand beside a called pair, under ``<name>_without_washout``."""


def beside_without_washout(table: pa.Table, plain: pa.Table, washout_days: int) -> tuple[pa.Table, str]:
    """The table of a scan with the verdict of ``plain``, the scan without wash-out, at its called pairs; and in words.

    Both list pairs by code number, in order. Whoever is an exposure with wash-out is one without it, so ``plain``
    has every pair of ``table``.
    """
    called, place = _flags(table), np.searchsorted(_keys(plain), _keys(table))
    rows = pa.array(place, mask=~called)
    for name in BESIDE:
        table = table.append_column(f"{name}_without_washout", plain.column(name).take(rows))
    there = place[called]
    both = _flags(plain)[there]
    alike = both & (_more(table)[called] == _more(plain)[there])
    order = np.asarray(table.column("direction").to_pylist(), dtype=object)[called]
    order_there = np.asarray(plain.column("direction").take(pa.array(there)).to_pylist(), dtype=object)
    return table, (
        f"Wash-out: a first time within {washout_days} days of a person's first event counts as neither exposure nor "
        f"outcome. Of {called.sum():,} pairs called so, {both.sum():,} are called without wash-out as well: "
        f"{alike.sum():,} of them to the same side (more, or less, often than expected), "
        f"{(alike & (order == order_there)).sum():,} with the same order of the two codes. Without wash-out "
        f"{_flags(plain).sum():,} pairs are called in all."
    )


def _keys(table: pa.Table) -> NDArray[np.int64]:
    """A number for each ordered pair, ascending as the rows are."""
    a, b = (np.asarray(table.column(name)).astype(np.int64) for name in ("code_a", "code_b"))
    return a << 32 | b


def _flags(table: pa.Table) -> NDArray[np.bool_]:
    return np.asarray(table.column("called")).astype(bool)


def _more(table: pa.Table) -> NDArray[np.bool_]:
    more: NDArray[np.bool_] = np.asarray(table.column("O")) > np.asarray(table.column("E"))
    return more
