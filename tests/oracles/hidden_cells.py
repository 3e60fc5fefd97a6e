"""What a reader can say about hidden counts, by trying every table that fits: the gate's bounds read literally."""

from __future__ import annotations

from itertools import product

import numpy as np


def ranges(cells: np.ndarray, hidden: np.ndarray) -> dict[tuple[int, int], tuple[int, int]]:
    """Least and most of each hidden cell of a two-way table over all tables with its margins and visible cells."""
    places = [tuple(int(v) for v in at) for at in np.argwhere(hidden)]
    most = [int(min(cells[i].sum(), cells[:, j].sum())) for i, j in places]
    seen: dict[tuple[int, int], list[int]] = {(i, j): [] for i, j in places}
    for values in product(*(range(top + 1) for top in most)):
        tried = cells.copy()
        for (i, j), value in zip(places, values, strict=True):
            tried[i, j] = value
        if (tried.sum(axis=0) == cells.sum(axis=0)).all() and (tried.sum(axis=1) == cells.sum(axis=1)).all():
            for (i, j), value in zip(places, values, strict=True):
                seen[i, j].append(value)
    return {(i, j): (min(values), max(values)) for (i, j), values in seen.items()}
