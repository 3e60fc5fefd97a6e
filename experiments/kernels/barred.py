"""Everything a pair scan counts that does not depend on what usually follows, so that it can be kept and added to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.design import HALVES, PairScanSettings
from experiments.kernels.exposures import ExposureFinder
from experiments.kernels.persons import Persons

MOST_CODES = 1 << 15
_HELD = 1 << 24


@dataclass(frozen=True)
class BarredCounts:
    """Additive over persons, and free of any reference.

    ``followed`` [a, b, half] and ``same_day`` [a, b] as in the pair scan. ``cells`` (ascending) and ``numbers``:
    exposures of a in a stratum by persons no longer at risk of b, one entry for each such cell that occurs:
    stratum key, a, b and half packed into one integer.
    """

    followed: NDArray[np.int32]
    same_day: NDArray[np.int32]
    cells: NDArray[np.int64]
    numbers: NDArray[np.int64]

    @staticmethod
    def merge(counts: list[BarredCounts]) -> BarredCounts:
        """Sum of counts over disjoint sets of persons."""
        return BarredCounts(
            np.sum([part.followed for part in counts], axis=0, dtype=np.int32),
            np.sum([part.same_day for part in counts], axis=0, dtype=np.int32),
            *add_up([(part.cells, part.numbers) for part in counts]),
        )

    def minus(self, other: BarredCounts) -> BarredCounts:
        """Without the persons of ``other``."""
        gone = BarredCounts(-other.followed, -other.same_day, other.cells, -other.numbers)
        return BarredCounts.merge([self, gone])

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Arrays that ``from_arrays`` turns back into these counts."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> BarredCounts:
        """Counts from what ``to_arrays`` gave."""
        return cls(**arrays)  # type: ignore[arg-type]

    def weighed(
        self, keys: NDArray[np.int64], p: NDArray[np.float64], p_open: NDArray[np.float64], rounder: float
    ) -> NDArray[np.float64]:
        """``barred`` of the pair scan, [b, a, (Σ p, Σ p(1-p), open half Σ p, Σ p(1-p))], against a reference.

        ``keys`` are its strata, ``p`` and ``p_open`` [stratum, code] lie on the grid of ``rounder``, on which every
        sum is exact: the order of adding does not matter.
        """
        out = np.zeros((*self.same_day.shape, 4))
        _weigh(self.cells, self.numbers, keys, p, p_open, rounder, out)
        return out


def add_up(
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sum of sparse counts: cells that occur, ascending, and their numbers; those that come to 0 are gone."""
    cells = np.concatenate([part[0] for part in parts])
    numbers = np.concatenate([part[1] for part in parts])
    order = np.argsort(cells, kind="stable")
    cells, numbers = cells[order], numbers[order]
    if not len(cells):
        return cells, numbers
    first = np.flatnonzero(np.concatenate([[True], cells[1:] != cells[:-1]]))
    total = np.add.reduceat(numbers, first)
    kept = total != 0
    return cells[first][kept], total[kept]


class BarredPass:
    """Counts ``BarredCounts`` over batches of persons."""

    COUNTS: ClassVar[type[BarredCounts]] = BarredCounts

    def __init__(self, settings: PairScanSettings) -> None:
        n = settings.n_codes
        if n > MOST_CODES:
            raise ValueError(f"counts can be kept for at most {MOST_CODES} codes")
        self._settings = settings
        self._finder = ExposureFinder(settings)
        self._followed, self._same_day = np.zeros((n, n, HALVES), np.int32), np.zeros((n, n), np.int32)
        self._parts = [(np.empty(0, np.int64), np.empty(0, np.int64))]
        self._held = 0

    def add(self, persons: Persons) -> None:
        """Count a batch of whole persons."""
        exposures = self._finder.find(persons)
        sizes = np.diff(exposures.offsets)
        out = np.empty(int((sizes * sizes).sum()), np.int64)
        found = _count(
            exposures.offsets,
            exposures.codes,
            exposures.days,
            exposures.keys,
            persons.half,
            self._settings.horizon_days,
            self._followed,
            self._same_day,
            out,
        )
        self._parts.append((out[:found], np.ones(found, np.int64)))
        self._held += found
        if self._held > _HELD:
            self._parts, self._held = [add_up(self._parts)], 0

    def result(self) -> BarredCounts:
        """Everything counted so far."""
        return BarredCounts(self._followed, self._same_day, *add_up(self._parts))


@compiled
def _count(
    offsets: NDArray[np.int64],
    codes: NDArray[np.int32],
    days: NDArray[np.int32],
    keys: NDArray[np.int64],
    halves: NDArray[np.int8],
    horizon: int,
    followed: NDArray[np.int32],
    same_day: NDArray[np.int32],
    out: NDArray[np.int64],
) -> int:
    found = 0
    for person in range(len(offsets) - 1):
        start, end, half = offsets[person], offsets[person + 1], np.int64(halves[person])
        for exposure in range(start, end):
            a, day = np.int64(codes[exposure]), np.int64(days[exposure])
            for other in range(start, end):
                b, lag = np.int64(codes[other]), np.int64(days[other]) - day
                if lag > horizon:
                    break
                if lag > 0:
                    followed[a, b, half] += 1
                    continue
                if lag == 0 and other != exposure:
                    same_day[a, b] += 1
                out[found] = keys[exposure] << 31 | a << 16 | b << 1 | half
                found += 1
    return found


@compiled
def _weigh(
    cells: NDArray[np.int64],
    numbers: NDArray[np.int64],
    keys: NDArray[np.int64],
    p: NDArray[np.float64],
    p_open: NDArray[np.float64],
    rounder: float,
    out: NDArray[np.float64],
) -> None:
    row = 0
    for at in range(len(cells)):
        cell, number = cells[at], numbers[at]
        key, a, b = cell >> 31, (cell >> 16) & 0x7FFF, (cell >> 1) & 0x7FFF
        while keys[row] != key:
            row += 1
        chance = p[row, b]
        out[b, a, 0] += number * chance
        out[b, a, 1] += number * ((chance * (1.0 - chance) + rounder) - rounder)
        if cell & 1 == 0:
            chance = p_open[row, b]
            out[b, a, 2] += number * chance
            out[b, a, 3] += number * ((chance * (1.0 - chance) + rounder) - rounder)
