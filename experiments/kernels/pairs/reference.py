"""First pass: what usually follows in each stratum, counted over all exposures of all codes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.design import HALVES, PairScanSettings
from experiments.kernels.exposures import ExposureFinder, Exposures
from experiments.kernels.packing import ESCAPE, PackedArray, escaped, unpack
from experiments.kernels.pairs.grouping import Block, batch_of, order_by, within
from experiments.kernels.persons import Persons
from experiments.kernels.strata import StrataIndex

OUTCOMES, NOT_AT_RISK, EXPOSED, EARLIER = 0, 1, 2, 3
WHAT = 4
PERSONS_AT_ONCE = 16_384
_INT32_MAX = 2**31 - 1
_ROWS_AT_ONCE = 1_024
_FEWEST_STRATA = 1_024
_FINEST_SHIFT = 45
_DOUBLE_BITS = 52
_RESERVED_BYTES = 1 << 30
"""Counters asked for at once; the system gives memory only to those that are used."""


@dataclass(frozen=True)
class ReferenceCounts:
    """Counts by stratum, half and code; ``cells`` has the axes [stratum, half, what, code].

    ``what`` is 0 for exposures (of any code) followed by the code within the horizon, 1 for exposures not at
    risk of it (it had happened on or before that day, the code itself included), 2 for exposures of the code, 3 for
    exposures (of any code) that the persons of these exposures had in the same stratum on earlier days.
    ``keys`` are stratum keys, ascending once merged; ``persons`` counts persons by half, ``every`` exposures of
    any code by stratum and half, ``crowd`` the same, each as often as its person has exposures in the stratum. The codes
    may be a block of all, from ``low``.
    """

    keys: NDArray[np.int64]
    cells: NDArray[np.signedinteger]
    persons: NDArray[np.int64]
    every: NDArray[np.int64]
    crowd: NDArray[np.int64]
    low: int = 0

    @property
    def exposed(self) -> NDArray[np.int64]:
        """Exposures of each code by stratum and half: [stratum, half, code]."""
        exposed: NDArray[np.int64] = self.cells[:, :, EXPOSED].astype(np.int64)
        return exposed

    @property
    def block(self) -> Block:
        """The codes counted."""
        return self.low, self.low + self.cells.shape[3]

    def outcomes(self, half: int | None = None) -> NDArray[np.int64]:
        """M[s, b]: exposures at risk of b with the outcome, of one half or of both."""
        return self._of(OUTCOMES, half)

    def at_risk(self, half: int | None = None) -> NDArray[np.int64]:
        """N[s, b]: exposures at risk of b, of one half or of both."""
        every = self.every
        exposures = every.sum(axis=1, keepdims=True) if half is None else every[:, half : half + 1]
        return exposures - self._of(NOT_AT_RISK, half)

    def probabilities(self, half: int | None = None, rounder: float = 0.0) -> NDArray[np.float64]:
        """p[s, b] = M / N over everybody, or over one half alone; 0 where nobody is at risk.

        Adding ``rounder`` (1.5 times a power of two) and taking it off rounds p to the grid of doubles there.
        """
        p = np.empty((len(self.keys), self.cells.shape[3]))
        halves = (0, HALVES) if half is None else (half, half + 1)
        _probabilities(self.cells, self.every, *halves, rounder, p)
        return p

    def persons_with(self, half: int | None = None) -> NDArray[np.int64]:
        """Persons who have each code, of one half or of both.

        Returns [code].
        """
        persons: NDArray[np.int64] = self._of(EXPOSED, half).sum(axis=0)
        return persons

    def own_shares(self, half: int | None = None) -> OwnShares:
        """How much of each code's reference is of persons who have the code, over everybody or over one half."""
        halves = (0, HALVES) if half is None else (half, half + 1)
        rounder = rounder_for(self.persons)
        return OwnShares(*_own_shares(self.cells, self.every, self.crowd, *halves, rounder))

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
        merged = _empty(keys, counts, counts[0].cells.shape)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda rows: _add_up(merged.cells, keys, counts, rows), _slices(len(keys))))
        return merged

    @staticmethod
    def merge_packed(parts: list[list[PackedArray]]) -> ReferenceCounts:
        """The same from packed counts, whose cells are added without being laid out one part beside another."""
        heads = [
            ReferenceCounts.from_arrays(
                {"cells": np.empty(0, np.int32)} | unpack(a for a in part if a.name != "cells")
            )
            for part in parts
        ]
        cells = [next(array for array in part if array.name == "cells") for part in parts]
        merged = _empty(np.unique(np.concatenate([head.keys for head in heads])), heads, cells[0].shape)
        for head, part in zip(heads, cells, strict=True):
            _add_packed(merged.cells, np.searchsorted(merged.keys, head.keys), part)
        return merged

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Arrays that ``from_arrays`` turns back into these counts."""
        arrays = {name: getattr(self, name) for name in ("keys", "cells", "persons", "every", "crowd")}
        return arrays | {"low": np.array([self.low], np.int64)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> ReferenceCounts:
        """Counts from what ``to_arrays`` gave."""
        return cls(**{**arrays, "low": int(arrays["low"][0])})  # type: ignore[arg-type]


class ReferencePass:
    """Counts ``ReferenceCounts`` over batches of persons, of all codes or of a block of them."""

    COUNTS: ClassVar[type[ReferenceCounts]] = ReferenceCounts

    def __init__(self, settings: PairScanSettings, block: Block | None = None) -> None:
        self._settings = settings
        self._finder = ExposureFinder(settings)
        self._strata = StrataIndex()
        self._block = block
        self._low, high = block or (0, settings.n_codes)
        width = high - self._low
        room = max(_FEWEST_STRATA, _RESERVED_BYTES // (4 * HALVES * WHAT * width))
        self._cells = np.zeros((room, HALVES, WHAT, width), np.int32)
        self._every, self._crowd = np.zeros((2, room, HALVES), np.int64)
        self._persons = np.zeros(HALVES, np.int64)

    def add(self, persons: Persons) -> None:
        """Count a batch of whole persons; each person belongs to exactly one batch."""
        for start in range(0, persons.count, PERSONS_AT_ONCE):
            self._add(persons.part(start, min(start + PERSONS_AT_ONCE, persons.count)))

    def result(self) -> ReferenceCounts:
        """Everything counted so far, strata in order of encounter (``merge`` puts them in order of keys)."""
        count = self._strata.count
        keys = self._strata.keys.copy()
        every, crowd = self._every[:count].copy(), self._crowd[:count].copy()
        return ReferenceCounts(keys, self._cells[:count], self._persons.copy(), every, crowd, self._low)

    def _add(self, persons: Persons) -> None:
        exposures = self._finder.find(persons)
        rows = self._strata.rows(exposures.keys)
        if self._strata.count > len(self._cells):
            more = np.zeros((self._strata.count // 2, *self._cells.shape[1:]), np.int32)
            self._cells = np.concatenate([self._cells, more])
            none = np.zeros(more.shape[:2], np.int64)
            self._every, self._crowd = (np.concatenate([each, none]) for each in (self._every, self._crowd))
        self._persons += np.bincount(persons.half, minlength=HALVES)
        batch = batch_of(exposures, rows, persons.half, self._settings.horizon_days)
        order, _ = order_by(batch.rows, self._strata.count)
        if self._settings.washout_days:
            order = order[exposures.counted[order]]
        if self._block:
            batch = within(batch, self._block)
        earlier = np.empty(len(rows), np.int32)
        _earlier(exposures, rows, persons.half, np.zeros(self._strata.count, np.int32), earlier, self._crowd)
        _count(order, batch.facts, batch.codes, earlier, self._cells, self._every)


def rounder_for(persons: NDArray[np.int64]) -> float:
    """Adding this and taking it off rounds a number below 1 to the grid of :func:`shift_for`.

    ``persons`` [half].
    """
    return float(1.5 * 2.0 ** (_DOUBLE_BITS - shift_for(persons)))


def shift_for(persons: NDArray[np.int64]) -> int:
    """Bits behind the point that leave sums over so many persons exact in a double.

    ``persons`` [half].
    """
    return min(_FINEST_SHIFT, _DOUBLE_BITS - int(persons.sum()).bit_length())


class OwnShares(NamedTuple):
    """How much of each code's reference is of persons who have the code, weighted as the expectation weights strata.

    ``own`` [code] is the share, stratum by stratum, of all exposures of persons who had the code by that day or get it in
    the stratum; 1 where the code has no exposure. ``shared`` [code] is the same of what is left of the reference once
    one exposed person is taken out of it, on average: what O and E have in common beyond the one person whom the
    variance p(1-p), estimated in the stratum, lacks already; 0 where nothing is left.
    """

    own: NDArray[np.float64]
    shared: NDArray[np.float64]


@compiled
def _own_shares(
    cells: NDArray[np.signedinteger],
    exposures: NDArray[np.int64],
    crowds: NDArray[np.int64],
    first: int,
    last: int,
    rounder: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Multiples of the grid add up exactly, in whatever order strata come."""
    codes = cells.shape[3]
    weighted, freed, total = np.zeros(codes), np.zeros(codes), np.zeros(codes)
    for row in range(len(exposures)):
        every, crowd = np.int64(0), np.int64(0)
        for half in range(first, last):
            every += exposures[row, half]
            crowd += crowds[row, half]
        if every <= 0:
            continue
        one = crowd / every / every
        for code in range(codes):
            count, own = np.int64(0), np.int64(0)
            for half in range(first, last):
                count += cells[row, half, EXPOSED, code]
            if count <= 0:
                continue
            for half in range(first, last):
                own += np.int64(cells[row, half, NOT_AT_RISK, code]) + cells[row, half, EARLIER, code]
            share = own / every
            beyond = (share - one) / (1.0 - one) if share > one and one < 1.0 else 0.0
            weighted[code] += count * ((share + rounder) - rounder)
            freed[code] += count * ((beyond + rounder) - rounder)
            total[code] += count
    for code in range(codes):
        weighted[code] = weighted[code] / total[code] if total[code] > 0 else 1.0
        freed[code] = freed[code] / total[code] if total[code] > 0 else 0.0
    return weighted, freed


