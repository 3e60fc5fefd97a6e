"""Error rates on a tree of hypotheses: families that show nothing as a whole are never opened."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled


def simes(
    log10_p: NDArray[np.float64], parent: NDArray[np.int64], parents: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Simes' combined log10 p of each parent's children, and how many children it has; 0 where it has none.

    min over i of m p(i) / i tests that no child is true, under independence and positive dependence.

    ``log10_p`` and ``parent`` [child]; returns two arrays [parent] (Simes 1986).
    """
    sizes = np.bincount(parent, minlength=parents)
    rank = _ranks(np.argsort(log10_p), parent, parents)
    scaled = log10_p + np.log10(sizes[parent]) - np.log10(rank)
    combined = np.zeros(parents)
    np.minimum.at(combined, parent, scaled)
    return combined, sizes


@compiled
def _ranks(order: NDArray[np.int64], parent: NDArray[np.int64], parents: int) -> NDArray[np.int64]:
    """Rank of each child among its parent's, from 1, when ``order`` puts the smallest first; 0 for one not in it."""
    seen, rank = np.zeros(parents, np.int64), np.zeros(len(parent), np.int64)
    for child in order:
        seen[parent[child]] += 1
        rank[child] = seen[parent[child]]
    return rank


def tree_bh(
    log10_p: NDArray[np.float64], groups: NDArray[np.int64], level: float = 0.05
) -> tuple[NDArray[np.bool_], list[NDArray[np.bool_]]]:
    """Hypotheses selected on a tree, and the nodes selected at each level above, coarsest first.

    ``groups`` [hypothesis, level] names the node of each hypothesis at every level, coarsest first; each node
    lies in one node of the level before. A node is tested by Simes over its children. Benjamini-Hochberg runs
    within each family whose parent was selected, at ``level`` times the shares selected on the way down
    (Bogomolov, Peterson, Benjamini & Sabatti 2021), so an error counts in the family it was made in.

    ``log10_p`` and the first result are [hypothesis], each of the others [node of that level]. Raises
    :class:`ValueError` where a node lies in two nodes above it.
    """
    depth = groups.shape[1]
    p_values, parents = [log10_p], []
    node_of = np.arange(len(log10_p))
    for at in range(depth - 1, -1, -1):
        nodes, first, inverse = _numbered(groups[:, at])
        if np.any(groups[first[inverse], :at] != groups[:, :at]):
            raise ValueError("a node of the tree lies in two nodes above it")
        parent = np.empty(len(p_values[-1]), np.int64)
        parent[node_of] = inverse
        combined, _ = simes(p_values[-1], parent, nodes)
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


def _numbered(names: NDArray[np.int64]) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    """How many different names there are, where each first stands, and the number of each entry's name."""
    if len(names) and (names.min() < 0 or names.max() > 4 * len(names)):
        names = np.unique(names, return_inverse=True)[1]
    number = np.cumsum(np.bincount(names) > 0) - 1
    inverse = number[names]
    nodes = int(number[-1]) + 1 if len(number) else 0
    first = np.empty(nodes, np.int64)
    first[inverse[::-1]] = np.arange(len(names))[::-1]
    return nodes, first, inverse


def _families(
    log10_p: NDArray[np.float64], parent: NDArray[np.int64], allowed: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """BH within every family at its parent's level (0: closed); the selected, and the level each hands on."""
    sizes = np.bincount(parent, minlength=len(allowed))
    asked = np.flatnonzero(allowed[parent] > 0)
    rank = _ranks(asked[np.argsort(log10_p[asked])], parent, len(allowed))[asked]
    family = parent[asked]
    passes = log10_p[asked] <= np.log10(allowed[family]) + np.log10(rank) - np.log10(sizes[family])
    reach, chosen = np.zeros(len(allowed), np.int64), np.zeros(len(log10_p), bool)
    np.maximum.at(reach, family, np.where(passes, rank, 0))
    chosen[asked] = rank <= reach[family]
    share = np.divide(allowed * reach, sizes, out=np.zeros(len(allowed)), where=sizes > 0)
    return chosen, np.where(chosen, share[parent], 0.0)
