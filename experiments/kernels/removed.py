"""The reference of a called pair without the exposed, stratum by stratum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.called import (
    EXPOSED_BARRED,
    EXPOSED_FOLLOWED,
    LATER_FOLLOWED,
    OWN_BARRED,
    OWN_FOLLOWED,
    WHAT,
    CalledCounts,
)
from experiments.kernels.reference import BARRED, EXPOSED, OUTCOMES, ReferenceCounts

ALL, LOCKED = 0, 1
"""Which persons: everybody, or the locked half against its own reference."""


def exposed_removed(reference: ReferenceCounts, counts: CalledCounts) -> NDArray[np.float64]:
    """Sums over strata for each called pair: [pair, 0 all or 1 locked half, (O, E before, E after, V, W)].

    The reference of a pair (a, b) is every exposure, of any code, by persons at risk of b who have not had a by
    that day: not the exposures of a alone, since a person who has had a carries its effect into every later
    exposure. Some of them get a later, and b after it: E after is what these contribute to E, E before the
    rest. V = Σ A p(1-p) over the A exposures of a; W = Σ A² p(1-p) / (reference) is the variance of E itself.
    Strata without a reference count neither in O nor in the rest.
    """
    pairs, cells = counts.pairs, reference.cells
    sums = np.zeros((len(pairs), 2, 5))
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
    reference = np.zeros((n_strata, 2, 2), np.int64)
    own = np.zeros((n_strata, 2, WHAT), np.int64)
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
            own[entries[1, entry], entries[2, entry], entries[3, entry]] = numbers[entry]
        for at in range(row_starts[place_a[pair]], row_starts[place_a[pair] + 1]):
            row = rows[at]
            everybody, locked = (0, 0, 0, 0, 0), (0, 0, 0, 0, 0)
            for half in range(2):
                locked = _free_of(
                    cells[row, half, EXPOSED, a],
                    cells[row, half, BARRED, a],
                    reference[row, half],
                    own[row, half],
                )
                everybody = (
                    everybody[0] + locked[0],
                    everybody[1] + locked[1],
                    everybody[2] + locked[2],
                    everybody[3] + locked[3],
                    everybody[4] + locked[4],
                )
            _add_stratum(sums[pair, 0], everybody)
            _add_stratum(sums[pair, 1], locked)
        for entry in range(starts[pair], starts[pair + 1]):
            own[entries[1, entry]] = 0


_Stratum = tuple[int, int, int, int, int]


@compiled
def _free_of(exposed: int, with_a: int, reference: NDArray[np.int64], own: NDArray[np.int64]) -> _Stratum:
    """Exposures of a at risk and followed; reference without a, its outcomes, those of them after a later a."""
    return (
        int(exposed - own[OWN_BARRED]),
        int(own[OWN_FOLLOWED]),
        int(reference[0] - (with_a - own[EXPOSED_BARRED])),
        int(reference[1] - own[EXPOSED_FOLLOWED]),
        int(own[LATER_FOLLOWED]),
    )


@compiled
def _add_stratum(sums: NDArray[np.float64], stratum: _Stratum) -> None:
    exposed, followed, others, outcomes, later = stratum
    if exposed <= 0 or others <= 0:
        return
    p = outcomes / others
    sums[0] += followed
    sums[1] += exposed * (outcomes - later) / others
    sums[2] += exposed * later / others
    sums[3] += exposed * p * (1.0 - p)
    sums[4] += exposed * exposed * p * (1.0 - p) / others