@compiled
def _earlier(
    exposures: Exposures,
    rows: NDArray[np.int32],
    halves: NDArray[np.int8],
    met: NDArray[np.int32],
    earlier: NDArray[np.int32],
    crowd: NDArray[np.int64],
) -> None:
    """Exposures of the same person in the same stratum, on earlier days and in all; ``met`` [stratum] is left at 0."""
    offsets, _, days, _, starts = exposures
    for person in range(len(offsets) - 1):
        start, end = starts[person], offsets[person + 1]
        first = start
        while first < end:
            later = first
            while later < end and days[later] == days[first]:
                earlier[later] = met[rows[later]]
                later += 1
            for at in range(first, later):
                met[rows[at]] += 1
            first = later
        for at in range(start, end):
            crowd[rows[at], halves[person]] += met[rows[at]]
        for at in range(start, end):
            met[rows[at]] = 0


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


def _empty(keys: NDArray[np.int64], counts: list[ReferenceCounts], shape: tuple[int, ...]) -> ReferenceCounts:
    """Counts of nobody in all strata, but with the persons and exposures of every part; no cell exceeds the exposures."""
    if len({part.low for part in counts}) != 1:
        raise ValueError("counts of different blocks of codes do not add up")
    every, crowd = np.zeros((2, len(keys), HALVES), np.int64)
    for part in counts:
        rows = np.searchsorted(keys, part.keys)
        every[rows] += part.every
        crowd[rows] += part.crowd
    kind = np.int32 if int(np.abs(every).sum()) <= _INT32_MAX else np.int64
    persons = np.sum([part.persons for part in counts], axis=0)
    return ReferenceCounts(
        keys, np.zeros((len(keys), *shape[1:]), kind), persons, every, crowd, counts[0].low
    )


