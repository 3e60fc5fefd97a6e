"""Frequent sequences of codes over days: pattern growth with limits on gaps and span, every end of a match kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.bitsets import Bits, words_for

ANY = 2**30
"""No limit."""


@dataclass(frozen=True)
class Limits:
    """What a match may look like, days: between neighbouring steps, and from the first step to the last.

    Steps on one day are one step of several codes (``together``), or not allowed where that is false.
    """

    least_gap: int = 1
    most_gap: int = ANY
    most_span: int = ANY
    longest: int = 5
    together: bool = False


class Sequence(NamedTuple):
    """Steps in order, each a tuple of codes of one day; ``ends`` and ``starts`` of its matches stay with the search."""

    steps: tuple[tuple[int, ...], ...]
    support: int

    @property
    def items(self) -> tuple[int, ...]:
        """All codes in order."""
        return tuple(code for step in self.steps for code in step)


class Matches(NamedTuple):
    """Matches of a sequence: index of the last event of each, ascending, and the latest first day (days since 1970)."""

    ends: NDArray[np.int64]
    starts: NDArray[np.int32]


class NextStep(NamedTuple):
    """Where the next code may stand: on the same day or on a later one, and the limits in days."""

    same_day: bool
    least_gap: int
    most_gap: int
    most_span: int


class Events(NamedTuple):
    """Persons' events in order of day and code; ``owner`` is the person of each event."""

    offsets: NDArray[np.int64]
    codes: NDArray[np.int32]
    days: NDArray[np.int32]
    owner: NDArray[np.int32]


def events_of(offsets: NDArray[np.int64], codes: NDArray[np.int32], days: NDArray[np.int32]) -> Events:
    """Events with their owners.

    ``offsets`` [person + 1], ``codes`` and ``days`` [event], days since 1970-01-01.
    """
    owner = np.repeat(np.arange(len(offsets) - 1, dtype=np.int32), np.diff(offsets))
    return Events(offsets, codes, days, owner)


def mine_sequences(events: Events, n_codes: int, least: int, limits: Limits) -> tuple[list[Sequence], Bits]:
    """All sequences that at least ``least`` persons have, with those persons as bits [sequence, word].

    A match is known by its last event and, of all matches that end there, the latest first day: no other can meet a
    limit on the span that this one does not.
    """
    found: list[Sequence] = []
    rows: list[Bits] = []
    persons = len(events.offsets) - 1
    counts = _first_counts(events.offsets, events.codes, n_codes)
    pending: list[tuple[tuple[tuple[int, ...], ...], Matches]] = []
    for code in np.flatnonzero(counts >= least).tolist()[::-1]:
        ends = np.flatnonzero(events.codes == code)
        pending.append((((code,),), Matches(ends, events.days[ends])))
    while pending:
        steps, matches = pending.pop()
        who = np.zeros(words_for(persons), np.uint64)
        found.append(Sequence(steps, int(_mark(events.owner, matches.ends, who))))
        rows.append(who)
        if sum(len(step) for step in steps) >= limits.longest:
            continue
        for same_day in (True, False) if limits.together else (False,):
            step = NextStep(same_day, limits.least_gap, limits.most_gap, limits.most_span)
            counts = _extensions(events, matches, step, n_codes)
            for code in np.flatnonzero(counts >= least).tolist()[::-1]:
                more = Matches(*_grow(events, matches, code, step))
                longer = (*steps[:-1], (*steps[-1], code)) if same_day else (*steps, (code,))
                pending.append((longer, more))
    return found, np.stack(rows) if rows else np.zeros((0, words_for(persons)), np.uint64)


def closed_only(found: list[Sequence], bits: Bits) -> NDArray[np.bool_]:
    """Which sequences no sequence one code longer holds in the same persons; the longest searched for count as closed.

    As many persons are not enough: where steps may lie only so far apart, who has the longer sequence need not have
    the one without its middle step.

    ``bits`` [sequence, word] are the persons of each. Returns [sequence].
    """
    number = {each.steps: k for k, each in enumerate(found)}
    kept = np.ones(len(found), bool)
    for steps, k in number.items():
        for at, step in enumerate(steps):
            for code in step:
                less = tuple(each for each in step if each != code)
                shorter = (*steps[:at], *((less,) if less else ()), *steps[at + 1 :])
                j = number.get(shorter)
                if j is not None and found[j].support == found[k].support and (bits[j] == bits[k]).all():
                    kept[j] = False
    return kept


@compiled
def _first_counts(offsets: NDArray[np.int64], codes: NDArray[np.int32], n_codes: int) -> NDArray[np.int64]:
    counts, seen = np.zeros(n_codes, np.int64), np.full(n_codes, -1, np.int64)
    for person in range(len(offsets) - 1):
        for at in range(offsets[person], offsets[person + 1]):
            if seen[codes[at]] != person:
                seen[codes[at]] = person
                counts[codes[at]] += 1
    return counts


@compiled
def _mark(owner: NDArray[np.int32], ends: NDArray[np.int64], who: Bits) -> int:
    persons, last = 0, -1
    for at in range(len(ends)):
        person = owner[ends[at]]
        if person != last:
            persons += 1
            last = person
            who[person // 64] |= np.uint64(1) << np.uint64(person % 64)
    return persons


@compiled
def _fits(
    day: int,
    code: int,
    end_day: int,
    end_code: int,
    start: int,
    step: NextStep,
) -> bool:
    if step.same_day:
        return day == end_day and code > end_code
    return step.least_gap <= day - end_day <= step.most_gap and day - start <= step.most_span


@compiled
def _extensions(events: Events, matches: Matches, step: NextStep, n_codes: int) -> NDArray[np.int64]:
    """Persons in whom each code extends a match."""
    offsets, codes, days, owner = events
    ends, starts = matches
    furthest = 0 if step.same_day else step.most_gap
    counts, seen = np.zeros(n_codes, np.int64), np.full(n_codes, -1, np.int64)
    for match in range(len(ends)):
        end = ends[match]
        person = owner[end]
        for at in range(end + 1, offsets[person + 1]):
            day = int(days[at])
            if day - days[end] > furthest or day - starts[match] > step.most_span:
                break
            code = codes[at]
            if seen[code] != person and _fits(day, code, days[end], codes[end], starts[match], step):
                seen[code] = person
                counts[code] += 1
    return counts


@compiled
def _grow(
    events: Events, matches: Matches, wanted: int, step: NextStep
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Matches of the longer sequence: last event and latest first day, in order of the event."""
    offsets, codes, days, owner = events
    ends, starts = matches
    furthest = 0 if step.same_day else step.most_gap
    room = 0
    latest = np.full(len(codes), -(2**31), np.int64)
    low, high = len(codes), 0
    for match in range(len(ends)):
        end = ends[match]
        for at in range(end + 1, offsets[owner[end] + 1]):
            day = int(days[at])
            if day - days[end] > furthest or day - starts[match] > step.most_span:
                break
            if codes[at] == wanted and _fits(day, wanted, days[end], codes[end], starts[match], step):
                if latest[at] == -(2**31):
                    room += 1
                    low, high = min(low, at), max(high, at)
                latest[at] = max(latest[at], np.int64(starts[match]))
    new_ends, new_starts = np.empty(room, np.int64), np.empty(room, np.int32)
    made = 0
    for at in range(low, high + 1):
        if at < len(codes) and latest[at] != -(2**31):
            new_ends[made], new_starts[made] = at, latest[at]
            made += 1
    return new_ends, new_starts
