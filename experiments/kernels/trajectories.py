"""Who walked which path: persons whose first days of several codes follow one another, and what came next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.design import HALVES, PairScanSettings, without_washout
from experiments.kernels.exposures import ExposureFinder, Exposures
from experiments.kernels.pairs.reference import PERSONS_AT_ONCE, ReferenceCounts
from experiments.kernels.passes import SummedCounts
from experiments.kernels.persons import Persons
from experiments.kernels.strata import StrataIndex

LONGEST = 5
"""Most codes in a path."""

_FINEST_SHIFT, _DOUBLE_BITS = 45, 52


@dataclass(frozen=True)
class PathCounts(SummedCounts):
    """Counts by candidate path (its last code is the step that is looked at).

    ``at_risk`` and ``stepped`` [path, half]: persons who walked all but the last code and had not had that one by
    then; those of them who had it within the horizon. ``expected`` [path, half, 2]: sums of p and p(1-p) over those
    at risk, p being how often the last code follows comparable exposures; multiples of a power of two, so that
    their order does not matter. ``times`` [path, 2, bin]: days to the step of those who made it, days seen without
    it of those who did not, in bins of ``bin_days`` (0 is the first ``bin_days`` days).
    """

    at_risk: NDArray[np.int64]
    stepped: NDArray[np.int64]
    expected: NDArray[np.float64]
    times: NDArray[np.int32]


class PathTree(NamedTuple):
    """Paths as a prefix tree: ``roots`` [code] is the node a path of that code begins at, -1 for none; then by node its
    code, the path that ends there (-1: none), and its children ``first_child`` to ``end_child``, side by side."""

    roots: NDArray[np.int64]
    code: NDArray[np.int64]
    path: NDArray[np.int64]
    first_child: NDArray[np.int64]
    end_child: NDArray[np.int64]


class StepRisk(NamedTuple):
    """How often a last code follows comparable exposures: ``p`` [stratum, column], ``column`` [code]; ``rounder`` rounds
    p(1-p) to the grid that p lies on."""

    column: NDArray[np.int64]
    p: NDArray[np.float64]
    rounder: float


class StepTimes(NamedTuple):
    """Days: within which a step must follow, the last day anybody could be seen, the width of a bin; and the codes
    (``terminal`` [code]) that end a person's time."""

    horizon: int
    last_day: int
    bin_days: int
    terminal: NDArray[np.bool_]


class _Counters(NamedTuple):
    """What a pass counts into; axes as in :class:`PathCounts`."""

    at_risk: NDArray[np.int64]
    stepped: NDArray[np.int64]
    expected: NDArray[np.float64]
    times: NDArray[np.int32]


class PathPass:
    """Counts ``PathCounts`` of ``paths`` [n, length] (codes, rows in lexicographic order) over batches of persons.

    ``last_day`` is the last day anybody could have been seen; death (``terminal`` codes) ends a person's time. The
    days of a path's codes are their first days: each after the one before, at most ``horizon_days`` later.
    """

    COUNTS: ClassVar[type[PathCounts]] = PathCounts

    def __init__(
        self,
        settings: PairScanSettings,
        reference: ReferenceCounts,
        paths: NDArray[np.int32],
        last_day: int,
        terminal: tuple[int, ...] = (),
        bin_days: int = 7,
    ) -> None:
        final = np.zeros(settings.n_codes, np.bool_)
        final[list(terminal)] = True
        self._times = StepTimes(without_washout(settings).horizon_days, last_day, bin_days, final)
        self._tree = _tree(np.ascontiguousarray(paths, np.int32), settings.n_codes)
        self._finder, self._strata = ExposureFinder(settings), StrataIndex(reference.keys)
        shift = min(_FINEST_SHIFT, _DOUBLE_BITS - int(reference.persons.sum()).bit_length())
        rounder = 1.5 * 2.0 ** (_DOUBLE_BITS - shift)
        lasts = np.unique(paths[:, -1])
        column = np.full(settings.n_codes, -1, np.int64)
        column[lasts] = np.arange(len(lasts))
        p = np.ascontiguousarray(reference.probabilities(rounder=rounder)[:, lasts])
        self._risk = StepRisk(column, p, rounder)
        n, bins = len(paths), settings.horizon_days // bin_days + 1
        self._counters = _Counters(
            np.zeros((n, HALVES), np.int64),
            np.zeros((n, HALVES), np.int64),
            np.zeros((n, HALVES, 2)),
            np.zeros((n, 2, bins), np.int32),
        )
        self._place = np.full(settings.n_codes, -1, np.int64)

    def add(self, persons: Persons) -> None:
        """Count a batch of whole persons, all of whom the reference has seen.

        Raises :class:`ValueError` where a person falls into a stratum the reference does not know.
        """
        for start in range(0, persons.count, PERSONS_AT_ONCE):
            part = persons.part(start, min(start + PERSONS_AT_ONCE, persons.count))
            exposures = self._finder.find(part)
            rows = self._strata.rows(exposures.keys)
            if self._strata.count > len(self._risk.p):
                raise ValueError("the reference was counted over other persons: a stratum is missing")
            _walk(
                exposures,
                rows,
                part.half,
                self._tree,
                self._risk,
                self._times,
                self._place,
                self._counters,
            )

    def result(self) -> PathCounts:
        """Everything counted so far."""
        return PathCounts(*self._counters)


