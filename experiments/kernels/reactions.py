"""Medicines and what happened around their first dispensing: counts by pair and window, incidence by day, time seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.passes import SummedCounts
from experiments.kernels.persons import Persons

BEFORE, AFTER = 0, 1


@dataclass(frozen=True)
class ReactionSettings:
    """What is counted.

    ``medicines`` and ``events`` are codes; ``windows`` are (first, last) days from the first dispensing, both
    included; ``order_days`` is w of the sequence symmetry; ``span`` first and last day of the data; codes in
    ``terminal`` end a person's time; ``compared_days`` are set against as many before (self-controlled cohort).
    """

    n_codes: int
    medicines: tuple[int, ...]
    events: tuple[int, ...]
    windows: tuple[tuple[int, int], ...]
    order_days: int
    span: tuple[int, int]
    terminal: tuple[int, ...] = ()
    compared_days: int = 30


@dataclass(frozen=True)
class ReactionCounts(SummedCounts):
    """Additive counts; persons are counted by their first day of each code.

    ``order`` [medicine, event, 3]: medicine first, event first, both the same day, at most w days apart.
    ``near`` [medicine, event, window]: first events in each window. ``started`` [medicine, 1 + window]: persons
    who started, and those seen throughout each window. ``seen`` [medicine, 2]: person-days seen among the
    compared days before and after the start. ``first_medicine``, ``first_event`` [code, day of the span]: starts
    by day.
    """

    order: NDArray[np.int32]
    near: NDArray[np.int32]
    started: NDArray[np.int64]
    seen: NDArray[np.int64]
    first_medicine: NDArray[np.int32]
    first_event: NDArray[np.int32]


class _Codes(NamedTuple):
    """Place of each code [code] among medicines and among events, -1 where it is none; which codes end a time."""

    medicine: NDArray[np.int64]
    event: NDArray[np.int64]
    terminal: NDArray[np.bool_]


class _Times(NamedTuple):
    """Days of :class:`ReactionSettings`: ``windows`` [window, (first, last)], from the first to the last day seen."""

    windows: NDArray[np.int64]
    order_days: int
    compared_days: int
    first_day: int
    last_day: int


class _Counters(NamedTuple):
    """What a pass counts into; axes as in :class:`ReactionCounts`."""

    order: NDArray[np.int32]
    near: NDArray[np.int32]
    started: NDArray[np.int64]
    seen: NDArray[np.int64]
    first_medicine: NDArray[np.int32]
    first_event: NDArray[np.int32]


class ReactionPass:
    """Counts ``ReactionCounts`` over batches of persons.

    With ``redate`` every medicine's first day is moved to another day of the same 365 days, drawn by a hash
    of the person's own facts and ``redate``: pairs keep what age, sex, year and use of care make of them, and lose
    whatever one does to the other. That is what negative controls are made of. 0 leaves days as they are.
    """

    COUNTS: ClassVar[type[ReactionCounts]] = ReactionCounts

    def __init__(self, settings: ReactionSettings, redate: int = 0) -> None:
        self._settings, self._redate = settings, redate
        medicines, events = (np.array(each, np.int64) for each in (settings.medicines, settings.events))
        row, column = np.full((2, settings.n_codes), -1, np.int64)
        row[medicines], column[events] = np.arange(len(medicines)), np.arange(len(events))
        terminal = np.zeros(settings.n_codes, np.bool_)
        terminal[list(settings.terminal)] = True
        self._codes = _Codes(row, column, terminal)
        windows = np.array(settings.windows, np.int64).reshape(-1, 2)
        self._times = _Times(windows, settings.order_days, settings.compared_days, *settings.span)
        days = settings.span[1] - settings.span[0] + 1
        shape = (len(medicines), len(events))
        self._counters = _Counters(
            np.zeros((*shape, 3), np.int32),
            np.zeros((*shape, len(windows)), np.int32),
            np.zeros((shape[0], 1 + len(windows)), np.int64),
            np.zeros((shape[0], 2), np.int64),
            np.zeros((shape[0], days), np.int32),
            np.zeros((shape[1], days), np.int32),
        )
        self._first = np.full(settings.n_codes, -(2**31), np.int64)

    def add(self, persons: Persons) -> None:
        """Count a batch of whole persons; ValueError where a day lies outside the span."""
        low, high = self._settings.span
        if len(persons.days) and not low <= int(persons.days.min()) <= int(persons.days.max()) <= high:
            raise ValueError("a day lies outside the span")
        _count(persons, self._codes, self._times, self._redate, self._first, self._counters)

    def result(self) -> ReactionCounts:
        """Everything counted so far."""
        return ReactionCounts(*self._counters)


@compiled
def mixed(a: int, b: int, c: int, d: int) -> int:
    """A hash of four whole numbers, 31 bits: multiply and fold (after splitmix64), the same everywhere."""
    h = np.uint64(a) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(b)
    for value in (np.uint64(c), np.uint64(d), np.uint64(0x2545F491)):
        h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9) + value
        h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        h = h ^ (h >> np.uint64(31))
    return int(h >> np.uint64(33))


@compiled
def _redated(day: int, low: int, until: int, turn: int) -> int:
    """Another day of the same 365 days from ``low``, none after ``until``; ``turn`` is a random whole number."""
    base = low + (day - low) // 365 * 365
    width = min(base + 364, until) - base + 1
    return base + turn % max(width, 1)


@compiled
def _count(
    persons: Persons,
    places: _Codes,
    times: _Times,
    redate: int,
    first: NDArray[np.int64],
    counters: _Counters,
) -> None:
    """``first[code]`` is the code's first day of this person (moved, for medicines, where redated)."""
    offsets, codes, days = persons.offsets, persons.codes, persons.days
    sex, birth_year = persons.sex, persons.birth_year
    row, column, terminal = places
    windows, order_days, compared, low, high = times
    order, near, started, seen, first_medicine, first_event = counters
    none = -(2**31)
    mine = np.empty(codes.shape[0], np.int64)
    for person in range(len(offsets) - 1):
        start, end = offsets[person], offsets[person + 1]
        until, found = np.int64(high), 0
        for at in range(start, end):
            code, day = np.int64(codes[at]), np.int64(days[at])
            if terminal[code]:
                until = min(until, day)
            if first[code] == none:
                first[code] = day
                mine[found] = code
                found += 1
        if redate:
            for at in range(found):
                code = mine[at]
                if row[code] >= 0:
                    who = int(sex[person]) * 100_000 + int(birth_year[person])
                    turn = mixed(
                        redate, who, code * 65_536 + first[code], days[start] * 4_096 + (end - start)
                    )
                    first[code] = _redated(first[code], low, int(until), turn)
        for at in range(found):
            code = mine[at]
            if row[code] >= 0:
                first_medicine[row[code], first[code] - low] += 1
            if column[code] >= 0:
                first_event[column[code], first[code] - low] += 1
        for at in range(found):
            m = row[mine[at]]
            if m < 0:
                continue
            day = first[mine[at]]
            started[m, 0] += 1
            for window in range(len(windows)):
                if day + windows[window, 0] >= low and day + windows[window, 1] <= until:
                    started[m, 1 + window] += 1
            seen[m, 0] += min(np.int64(compared), day - low)
            seen[m, 1] += max(min(np.int64(compared), until - day), 0)
            for other in range(found):
                e = column[mine[other]]
                if e < 0 or other == at:
                    continue
                lag = first[mine[other]] - day
                if lag == 0:
                    order[m, e, 2] += 1
                elif 0 < lag <= order_days:
                    order[m, e, 0] += 1
                elif -order_days <= lag < 0:
                    order[m, e, 1] += 1
                for window in range(len(windows)):
                    if windows[window, 0] <= lag <= windows[window, 1]:
                        near[m, e, window] += 1
        for at in range(found):
            first[mine[at]] = none
