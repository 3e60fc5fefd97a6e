"""Error rates read literally: Benjamini-Hochberg one family at a time, down a tree written as nested lists."""

from __future__ import annotations

Tree = float | list["Tree"]
"""A leaf is a p-value, a node the list of what lies under it."""


def bh(p_values: list[float], level: float) -> set[int]:
    """Places selected at ``level``."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    reach = max((k for k, at in enumerate(order, 1) if p_values[at] <= level * k / len(order)), default=0)
    return set(order[:reach])


def q_bh(p_values: list[float]) -> list[float]:
    """Smallest level at which each is selected."""
    m = len(p_values)
    ranks = sorted(p_values)
    return [min(ranks[k - 1] * m / k for k in range(1, m + 1) if ranks[k - 1] >= p) for p in p_values]


def combined(tree: Tree) -> float:
    """Simes' p of a node, from those of its children."""
    if isinstance(tree, float):
        return tree
    below = sorted(combined(child) for child in tree)
    return min(1.0, *(p * len(below) / k for k, p in enumerate(below, 1)))


def tree_bh(tree: list[Tree], level: float) -> list[tuple[int, ...]]:
    """Paths of the leaves selected: BH in a family at the level its parent hands down."""
    chosen = bh([combined(child) for child in tree], level)
    found = []
    for place in chosen:
        child = tree[place]
        if isinstance(child, float):
            found.append((place,))
        else:
            handed = level * len(chosen) / len(tree)
            found += [(place, *rest) for rest in tree_bh(child, handed)]
    return found
