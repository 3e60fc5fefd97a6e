"""Branches of medicines and of events that are hit together though no single pair of codes need stand out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.statistics.observed_expected.tree_scan import tree_of, tree_scan

LENGTHS = {"ATC": (1, 3, 4, 5), "ICD10": (1, 2, 3)}
"""Beginnings of codes that are branches: ATC by its groups, ICD-10 by letter, block of ten and category."""


def with_branches(
    table: pa.Table, names: list[str], level: float, seed: int, draws: int = 199
) -> tuple[pa.Table, list[str]]:
    """The table with a row for each branch pair that is hit more often than expected, and the names that go with it.

    One error rate holds over all branches of both trees (p by rank among the maxima of ``draws`` draws). Of branches
    within one another the one with the largest ratio stands for all; single pairs have rows already. Numbers of
    persons are not given: those of a branch less those of its codes would be of few.
    """
    if not table.num_rows:
        return table, names
    a, b = (np.asarray(table.column(name)) for name in ("code_a", "code_b"))
    medicines, row = np.unique(a, return_inverse=True)
    events, column = np.unique(b, return_inverse=True)
    count, expected = np.zeros((2, len(medicines), len(events)))
    tested = np.asarray(table.column("tested"))
    for matrix, name in ((count, "O"), (expected, "E")):
        matrix[row[tested], column[tested]] = np.asarray(table.column(name), dtype=float)[tested]
    row_nodes, rows = tree_of([names[code] for code in medicines], LENGTHS)
    column_nodes, columns = tree_of([names[code] for code in events], LENGTHS)
    found = tree_scan(count, expected, rows, columns, seed, draws)
    best = _best(found.ratio, found.p <= level, rows.toarray() > 0, columns.toarray() > 0)
    all_names, place = list(names), {name: code for code, name in enumerate(names)}
    made: list[dict[str, Any]] = []
    for i, j in best:
        for node in (row_nodes[i], column_nodes[j]):
            if node not in place:
                place[node] = len(all_names)
                all_names.append(node)
        p = float(found.p[i, j])
        made.append(
            {"code_a": place[row_nodes[i]], "code_b": place[column_nodes[j]], "flags": "branch", "tested": True,
             "called": True, "q_bh": p, "q_by": p, "log10_p": float(np.log10(p)), "tree_ratio": float(found.ratio[i, j]),
             "tree_p": p, "window": table.column("window")[0].as_py()}
        )  # fmt: skip
    more = {
        "tree_ratio": pa.nulls(table.num_rows, pa.float64()),
        "tree_p": pa.nulls(table.num_rows, pa.float64()),
    }
    for name, values in more.items():
        table = table.append_column(name, values)
    return pa.concat_tables([table, pa.Table.from_pylist(made, schema=table.schema)]), all_names


def _best(
    ratio: NDArray[np.float64],
    significant: NDArray[np.bool_],
    rows: NDArray[np.bool_],
    columns: NDArray[np.bool_],
) -> list[tuple[int, int]]:
    """Significant branch pairs neither within nor around a significant one with a larger ratio; no pairs of leaves."""
    pairs = sorted(map(tuple, np.argwhere(significant).tolist()), key=lambda pair: -ratio[pair])
    kept: list[tuple[int, int]] = []
    for i, j in pairs:
        if not any(_within(i, a, rows) and _within(j, b, columns) for a, b in kept):
            kept.append((i, j))
    return [(i, j) for i, j in kept if rows[i].sum() > 1 or columns[j].sum() > 1]


def _within(one: int, other: int, members: NDArray[np.bool_]) -> bool:
    """Whether one branch lies within the other."""
    both = members[one] & members[other]
    return bool((both == members[one]).all() or (both == members[other]).all())