def _tree(paths: NDArray[np.int32], n_codes: int) -> PathTree:
    """Paths [n, length] in lexicographic order as a prefix tree; ValueError where they are in another order."""
    n, length = paths.shape
    if n and (np.lexsort(paths.T[::-1]) != np.arange(n)).any():
        raise ValueError("paths must be in lexicographic order")
    roots = np.full(n_codes, -1, np.int64)
    code: list[NDArray[np.int64]] = []
    path: list[NDArray[np.int64]] = []
    first: list[NDArray[np.int64]] = []
    last: list[NDArray[np.int64]] = []
    made = 0
    starts = [np.flatnonzero(_new(paths[:, : depth + 1])) for depth in range(length)]
    for depth in range(length):
        here = starts[depth]
        base = made + len(here)
        code.append(paths[here, depth].astype(np.int64))
        path.append(here if depth == length - 1 else np.full(len(here), -1, np.int64))
        if depth == 0:
            roots[code[0]] = np.arange(len(here))
        if depth == length - 1:
            first.append(np.zeros(len(here), np.int64))
            last.append(np.zeros(len(here), np.int64))
        else:
            ends = np.append(here[1:], n)
            first.append(base + np.searchsorted(starts[depth + 1], here))
            last.append(base + np.searchsorted(starts[depth + 1], ends))
        made = base
    return PathTree(roots, *(np.concatenate(parts) for parts in (code, path, first, last)))


def _new(columns: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Rows that differ from the one before."""
    if not len(columns):
        return np.zeros(0, bool)
    return np.append(True, (columns[1:] != columns[:-1]).any(axis=1))


@compiled
def _walk(
    exposures: Exposures,
    rows: NDArray[np.int32],
    halves: NDArray[np.int8],
    tree: PathTree,
    risk: StepRisk,
    within: StepTimes,
    place: NDArray[np.int64],
    counters: _Counters,
) -> None:
    """``place[code]`` is where the code's first day stands among this person's, -1 where there is none."""
    offsets, codes, days = exposures.offsets, exposures.codes, exposures.days
    roots, node_code, node_path, first_child, end_child = tree
    column, p, rounder = risk
    horizon, last_day, bin_days, terminal = within
    at_risk, stepped, expected, times = counters
    nodes, standing, nexts = np.empty(16, np.int64), np.empty(16, np.int64), np.empty(16, np.int64)
    for person in range(len(offsets) - 1):
        start, end, half = offsets[person], offsets[person + 1], halves[person]
        seen_until = np.int64(last_day)
        for at in range(start, end):
            place[codes[at]] = at
            if terminal[codes[at]]:
                seen_until = np.int64(min(int(seen_until), int(days[at])))
        for at in range(start, end):
            root = roots[codes[at]]
            if root < 0:
                continue
            depth = 0
            nodes[0], standing[0], nexts[0] = root, at, first_child[root]
            while depth >= 0:
                node = nodes[depth]
                if nexts[depth] == end_child[node]:
                    depth -= 1
                    continue
                child = nexts[depth]
                nexts[depth] += 1
                here = standing[depth]
                day = np.int64(days[here])
                there = place[node_code[child]]
                walked = there >= 0 and days[there] > day and np.int64(days[there]) <= day + horizon
                path = node_path[child]
                if path < 0:
                    if walked:
                        depth += 1
                        nodes[depth], standing[depth], nexts[depth] = child, there, first_child[child]
                elif there < 0 or days[there] > day:
                    chance = p[rows[here], column[node_code[child]]]
                    at_risk[path, half] += 1
                    expected[path, half, 0] += chance
                    expected[path, half, 1] += (chance * (1.0 - chance) + rounder) - rounder
                    if walked:
                        stepped[path, half] += 1
                        times[path, 0, (np.int64(days[there]) - day - 1) // bin_days] += 1
                    else:
                        seen = min(max(int(seen_until) - int(day), 0), horizon)
                        times[path, 1, seen // bin_days] += 1
        for at in range(start, end):
            place[codes[at]] = -1
