"""The reference of a called pair without the exposed themselves, stratum by stratum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.called import CalledCounts
from experiments.kernels.reference import BARRED, EXPOSED, OUTCOMES, ReferenceCounts

ALL, LOCKED = 0, 1
"""Which persons: everybody, or the locked half against its own reference."""


def exposed_removed(reference: ReferenceCounts, counts: CalledCounts) -> NDArray[np.float64]:
    """Sums over strata for each called pair: [pair, 0 all or 1 locked half, (O, E, V, W)].

    With A exposures of a at risk of b in a stratum and p the share with the outcome among everybody else at
    risk there: E = Σ A p, V = Σ A p(1-p), and W = Σ A² p(1-p) / (others at risk), the variance of E itself.
    Strata where nobody else is at risk count neither in O nor in the rest.
    """
    pairs, cells = counts.pairs, reference.cells
    sums = np.zeros((len(pairs), 2, 4))
    if not len(pairs):
        return sums
    exposures = cells[:, :, EXPOSED].sum(axis=2, dtype=np.int64)
    starts = np.searchsorted(counts.cells[0], np.arange(len(pairs) + 1))
    codes_a = np.unique(pairs[:, 0])
    rows, row_starts = _rows_with(cells, codes_a)
    by_outcome = np.argsort(pairs[:, 1], kind="stable")
    _remove(
        pairs,
        by_outcome,
        np.searchsorted(codes_a, pairs[:, 0]),
        rows,
        row_starts,
        cells,
        exposures,
        starts,
        counts.cells,
        counts.cell_counts,
        sums,
    )
    return sums


def _rows_with(cells: NDArray[np.signedinteger], codes: NDArray[np.int32]) -> tuple[NDArray[np.int64], ...]:
    """Strata in which each code has exposures, one list after another, and where each list starts."""
    found = (cells[:, 0, EXPOSED][:, codes] + cells[:, 1, EXPOSED][:, codes] > 0).T
    starts = np.concatenate([[0], np.cumsum(found.sum(axis=1))])
    return np.nonzero(found)[1].astype(np.int64), starts.astype(np.int64)


@compiled
def _remove(
    pairs: NDArray[np.int32],
    by_outcome: NDArray[np.int64],
    place_a: NDArray[np.int64],
    rows: NDArray[np.int64],
    row_starts: NDArray[np.int64],
    cells: NDArray[np.signedinteger],
    exposures: NDArray[np.int64],
    starts: NDArray[np.int64],
    entries: NDArray[np.int32],
    numbers: NDArray[np.int32],
    sums: NDArray[np.float64],
) -> None:
    """Pairs with one outcome come together, so that its column of the reference is gathered once."""
    n_strata = len(exposures)
    reference = np.zeros((n_strata, 2, 2), np.float64)
    own = np.zeros((n_strata, 4), np.float64)
    current = -1
    for pair in by_outcome:
        a, b = pairs[pair]
        if b != current:
            current = b
            for row in range(n_strata):
                for half in range(2):
                    reference[row, half, 0] = exposures[row, half] - cells[row, half, BARRED, b]
                    reference[row, half, 1] = cells[row, half, OUTCOMES, b]
        for entry in range(starts[pair], starts[pair + 1]):
            own[entries[1, entry], entries[2, entry]] = numbers[entry]
        for at in range(row_starts[place_a[pair]], row_starts[place_a[pair] + 1]):
            row = rows[at]
            locked = cells[row, 1, EXPOSED, a] - own[row, 3]
            exposed = cells[row, 0, EXPOSED, a] - own[row, 1] + locked
            _add_stratum(
                sums[pair, 0],
                exposed,
                own[row, 0] + own[row, 2],
                reference[row, 0, 0] + reference[row, 1, 0],
                reference[row, 0, 1] + reference[row, 1, 1],
            )
            _add_stratum(sums[pair, 1], locked, own[row, 2], reference[row, 1, 0], reference[row, 1, 1])
        for entry in range(starts[pair], starts[pair + 1]):
            own[entries[1, entry]] = 0.0


@compiled
def _add_stratum(
    sums: NDArray[np.float64], exposed: float, followed: float, at_risk: float, outcomes: float
) -> None:
    others = at_risk - exposed
    if exposed <= 0.0 or others <= 0.0:
        return
    p = (outcomes - followed) / others
    sums[0] += followed
    sums[1] += exposed * p
    sums[2] += exposed * p * (1.0 - p)
    sums[3] += exposed * exposed * p * (1.0 - p) / others
