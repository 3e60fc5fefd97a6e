"""Scan statistic over a tree of codes: is any branch hit more often than expected, all branches tested at once?"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special


class TreeScan(NamedTuple):
    """By node pair [row node, column node]: count, expected, log-likelihood ratio, p by rank among the maxima."""

    counted: NDArray[np.float64]
    expected: NDArray[np.float64]
    ratio: NDArray[np.float64]
    p: NDArray[np.float64]


def tree_scan(
    count: NDArray[np.float64],
    expected: NDArray[np.float64],
    rows: sparse.csr_array,
    columns: sparse.csr_array,
    seed: int,
    draws: int = 199,
) -> TreeScan:
    """Kulldorff et al. (2003) over two trees at once, conditional on the total.

    ``count`` and ``expected`` [row leaf, column leaf]; ``rows`` and ``columns`` [node, leaf] are 1 where a leaf lies
    under a node. LLR = c ln(c/E) - (c - E) where c > E. Under no effect the total falls on the leaves in proportion to
    E; p is the rank of a node's ratio among the largest of each draw, so that one error rate holds over all
    overlapping nodes.
    """
    scaled = expected * (count.sum() / expected.sum()) if expected.sum() > 0 else expected
    at_nodes = _at_nodes(scaled, rows, columns)
    c = _at_nodes(count, rows, columns)
    ratio = _ratio(c, at_nodes)
    rng = np.random.default_rng(seed)
    share = (
        (scaled / scaled.sum()).ravel() if scaled.sum() > 0 else np.full(scaled.size, 1 / max(scaled.size, 1))
    )
    total = round(float(count.sum()))
    largest = np.array(
        [
            _ratio(
                _at_nodes(rng.multinomial(total, share).reshape(count.shape), rows, columns), at_nodes
            ).max(initial=0.0)
            for _ in range(draws)
        ]
    )
    largest.sort()
    above = draws - np.searchsorted(largest, ratio - 1e-12, side="left")
    p = np.asarray((1.0 + above) / (1.0 + draws), np.float64)
    return TreeScan(c, at_nodes, ratio, p)


def _at_nodes(values: NDArray[Any], rows: sparse.csr_array, columns: sparse.csr_array) -> NDArray[np.float64]:
    """Sums of leaves under every pair of nodes."""
    summed: NDArray[np.float64] = (columns @ (rows @ values).T).T
    return summed


def _ratio(count: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio = special.xlogy(count, count / np.maximum(expected, 1e-12)) - (count - expected)
    return np.where(count > expected, ratio, 0.0)


def tree_of(names: list[str], lengths: dict[str, tuple[int, ...]]) -> tuple[list[str], sparse.csr_array]:
    """Nodes over codes written system//code: all beginnings of the lengths of their system, and the codes themselves.

    Of nodes that hold the same codes the one with the longest name stands for all.
    """
    members: dict[str, list[int]] = {}
    for leaf, name in enumerate(names):
        system, mark, code = name.partition("//")
        for length in (*(n for n in lengths.get(system, ()) if n < len(code)), len(code)):
            members.setdefault(system + mark + code[:length], []).append(leaf)
    distinct: dict[tuple[int, ...], str] = {}
    for node in sorted(members, key=len, reverse=True):
        distinct.setdefault(tuple(members[node]), node)
    nodes = sorted(distinct.values())
    cells = [(row, leaf) for row, node in enumerate(nodes) for leaf in members[node]]
    where = np.array(cells, np.int64).reshape(-1, 2).T
    return nodes, sparse.csr_array(
        (np.ones(len(cells)), (where[0], where[1])), shape=(len(nodes), len(names))
    )
