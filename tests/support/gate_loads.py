"""Outputs as large as the gate must manage: a table of 10,000 cells, a set of 100,000 item sets."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from lakehouse.governance.output_gate.patterns import PatternSet
from lakehouse.governance.output_gate.tables import CountTable
from tests.support.leaks import table


def wide_table(seed: int, rows: int = 100, columns: int = 100, share: float = 0.03) -> CountTable:
    """A two-way table in which small cells are hidden, each with three others to a rectangle."""
    rng = np.random.default_rng(seed)
    cells = rng.integers(12, 400, (rows, columns))
    hidden = np.zeros(cells.shape, bool)
    for _ in range(int(rows * columns * share / 4)):
        i, j = rng.choice(rows, 2, replace=False), rng.choice(columns, 2, replace=False)
        if hidden[np.ix_(i, j)].any():
            continue
        cells[i[0], j[0]] = int(rng.integers(1, 5))
        hidden[np.ix_(i, j)] = True
    return table(cells, hidden)


def frequent_sets(seed: int, number: int = 100_000, persons: int = 200_000) -> PatternSet:
    """Item sets with all their parts, of sizes 1 to 5 mostly, as Apriori gives them; supports counted."""
    rng = np.random.default_rng(seed)
    items, latent = 60, rng.random((persons, 6)) < 0.35
    has = rng.random((persons, items)) < 0.04
    for group in range(6):
        has[:, group * 10 : group * 10 + 10] |= latent[:, [group]] & (rng.random((persons, 10)) < 0.7)
    packed = np.packbits(has, axis=0)
    ones = np.array([value.bit_count() for value in range(256)], np.uint16)
    patterns: list[tuple[int, ...]] = []
    supports: list[int] = []
    for size in (1, 2, 3, 4, 5, 6, 7, 8, 9):
        for group in range(6):
            pool = range(group * 10, group * 10 + 10)
            for pattern in combinations(pool, size):
                patterns.append(pattern)
    for pattern in combinations(range(items), 3):
        if len(patterns) >= number:
            break
        patterns.append(pattern)
    pairs = list(combinations(range(items), 4))
    for place in rng.permutation(len(pairs))[: max(number - len(patterns), 0)]:
        patterns.append(pairs[place])
    for pattern in patterns[:number]:
        both = packed[:, pattern[0]]
        for item in pattern[1:]:
            both = both & packed[:, item]
        supports.append(int(ones[both].sum()))
    return PatternSet("sets", patterns[:number], supports)
