"""First pass: what usually follows in each stratum, counted over all exposures of all codes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.design import HALVES, PairScanSettings
from experiments.kernels.exposures import ExposureFinder
from experiments.kernels.grouping import batch_of, order_by
from experiments.kernels.persons import Persons
from experiments.kernels.strata import StrataIndex

OUTCOMES, BARRED, EXPOSED = 0, 1, 2
PERSONS_AT_ONCE = 16_384
_INT32_MAX = 2**31 - 1
_ROWS_AT_ONCE = 1_024
_FEWEST_STRATA = 1_024
_RESERVED_BYTES = 1 << 30
"""Counters asked for at once; the system gives memory only to those that are used."""


@dataclass(frozen=True)
class ReferenceCounts:
    """Counts by stratum, half and code; ``cells`` has the axes [stratum, half, what, code].

    ``what`` is 0 for exposures (of any code) followed by the code within the horizon, 1 for exposures not at
    risk of it (it had happened on or before that day, the code itself included), 2 for exposures of the code.
    ``keys`` are stratum keys, ascending once merged; ``persons`` counts persons by half.
    """

    keys: NDArray[np.int64]
    cells: NDArray[np.signedinteger]
    persons: NDArray[np.int64]

    @property
    def exposed(self) -> NDArray[np.int64]:
        """Exposures of each code by stratum and half: [stratum, half, code]."""
        exposed: NDArray[np.int64] = self.cells[:, :, EXPOSED].astype(np.int64)
        return exposed

    def exposures(self) -> NDArray[np.int64]:
        """Exposures of any code by stratum and half."""
        total = np.empty((len(self.keys), HALVES), np.int64)
        _row_sums(self.cells, EXPOSED, total)
        return total

    def outcomes(self, half: int | None = None) -> NDArray[np.int64]:
        """M[s, b]: exposures at risk of b with the outcome, of one half or of both."""
        return self._of(OUTCOMES, half)

    def at_risk(self, half: int | None = None) -> NDArray[np.int64]:
        """N[s, b]: exposures at risk of b, of one half or of both."""
        every = self.exposures()
        exposures = every.sum(axis=1, keepdims=True) if half is None else every[:, half : half + 1]
        return exposures - self._of(BARRED, half)

    def probabilities(self, half: int | None = None, rounder: float = 0.0) -> NDArray[np.float64]:
        """p[s, b] = M / N over everybody, or over one half alone; 0 where nobody is at risk.

        Adding ``rounder`` (1.5 times a power of two) and taking it off rounds p to the grid of doubles there.
        """
        p = np.empty((len(self.keys), self.cells.shape[3]))
        halves = (0, HALVES) if half is None else (half, half + 1)
        _probabilities(self.cells, self.exposures(), *halves, rounder, p)
        return p

    def persons_with(self, half: int | None = None) -> NDArray[np.int64]:
        """Persons who have each code, of one half or of both."""
        persons: NDArray[np.int64] = self._of(EXPOSED, half).sum(axis=0)
        return persons

    def _of(self, what: int, half: int | None) -> NDArray[np.int64]:
        part = self.cells[:, :, what] if half is None else self.cells[:, half : half + 1, what]
        total: NDArray[np.int64] = part.sum(axis=1, dtype=np.int64)
        return total

    @staticmethod
    def merge(counts: list[ReferenceCounts]) -> ReferenceCounts:
        """Sum of counts over disjoint sets of persons, aligned by stratum."""
        keys = np.unique(np.concatenate([part.keys for part in counts]))
        if len(counts) == 1 and np.array_equal(keys, counts[0].keys):
            return counts[0]
        persons = np.sum([part.persons for part in counts], axis=0)
        shape = (len(keys), *counts[0].cells.shape[1:])
        most_exposures = int(persons.sum()) * shape[3]
        cells = np.zeros(shape, np.int32 if most_exposures <= _INT32_MAX else np.int64)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda rows: _add_up(cells, keys, counts, rows), _slices(len(keys))))
        return ReferenceCounts(keys, cells, persons)

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Arrays that ``from_arrays`` turns back into these counts."""
        return {"keys": self.keys, "cells": self.cells, "persons": self.persons}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> ReferenceCounts:
        """Counts from what ``to_arrays`` gave."""
        return cls(**arrays)  # type: ignore[arg-type]


