"""The reference of a significant pair without the exposed, stratum by stratum."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.design import HALVES
from experiments.kernels.pairs.reference import EXPOSED, NOT_AT_RISK, OUTCOMES, ReferenceCounts
from experiments.kernels.pairs.significant_counts import (
    EXPOSED_FOLLOWED,
    EXPOSED_NOT_AT_RISK,
    LATER_FOLLOWED,
    OWN_FOLLOWED,
    OWN_NOT_AT_RISK,
    WHAT,
    SignificantCounts,
)

_OUTCOMES_AT_ONCE = 16
ALL, LOCKED, EARLY, LATE = range(4)
"""Whose exposures: everybody's, the locked half's against its own reference, those of earlier or of later strata."""


class ExposureStrata(NamedTuple):
    """Strata in which each code has exposures: those of code i are ``rows[starts[i]:starts[i + 1]]``.

    ``own`` [at, half, 0 exposures of it, 1 exposures of any code by persons who have had it by that day].
    """

    starts: NDArray[np.int64]
    rows: NDArray[np.int64]
    own: NDArray[np.int64]


class PairCells(NamedTuple):
    """Cells of pair i are ``starts[i]`` to ``starts[i + 1]`` of ``cells`` [4, m] and ``counts`` [m], which are those of
    :class:`SignificantCounts`."""

    starts: NDArray[np.int64]
    cells: NDArray[np.int32]
    counts: NDArray[np.int32]


def exposed_removed(
    reference: ReferenceCounts,
    counts: SignificantCounts,
    late: NDArray[np.bool_] | None = None,
    threads: int = 2,
) -> NDArray[np.float64]:
    """Sums over strata for each significant pair: [pair, whose, (O, E before, E after, V, W)].

    ``late`` says which strata are later ones; without it all are earlier ones. The pairs' codes are numbered as
    the reference's columns are.

    The reference of a pair (a, b) is every exposure, of any code, by persons at risk of b who have not had a by
    that day: not the exposures of a alone, since a person who has had a carries its effect into every later
    exposure. Some of them get a later, and b after it: E after is what these contribute to E, E before the
    rest. V = Σ A p(1-p) over the A exposures of a; W = Σ A² p(1-p) / (reference) is the variance of E itself.
    Strata without a reference count neither in O nor in the rest.
    """
    pairs, cells = counts.pairs, reference.cells
    sums = np.zeros((len(pairs), 4, 5))
    if not len(pairs):
        return sums
    exposures = reference.every
    period = np.full(len(cells), EARLY) if late is None else np.where(late, LATE, EARLY)
    starts = np.searchsorted(counts.cells[0], np.arange(len(pairs) + 1))
    entries = PairCells(starts, counts.cells, counts.cell_counts)
    codes_a, place_a = np.unique(pairs[:, 0], return_inverse=True)
    by_outcome = np.argsort(pairs[:, 1], kind="stable")
    ordered = pairs[by_outcome, 1]
    strata = _strata_with(cells, codes_a.astype(np.int64))

    def remove(first: int) -> None:
        low, high = np.searchsorted(ordered, [first, first + _OUTCOMES_AT_ONCE])
        if low == high:
            return
        columns = cells[:, :, :EXPOSED, first : first + _OUTCOMES_AT_ONCE].transpose(3, 0, 1, 2)
        others = columns.astype(np.int64)
        others[..., NOT_AT_RISK] = exposures - others[..., NOT_AT_RISK]
        chosen = by_outcome[low:high]
        places = (pairs[chosen, 1] - first).astype(np.int64)
        _remove(
            chosen,
            places,
            place_a[chosen],
            strata,
            period,
            others,
            entries,
            sums,
        )

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(remove, range(0, cells.shape[3], _OUTCOMES_AT_ONCE)))
    return sums


def _strata_with(cells: NDArray[np.signedinteger], codes: NDArray[np.int64]) -> ExposureStrata:
    """Strata in which each of the codes has exposures, with what the reference says of the code there."""
    present = np.count_nonzero(cells[:, :, EXPOSED].any(axis=1), axis=0)[codes]
    starts = np.zeros(len(codes) + 1, np.int64)
    np.cumsum(present, out=starts[1:])
    rows = np.empty(starts[-1], np.int64)
    own = np.empty((starts[-1], HALVES, 2), np.int64)
    _fill(cells, codes, starts[:-1].copy(), rows, own)
    return ExposureStrata(starts, rows, own)


@compiled
def _fill(
    cells: NDArray[np.signedinteger],
    codes: NDArray[np.int64],
    filled: NDArray[np.int64],
    rows: NDArray[np.int64],
    own: NDArray[np.int64],
) -> None:
    for row in range(cells.shape[0]):
        for place in range(len(codes)):
            code = codes[place]
            if cells[row, 0, EXPOSED, code] > 0 or cells[row, 1, EXPOSED, code] > 0:
                at = filled[place]
                filled[place] += 1
                rows[at] = row
                for half in range(HALVES):
                    own[at, half, 0] = cells[row, half, EXPOSED, code]
                    own[at, half, 1] = cells[row, half, NOT_AT_RISK, code]


@compiled
def _remove(
    chosen: NDArray[np.int64],
    places_b: NDArray[np.int64],
    places_a: NDArray[np.int64],
    exposure_strata: ExposureStrata,
    period: NDArray[np.int64],
    reference: NDArray[np.int64],
    pair_cells: PairCells,
    sums: NDArray[np.float64],
) -> None:
    """Pairs whose outcomes lie in one block of the reference: [outcome, stratum, half, (outcomes, at risk)]."""
    strata_starts, strata, with_a = exposure_strata
    starts, entries, numbers = pair_cells
    own = np.zeros((reference.shape[1], HALVES, WHAT), np.int64)
    for at in range(len(chosen)):
        pair, block = chosen[at], reference[places_b[at]]
        for entry in range(starts[pair], starts[pair + 1]):
            own[entries[1, entry], entries[2, entry], entries[3, entry]] = numbers[entry]
        for place in range(strata_starts[places_a[at]], strata_starts[places_a[at] + 1]):
            row = strata[place]
            opened = _free_of(with_a[place, 0], block[row, 0], own[row, 0])
            locked = _free_of(with_a[place, 1], block[row, 1], own[row, 1])
            _add_stratum(sums[pair, ALL], opened, locked)
            _add_stratum(sums[pair, LOCKED], (0, 0, 0, 0, 0), locked)
            _add_stratum(sums[pair, period[row]], opened, locked)
        for entry in range(starts[pair], starts[pair + 1]):
            own[entries[1, entry]] = 0


_Stratum = tuple[int, int, int, int, int]


@compiled
def _free_of(with_a: NDArray[np.int64], reference: NDArray[np.int64], own: NDArray[np.int64]) -> _Stratum:
    """Exposures of a at risk, followed; reference without a, its outcomes, those of them after a later a."""
    return (
        int(with_a[0] - own[OWN_NOT_AT_RISK]),
        int(own[OWN_FOLLOWED]),
        int(reference[NOT_AT_RISK] - (with_a[1] - own[EXPOSED_NOT_AT_RISK])),
        int(reference[OUTCOMES] - own[EXPOSED_FOLLOWED]),
        int(own[LATER_FOLLOWED]),
    )


@compiled
def _add_stratum(sums: NDArray[np.float64], one: _Stratum, other: _Stratum) -> None:
    exposed, others = one[0] + other[0], one[2] + other[2]
    if exposed <= 0 or others <= 0:
        return
    later = exposed * (one[4] + other[4]) / others
    p = (one[3] + other[3]) / others
    sums[0] += one[1] + other[1]
    sums[1] += exposed * p - later
    sums[2] += later
    sums[3] += exposed * p * (1.0 - p)
    sums[4] += exposed * exposed * p * (1.0 - p) / others
