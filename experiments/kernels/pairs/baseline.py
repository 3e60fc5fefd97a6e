"""What usually follows in each stratum, as the second pass needs it: small enough to send, exact where it is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.design import HALVES
from experiments.kernels.packing import shrink
from experiments.kernels.pairs.grouping import Block
from experiments.kernels.pairs.reference import (
    NOT_AT_RISK,
    OUTCOMES,
    ReferenceCounts,
    rounder_for,
    shift_for,
)

_KINDS = 2
_ROWS_AT_ONCE = 4


@dataclass(frozen=True)
class Baseline:
    """Outcomes and exposures not at risk of the reference, one byte each where they are small.

    ``small`` [stratum, half, 0 outcomes or 1 not at risk, code]; where it is ``packing.ESCAPE`` the count stands in
    ``values`` at the same position as the flat index in ``places`` (ascending). Where too many counts are
    large, ``small`` holds them all as they are and ``places`` is empty. ``exposures`` [stratum, half]
    counts exposures of any code, ``persons`` those of each half, ``keys`` are the strata's. The codes are those
    of the reference, from ``low``.
    """

    keys: NDArray[np.int64]
    persons: NDArray[np.int64]
    exposures: NDArray[np.int64]
    small: NDArray[Any]
    places: NDArray[np.int64]
    values: NDArray[Any]
    low: int = 0

    @property
    def block(self) -> Block:
        """The codes whose outcomes these are."""
        return self.low, self.low + self.small.shape[3]

    @classmethod
    def of(cls, reference: ReferenceCounts) -> Baseline:
        """What the second pass needs of a merged reference."""
        cells = reference.cells[:, :, : NOT_AT_RISK + 1]
        counts = np.ascontiguousarray(cells).reshape(-1)
        small = np.empty(counts.size, np.uint8)
        places = np.empty(counts.size // (8 + counts.itemsize) + 1, np.int64)
        found = shrink(counts, small, places)
        places = places[: max(found, 0)].copy()
        return cls(
            reference.keys,
            reference.persons,
            reference.every,
            (small if found >= 0 else counts).reshape(cells.shape),
            places,
            counts[places],
            reference.low,
        )

    @property
    def shift(self) -> int:
        """Probabilities are multiples of 2**-shift: coarse enough for every sum over persons to be exact."""
        return shift_for(self.persons)

    @property
    def rounder(self) -> float:
        """Adding this and taking it off rounds a number below 1 to that grid."""
        return rounder_for(self.persons)

    def probabilities(self, rows: NDArray[np.int32]) -> NDArray[np.float64]:
        """p by [code, place in ``rows``, 0 everybody or 1 the open half], on the grid; 0 where nobody is at risk."""
        out = np.empty((self.small.shape[3], len(rows), HALVES))
        _probabilities(
            self.small,
            self.places,
            self.values,
            rows,
            self.exposures,
            self.rounder,
            self.small.itemsize == 1,
            out,
        )
        return out


@compiled
def _probabilities(
    small: NDArray[Any],
    places: NDArray[np.int64],
    values: NDArray[Any],
    rows: NDArray[np.int32],
    exposures: NDArray[np.int64],
    rounder: float,
    escaped: bool,
    out: NDArray[np.float64],
) -> None:
    """A few strata at a time, so that what is written for one code lies together."""
    n, width = small.shape[3], HALVES * _KINDS * small.shape[3]
    counts = np.empty((_ROWS_AT_ONCE, HALVES, _KINDS, n), np.int64)
    for low in range(0, len(rows), _ROWS_AT_ONCE):
        held = min(_ROWS_AT_ONCE, len(rows) - low)
        for at in range(held):
            row = np.int64(rows[low + at])
            counts[at] = small[row]
            if escaped:
                flat = counts[at].reshape(width)
                place = np.searchsorted(places, row * width)
                while place < len(places) and places[place] < (row + 1) * width:
                    flat[places[place] - row * width] = values[place]
                    place += 1
        for code in range(n):
            for at in range(held):
                row = rows[low + at]
                open_n = exposures[row, 0] - counts[at, 0, NOT_AT_RISK, code]
                total = open_n + exposures[row, 1] - counts[at, 1, NOT_AT_RISK, code]
                open_m = counts[at, 0, OUTCOMES, code]
                m = open_m + counts[at, 1, OUTCOMES, code]
                out[code, low + at, 0] = (m / total + rounder) - rounder if total > 0 else 0.0
                out[code, low + at, 1] = (open_m / open_n + rounder) - rounder if open_n > 0 else 0.0