class ReferencePass:
    """Counts ``ReferenceCounts`` over batches of persons."""

    def __init__(self, settings: PairScanSettings) -> None:
        self._settings = settings
        self._finder = ExposureFinder(settings)
        self._strata = StrataIndex()
        room = max(_FEWEST_STRATA, _RESERVED_BYTES // (4 * HALVES * 3 * settings.n_codes))
        self._cells = np.zeros((room, HALVES, 3, settings.n_codes), np.int32)
        self._persons = np.zeros(HALVES, np.int64)

    def add(self, persons: Persons) -> None:
        """Count a batch of whole persons; each person belongs to exactly one batch."""
        for start in range(0, persons.count, PERSONS_AT_ONCE):
            self._add(persons.part(start, min(start + PERSONS_AT_ONCE, persons.count)))

    def result(self) -> ReferenceCounts:
        """Everything counted so far, strata in order of encounter (``merge`` puts them in order of keys)."""
        count = self._strata.count
        return ReferenceCounts(self._strata.keys.copy(), self._cells[:count], self._persons.copy())

    def _add(self, persons: Persons) -> None:
        exposures = self._finder.find(persons)
        rows = self._strata.rows(exposures.keys)
        if self._strata.count > len(self._cells):
            grown = np.zeros((2 * self._strata.count, *self._cells.shape[1:]), np.int32)
            grown[: len(self._cells)] = self._cells
            self._cells = grown
        self._persons += np.bincount(persons.half, minlength=HALVES)
        batch = batch_of(exposures, rows, persons.half, self._settings.horizon_days)
        order, _ = order_by(batch.rows, self._strata.count)
        _count(order, batch.facts, batch.codes, self._cells)


@compiled
def _probabilities(
    cells: NDArray[np.signedinteger],
    exposures: NDArray[np.int64],
    first: int,
    last: int,
    rounder: float,
    p: NDArray[np.float64],
) -> None:
    for row in range(cells.shape[0]):
        for code in range(cells.shape[3]):
            n, m = np.int64(0), np.int64(0)
            for half in range(first, last):
                n += exposures[row, half] - cells[row, half, 1, code]
                m += cells[row, half, 0, code]
            p[row, code] = (m / n + rounder) - rounder if n > 0 else 0.0


@compiled
def _row_sums(cells: NDArray[np.signedinteger], what: int, total: NDArray[np.int64]) -> None:
    """Sums over codes, by stratum and half."""
    for row in range(cells.shape[0]):
        for half in range(cells.shape[1]):
            total[row, half] = cells[row, half, what].sum()


def _slices(rows: int) -> list[slice]:
    """Rows in slices that several threads can share."""
    return [slice(start, start + _ROWS_AT_ONCE) for start in range(0, rows, _ROWS_AT_ONCE)]


def _add_up(
    cells: NDArray[np.signedinteger], keys: NDArray[np.int64], counts: list[ReferenceCounts], rows: slice
) -> None:
    """Add what every part counted in a slice of the strata."""
    for part in counts:
        place = np.searchsorted(keys[rows], part.keys)
        known = np.flatnonzero((place < len(keys[rows])) & (keys[rows].take(place, mode="clip") == part.keys))
        _add_rows(cells[rows], place[known], part.cells, known)


@compiled
def _add_rows(
    total: NDArray[np.signedinteger],
    rows: NDArray[np.int64],
    part: NDArray[np.signedinteger],
    part_rows: NDArray[np.int64],
) -> None:
    for at in range(len(rows)):
        total[rows[at]] += part[part_rows[at]]


@compiled
def _count(
    order: NDArray[np.uint32],
    facts: NDArray[np.uint32],
    codes: NDArray[np.uint32],
    cells: NDArray[np.int32],
) -> None:
    """Every ordered pair of a person's first days once, stratum by stratum."""
    for at in range(len(order)):
        fact = facts[order[at]]
        counts = cells[fact[5], fact[7]]
        outcomes, barred = counts[0], counts[1]
        for other in range(fact[0], fact[2]):
            barred[codes[other]] += 1
        for other in range(fact[2], fact[3]):
            outcomes[codes[other]] += 1
        counts[2, fact[6]] += 1
