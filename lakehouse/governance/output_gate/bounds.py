"""How well hidden numbers are hidden: the smallest and largest value each may have, by linear programming."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog
from scipy.sparse.csgraph import connected_components

Floats = NDArray[np.float64]

PROBES = 24
"""Random objectives tried at once before single numbers are looked at."""

SECONDS = 20.0
"""Longest time for one table; a number not judged by then counts as recoverable."""


@dataclass(frozen=True)
class Bounds:
    """Lowest and highest value of each hidden number; ``proven`` where the range is wide enough for certain."""

    low: Floats
    high: Floats
    proven: NDArray[np.bool_]


def bounds(equations: sparse.csr_array, totals: Floats, need: float) -> Bounds:
    """What a reader can say about x ≥ 0 with ``equations`` · x = ``totals``.

    ``equations`` are [equation, number], ``totals`` [equation], bounds [number]. A number is safe when it may vary by
    ``need`` or more, or when it is at least ``need`` or zero for certain.
    First bounds are carried from equation to equation; what is then still open is settled by feasible
    solutions of random objectives (two that are far enough apart prove a number safe), and last by its own two
    linear programmes.
    """
    size = equations.shape[1]
    low, high = propagate(equations, totals)
    proven = np.zeros(size, bool)
    unsafe = exposed(low, high, need)
    open_ = np.flatnonzero(~unsafe & ~((low >= need) | (high < 1)))
    if not len(open_):
        return Bounds(low, high, ~unsafe)
    ends = time.monotonic() + SECONDS
    _, part = connected_components(equations.T @ equations, directed=False)
    for component in np.unique(part[open_]):
        members = np.flatnonzero(part == component)
        piece = equations[:, members]
        rows = np.flatnonzero(np.diff(piece.indptr))
        _settle(piece[rows], totals[rows], members, need, low, high, proven, open_, ends)
    settled = (low >= need) | (high < 1)
    return Bounds(low, high, proven | settled)


def exposed(low: Floats, high: Floats, need: float) -> NDArray[np.bool_]:
    """Numbers [number] known too well: a range narrower than ``need`` that reaches below it and is not zero."""
    return np.asarray((high - low < need - 1e-6) & (low < need - 1e-6) & (high > 1 - 1e-6))


def propagate(equations: sparse.csr_array, totals: Floats, sweeps: int = 50) -> tuple[Floats, Floats]:
    """Bounds, low and high [number], that each equation gives by itself, handed on until nothing moves."""
    rows, columns = equations.tocoo().coords
    weight = equations.tocoo().data
    size = equations.shape[1]
    low, high = np.zeros(size), np.full(size, np.inf)
    plus = weight > 0
    for _ in range(sweeps):
        most = np.where(plus, weight * high[columns], weight * low[columns])
        least = np.where(plus, weight * low[columns], weight * high[columns])
        infinite = np.bincount(rows, ~np.isfinite(most), equations.shape[0])
        unbounded = np.bincount(rows, ~np.isfinite(least), equations.shape[0])
        sum_most = np.bincount(rows, np.where(np.isfinite(most), most, 0), equations.shape[0])
        sum_least = np.bincount(rows, np.where(np.isfinite(least), least, 0), equations.shape[0])
        rest_most = np.where(infinite[rows] - ~np.isfinite(most) > 0, np.inf,
                             sum_most[rows] - np.where(np.isfinite(most), most, 0))  # fmt: skip
        rest_least = np.where(unbounded[rows] - ~np.isfinite(least) > 0, -np.inf,
                              sum_least[rows] - np.where(np.isfinite(least), least, 0))  # fmt: skip
        upper = np.where(plus, (totals[rows] - rest_least), (rest_most - totals[rows])) / np.abs(weight)
        lower = np.where(plus, (totals[rows] - rest_most), (rest_least - totals[rows])) / np.abs(weight)
        new_low, new_high = low.copy(), high.copy()
        np.minimum.at(new_high, columns, upper)
        np.maximum.at(new_low, columns, lower)
        if np.array_equal(new_low, low) and np.array_equal(new_high, high):
            break
        low, high = new_low, new_high
    return low, np.maximum(high, low)


def _settle(
    equations: sparse.csr_array, totals: Floats, members: NDArray[np.int64], need: float,
    low: Floats, high: Floats, proven: NDArray[np.bool_], open_: NDArray[np.int64], ends: float,
) -> None:  # fmt: skip
    """Prove the open numbers of one connected part safe, or find their exact range."""
    size = len(members)
    wanted = np.isin(members, open_)
    ceiling = [(0.0, None if not np.isfinite(top) else float(top)) for top in high[members]]
    seen_low, seen_high = np.full(size, np.inf), np.full(size, -np.inf)
    rng = np.random.default_rng(size)
    as_given: Any = equations

    def solve(objective: Floats) -> Floats | None:
        found: Any = linprog(objective, A_eq=as_given, b_eq=totals, bounds=ceiling, method="highs")
        if found.status == 3:
            return np.full(size, np.inf)
        if found.x is None:
            return None
        np.minimum(seen_low, found.x, out=seen_low)
        np.maximum(seen_high, found.x, out=seen_high)
        return np.asarray(found.x)

    def remaining() -> NDArray[np.int64]:
        return np.flatnonzero(wanted & ~(seen_high - seen_low >= need - 1e-6))

    for _ in range(PROBES if size > 3 else 0):
        if not len(rest := remaining()) or time.monotonic() > ends:
            break
        objective = np.zeros(size)
        objective[rest] = rng.choice([-1.0, 1.0], len(rest)) * rng.uniform(0.5, 1, len(rest))
        if solve(objective) is None:
            return
    for one in remaining():
        if time.monotonic() > ends or seen_high[one] - seen_low[one] >= need - 1e-6:
            continue
        objective = np.zeros(size)
        objective[one] = 1.0
        least, most = solve(objective), solve(-objective)
        if least is None or most is None:
            return
        low[members[one]], high[members[one]] = least[one], most[one]
    safe = wanted & (seen_high - seen_low >= need - 1e-6)
    proven[members[safe]] = True
