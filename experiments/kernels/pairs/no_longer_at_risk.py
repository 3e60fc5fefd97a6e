"""Everything a pair scan counts that does not depend on what usually follows, so that it can be kept and added to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.design import HALVES, PairScanSettings
from experiments.kernels.exposures import ExposureFinder, Exposures
from experiments.kernels.pairs.reference import NOT_AT_RISK, OUTCOMES, PERSONS_AT_ONCE, ReferenceCounts
from experiments.kernels.persons import Persons

MOST_CODES = 1 << 15
_HELD = 1 << 24
_OUTCOMES_AT_ONCE = 32


class GroupedCells(NamedTuple):
    """Sparse counts in groups: ``groups`` [g] ascending, each with the entries ``starts[i]`` to ``starts[i + 1]`` of
    ``what`` [m] and ``numbers`` [m]; see :class:`NoLongerAtRiskCounts` for what they say."""

    groups: NDArray[np.int64]
    starts: NDArray[np.int64]
    what: NDArray[np.uint16]
    numbers: NDArray[np.int32]

    @classmethod
    def room(cls, groups: int, entries: int) -> GroupedCells:
        """Empty arrays for at most so many groups and entries."""
        return cls(
            np.empty(groups, np.int64),
            np.zeros(groups + 1, np.int64),
            np.empty(entries, np.uint16),
            np.empty(entries, np.int32),
        )

    def filled(self, groups: int, entries: int) -> GroupedCells:
        """The first groups and entries, sharing memory."""
        return GroupedCells(
            self.groups[:groups], self.starts[: groups + 1], self.what[:entries], self.numbers[:entries]
        )


@dataclass(frozen=True)
class NoLongerAtRiskCounts:
    """Additive over persons, and free of any reference.

    ``preceded`` [b, a, half] and ``beside`` [b, a] as in the pair scan. The rest counts exposures of a in a stratum
    by persons no longer at risk of b, for each such cell that occurs: ``groups`` are outcome b and stratum key
    (b in the upper 32 bits), ascending; the cells of group i are ``starts[i]`` to ``starts[i + 1]``; ``what`` is
    twice a, one more for the locked half, ascending in a group; ``numbers`` are the counts. In this order weighing
    is one walk that stays with one outcome's sums.
    """

    preceded: NDArray[np.int32]
    beside: NDArray[np.int32]
    groups: NDArray[np.int64]
    starts: NDArray[np.int64]
    what: NDArray[np.uint16]
    numbers: NDArray[np.int32]

    @property
    def cells(self) -> GroupedCells:
        """The sparse part."""
        return GroupedCells(self.groups, self.starts, self.what, self.numbers)

    @staticmethod
    def merge(counts: list[NoLongerAtRiskCounts]) -> NoLongerAtRiskCounts:
        """Sum of counts over disjoint sets of persons."""
        parts = list(counts)
        while len(parts) > 1:
            parts = [
                parts[at].plus(parts[at + 1]) if at + 1 < len(parts) else parts[at]
                for at in range(0, len(parts), 2)
            ]
        return parts[0]

    def plus(self, other: NoLongerAtRiskCounts, sign: int = 1) -> NoLongerAtRiskCounts:
        """With the persons of ``other``, or (``sign`` -1) without them; cells that come to 0 are gone."""
        room = GroupedCells.room(len(self.groups) + len(other.groups), len(self.what) + len(other.what))
        filled = room.filled(*_merge(self.cells, other.cells, sign, room))
        return NoLongerAtRiskCounts(
            self.preceded + sign * other.preceded, self.beside + sign * other.beside, *filled
        )

    def renumbered(self, places: NDArray[np.int64], n_codes: int) -> NoLongerAtRiskCounts:
        """The same under other numbers: code i is now ``places[i]``, which ascend, of ``n_codes``."""
        preceded = np.zeros((n_codes, n_codes, HALVES), np.int32)
        beside = np.zeros((n_codes, n_codes), np.int32)
        preceded[np.ix_(places, places)] = self.preceded
        beside[np.ix_(places, places)] = self.beside
        groups = places[self.groups >> 32] << 32 | self.groups & 0xFFFFFFFF
        what = (places.astype(np.uint16) << 1)[self.what >> 1] | self.what & np.uint16(1)
        return replace(self, preceded=preceded, beside=beside, groups=groups, what=what)

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Arrays that ``from_arrays`` turns back into these counts; groups tell their sizes, which are small."""
        arrays = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "starts"}
        return arrays | {"sizes": np.diff(self.starts).astype(np.int32)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> NoLongerAtRiskCounts:
        """Counts from what ``to_arrays`` gave."""
        given: dict[str, NDArray[Any]] = dict(arrays)
        sizes = given.pop("sizes")
        starts = np.zeros(len(sizes) + 1, np.int64)
        np.cumsum(sizes, out=starts[1:])
        return cls(starts=starts, **given)

    def negative(self) -> NoLongerAtRiskCounts:
        """What takes these persons off where it is added."""
        return replace(self, preceded=-self.preceded, beside=-self.beside, numbers=-self.numbers)


def weighed(
    parts: list[NoLongerAtRiskCounts], reference: ReferenceCounts, rounder: float, threads: int = 2
) -> NDArray[np.float64]:
    """``not_at_risk`` of the pair scan, [b, a, (Σ p, Σ p(1-p), open half Σ p, Σ p(1-p))], against a reference.

    ``parts`` are summed on the way. p lies on the grid of ``rounder``, on which every sum is exact: the order of
    adding does not matter. The reference knows every stratum in which anything is left of the sum.
    """
    n = len(parts[0].beside)
    out = np.zeros((n, n, 4))

    def weigh(first: int) -> None:
        last = min(first + _OUTCOMES_AT_ONCE, n)
        p = np.empty((last - first, len(reference.keys), HALVES))
        _chances(reference.cells, reference.every, first, rounder, p)
        for part in parts:
            low, high = np.searchsorted(part.groups, [first << 32, last << 32])
            cells = part.cells._replace(groups=part.groups[low:high], starts=part.starts[low : high + 1])
            _weigh(cells, reference.keys, first, p, rounder, out)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(weigh, range(0, n, _OUTCOMES_AT_ONCE)))
    return out


