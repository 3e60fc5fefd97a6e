"""Error rates on a tree of hypotheses: families that show nothing as a whole are never opened."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def simes(
    log10_p: NDArray[np.float64], parent: NDArray[np.int64], parents: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Simes' combined log10 p of each parent's children, and how many children it has; 0 where it has none.

    min over i of m p(i) / i tests that no child is true, under independence and positive dependence.
    """
    order = np.lexsort((log10_p, parent))
    sizes = np.bincount(parent, minlength=parents)
    starts = np.cumsum(sizes) - sizes
    family = parent[order]
    rank = np.arange(len(order)) - starts[family] + 1
    scaled = log10_p[order] + np.log10(sizes[family]) - np.log10(rank)
    combined = np.zeros(parents)
    np.minimum.at(combined, family, scaled)
    return combined, sizes


def tree_bh(
    log10_p: NDArray[np.float64], groups: NDArray[np.int64], level: float = 0.05
) -> tuple[NDArray[np.bool_], list[NDArray[np.bool_]]]:
    """Hypotheses selected on a tree, and the nodes selected at each level above, coarsest first.

    ``groups`` [hypothesis, level] names the node of each hypothesis at every level, coarsest first; each node
    lies in one node of the level before. A node is tested by Simes over its children. Benjamini-Hochberg runs
    within each family whose parent was selected, at ``level`` times the shares selected on the way down
    (Bogomolov, Peterson, Benjamini & Sabatti 2021), so an error counts in the family it was made in.
    """
    depth = groups.shape[1]
    p_values, parents = [log10_p], []
    node_of = np.arange(len(log10_p))
    for at in range(depth - 1, -1, -1):
        names, first, inverse = np.unique(groups[:, at], return_index=True, return_inverse=True)
        if np.any(groups[first[inverse], :at] != groups[:, :at]):
            raise ValueError("a node of the tree lies in two nodes above it")
        parent = np.empty(len(p_values[-1]), np.int64)
        parent[node_of] = inverse
        combined, _ = simes(p_values[-1], parent, len(names))
        parents.append(parent)
        p_values.append(combined)
        node_of = inverse
    parents.append(np.zeros(len(p_values[-1]), np.int64))
    selected: list[NDArray[np.bool_]] = []
    allowed = np.full(1, level)
    for p, parent in zip(p_values[::-1], parents[::-1], strict=True):
        chosen, allowed = _families(p, parent, allowed)
        selected.append(chosen)
    return selected[-1], selected[:-1]


def _families(
    log10_p: NDArray[np.float64], parent: NDArray[np.int64], allowed: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """BH within every family at its parent's level (0: closed); the selected, and the level each hands on."""
    sizes = np.bincount(parent, minlength=len(allowed))
    starts = np.cumsum(sizes) - sizes
    order = np.lexsort((log10_p, parent))
    family = parent[order]
    rank = np.arange(len(order)) - starts[family] + 1
    with np.errstate(divide="ignore"):
        limit = np.log10(allowed[family]) + np.log10(rank) - np.log10(sizes[family])
    passes = (log10_p[order] <= limit) & (allowed[family] > 0)
    reach = np.zeros(len(allowed), np.int64)
    np.maximum.at(reach, family, np.where(passes, rank, 0))
    chosen = np.zeros(len(log10_p), bool)
    chosen[order] = rank <= reach[family]
    share = np.divide(allowed * reach, sizes, out=np.zeros(len(allowed)), where=sizes > 0)
    return chosen, np.where(chosen, share[parent], 0.0)