def _add_packed(total: NDArray[np.signedinteger], rows: NDArray[np.int64], cells: PackedArray) -> None:
    """Add the cells of one part at their rows."""
    apart = escaped(cells)
    if apart is None:
        array: NDArray[Any] = unpack([cells])["cells"]
        _add_rows(total, rows, array, np.arange(len(rows)))
        return
    small, places, values = apart
    small = small.reshape(cells.shape)
    with ThreadPoolExecutor(HALVES) as pool:
        list(pool.map(lambda half: _add_small(total[:, half], rows, small[:, half]), range(HALVES)))
    width = int(np.prod(cells.shape[1:]))
    row, rest = np.divmod(places, width)
    total.reshape(-1)[rows[row] * width + rest] += values


@compiled
def _add_small(total: NDArray[np.signedinteger], rows: NDArray[np.int64], small: NDArray[np.uint8]) -> None:
    """Add one byte a cell, leaving out what stands elsewhere."""
    for at in range(len(rows)):
        for what in range(small.shape[1]):
            for code in range(small.shape[2]):
                number = small[at, what, code]
                if number != ESCAPE:
                    total[rows[at], what, code] += number


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
    earlier: NDArray[np.int32],
    cells: NDArray[np.int32],
    every: NDArray[np.int64],
) -> None:
    """Every exposure with the person's other first days, stratum by stratum."""
    for at in range(len(order)):
        fact = facts[order[at]]
        counts = cells[fact[5], fact[7]]
        outcomes, not_at_risk = counts[0], counts[1]
        for other in range(fact[0], fact[2]):
            not_at_risk[codes[other]] += 1
        for other in range(fact[2], fact[3]):
            outcomes[codes[other]] += 1
        every[fact[5], fact[7]] += 1
        if fact[6] < counts.shape[1]:
            counts[2, fact[6]] += 1
            counts[3, fact[6]] += earlier[order[at]]