def add_up(
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sum of sparse counts: cells that occur, ascending, and their numbers; those that come to 0 are gone.

    Each part is (cells [entry], numbers [entry]), and so is what is returned.
    """
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


class NoLongerAtRiskPass:
    """Counts ``NoLongerAtRiskCounts`` over batches of persons."""

    COUNTS: ClassVar[type[NoLongerAtRiskCounts]] = NoLongerAtRiskCounts

    def __init__(self, settings: PairScanSettings) -> None:
        n = settings.n_codes
        if n > MOST_CODES:
            raise ValueError(f"counts can be kept for at most {MOST_CODES} codes")
        self._settings = settings
        self._finder = ExposureFinder(settings)
        self._preceded, self._beside = np.zeros((n, n, HALVES), np.int32), np.zeros((n, n), np.int32)
        self._loose: list[NDArray[np.int64]] = []
        self._held = 0
        self._runs: list[NoLongerAtRiskCounts] = []

    def add(self, persons: Persons) -> None:
        """Count a batch of whole persons."""
        for start in range(0, persons.count, PERSONS_AT_ONCE):
            self._add(persons.part(start, min(start + PERSONS_AT_ONCE, persons.count)))

    def result(self) -> NoLongerAtRiskCounts:
        """Everything counted so far."""
        self._sort()
        runs = self._runs or [_nothing()]
        whole = runs[-1]
        for run in reversed(runs[:-1]):
            whole = run.plus(whole)
        return replace(whole, preceded=self._preceded, beside=self._beside)

    def _add(self, persons: Persons) -> None:
        exposures = self._finder.find(persons)
        sizes = np.diff(exposures.offsets)
        out = np.empty(int((sizes * sizes).sum()), np.int64)
        found = _count(
            exposures,
            persons.half,
            self._settings.horizon_days,
            self._preceded,
            self._beside,
            out,
        )
        self._loose.append(out[:found].copy())
        self._held += found
        if self._held > _HELD:
            self._sort()

    def _sort(self) -> None:
        """Loose cells become a sorted run; runs of like size are merged, so that each cell is moved few times."""
        if not self._held:
            return
        cells = np.concatenate(self._loose)
        self._loose, self._held = [], 0
        cells.sort()
        room = GroupedCells.room(len(cells), len(cells))
        filled = room.filled(*_run_lengths(cells, room))
        self._runs.append(
            replace(_nothing(), **{name: array.copy() for name, array in filled._asdict().items()})
        )
        while len(self._runs) > 1 and len(self._runs[-2].what) <= 2 * len(self._runs[-1].what):
            last = self._runs.pop()
            self._runs.append(self._runs.pop().plus(last))


def _nothing() -> NoLongerAtRiskCounts:
    """Counts of nobody, of no code."""
    none = GroupedCells.room(0, 0)
    return NoLongerAtRiskCounts(np.zeros((0, 0, HALVES), np.int32), np.zeros((0, 0), np.int32), *none)


@compiled
def _count(
    exposures: Exposures,
    halves: NDArray[np.int8],
    horizon: int,
    preceded: NDArray[np.int32],
    beside: NDArray[np.int32],
    out: NDArray[np.int64],
) -> int:
    """Cells one by one: outcome, stratum key, exposure and half in one integer."""
    offsets, codes, days, keys, starts = exposures
    found = 0
    for person in range(len(offsets) - 1):
        start, end, half = offsets[person], offsets[person + 1], np.int64(halves[person])
        for exposure in range(starts[person], end):
            a, day = np.int64(codes[exposure]), np.int64(days[exposure])
            for other in range(start, end):
                b, lag = np.int64(codes[other]), np.int64(days[other]) - day
                if lag > horizon:
                    break
                if lag > 0:
                    preceded[b, a, half] += 1
                    continue
                if lag == 0 and other != exposure:
                    beside[b, a] += 1
                out[found] = b << 48 | keys[exposure] << 16 | a << 1 | half
                found += 1
    return found


@compiled
def _run_lengths(cells: NDArray[np.int64], out: GroupedCells) -> tuple[int, int]:
    """Sorted cells as groups of counted entries; how many of both."""
    groups, starts, what, numbers = out
    used, count = 0, 0
    last, group = np.int64(-1), np.int64(-1)
    for at in range(len(cells)):
        cell = cells[at]
        if cell == last:
            numbers[count - 1] += 1
            continue
        last = cell
        if cell >> 16 != group:
            group = cell >> 16
            groups[used], starts[used] = group, count
            used += 1
        what[count], numbers[count] = cell & 0xFFFF, 1
        count += 1
    starts[used] = count
    return used, count


@compiled
def _merge(
    first_cells: GroupedCells, second_cells: GroupedCells, sign: int, out: GroupedCells
) -> tuple[int, int]:
    """Both in one walk; groups that only the first has, up to the next of the second, are copied together."""
    groups_1, starts_1, what_1, numbers_1 = first_cells
    groups_2, starts_2, what_2, numbers_2 = second_cells
    groups, starts, what, numbers = out
    used, count, one, two = 0, 0, 0, 0
    while one < len(groups_1) or two < len(groups_2):
        if two == len(groups_2) or (one < len(groups_1) and groups_1[one] < groups_2[two]):
            stop = one + 1
            while stop < len(groups_1) and (two == len(groups_2) or groups_1[stop] < groups_2[two]):
                stop += 1
            low, shift = starts_1[one], count - starts_1[one]
            for group in range(one, stop):
                groups[used], starts[used] = groups_1[group], starts_1[group] + shift
                used += 1
            for at in range(low, starts_1[stop]):
                what[at + shift], numbers[at + shift] = what_1[at], numbers_1[at]
            count += starts_1[stop] - low
            one = stop
            continue
        group, first = groups_2[two], count
        at_1, end_1 = 0, 0
        if one < len(groups_1) and groups_1[one] == group:
            at_1, end_1 = starts_1[one], starts_1[one + 1]
            one += 1
        at_2, end_2 = starts_2[two], starts_2[two + 1]
        two += 1
        while at_1 < end_1 or at_2 < end_2:
            if at_2 == end_2 or (at_1 < end_1 and what_1[at_1] < what_2[at_2]):
                what[count], numbers[count] = what_1[at_1], numbers_1[at_1]
                at_1 += 1
            elif at_1 == end_1 or what_2[at_2] < what_1[at_1]:
                what[count], numbers[count] = what_2[at_2], sign * numbers_2[at_2]
                at_2 += 1
            else:
                what[count], numbers[count] = what_1[at_1], numbers_1[at_1] + sign * numbers_2[at_2]
                at_1 += 1
                at_2 += 1
            if numbers[count] != 0:
                count += 1
        if count > first:
            groups[used], starts[used] = group, first
            used += 1
    starts[used] = count
    return used, count


@compiled
def _chances(
    cells: NDArray[np.signedinteger],
    every: NDArray[np.int64],
    first: int,
    rounder: float,
    p: NDArray[np.float64],
) -> None:
    """p of some outcomes by [outcome, stratum, 0 everybody or 1 the open half]."""
    for row in range(len(every)):
        for at in range(p.shape[0]):
            code = first + at
            open_n = every[row, 0] - cells[row, 0, NOT_AT_RISK, code]
            open_m = np.int64(cells[row, 0, OUTCOMES, code])
            n = open_n + every[row, 1] - cells[row, 1, NOT_AT_RISK, code]
            m = open_m + cells[row, 1, OUTCOMES, code]
            p[at, row, 0] = (m / n + rounder) - rounder if n > 0 else 0.0
            p[at, row, 1] = (open_m / open_n + rounder) - rounder if open_n > 0 else 0.0


@compiled
def _weigh(
    cells: GroupedCells,
    keys: NDArray[np.int64],
    first: int,
    p: NDArray[np.float64],
    rounder: float,
    out: NDArray[np.float64],
) -> None:
    """A stratum that the reference does not know is one in which nothing is left: it is passed over.

    Both halves add four numbers, the locked one zeros to the open half's sums: halves alternate without a pattern,
    and a wrongly guessed branch would cost more than both additions.
    """
    groups, starts, what, numbers = cells
    row, last = 0, -1
    weights = np.zeros((HALVES, 4))
    for group in range(len(groups)):
        b, key = groups[group] >> 32, groups[group] & 0xFFFFFFFF
        if b != last:
            row, last = 0, b
        while row < len(keys) and keys[row] < key:
            row += 1
        if row == len(keys) or keys[row] != key:
            continue
        sums, chance, chance_open = out[b], p[b - first, row, 0], p[b - first, row, 1]
        weights[0, 0] = weights[1, 0] = chance
        weights[0, 1] = weights[1, 1] = (chance * (1.0 - chance) + rounder) - rounder
        weights[0, 2] = chance_open
        weights[0, 3] = (chance_open * (1.0 - chance_open) + rounder) - rounder
        for at in range(starts[group], starts[group + 1]):
            entry, number = what[at], np.float64(numbers[at])
            a, half = entry >> 1, entry & 1
            sums[a, 0] += number * weights[half, 0]
            sums[a, 1] += number * weights[half, 1]
            sums[a, 2] += number * weights[half, 2]
            sums[a, 3] += number * weights[half, 3]
