"""What persons had before a landmark, whether the outcome followed, and whom they are comparable with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.bands import bands_for_persons, cuts_of
from experiments.kernels.exposures import year_of
from experiments.kernels.persons import Persons

_BANDS = 64
"""Bands of use of care that a stratum has room for, more than there ever are."""


@dataclass(frozen=True)
class Landmark:
    """Who is looked at and when: seen before ``day``, alive and without ``outcome`` until then.

    Codes of the ``lookback`` days before the landmark are the history; the outcome counts in the ``horizon`` days
    after it. ``ending`` codes (death) before the landmark leave a person out. Persons with more than ``most_codes``
    distinct codes are counted and left out: a few of them have more subsets than all others together.
    """

    day: int
    lookback: int
    horizon: int
    outcome: int
    ending: tuple[int, ...] = ()
    most_codes: int = 150


@dataclass(frozen=True)
class Histories:
    """Events of person i are ``offsets[i]`` to ``offsets[i + 1]``, by day and code, each (day, code) once.

    ``stratum`` packs sex and ten-year age band and, once :func:`in_bands` has cut them, the band of ``use``, which counts
    events before the landmark; ``half`` is 1 for the locked half; ``capped`` counts persons left out for their many
    codes. Merged histories stand in an order made of what they say.
    """

    offsets: NDArray[np.int64]
    codes: NDArray[np.int32]
    days: NDArray[np.int32]
    label: NDArray[np.int8]
    stratum: NDArray[np.int32]
    half: NDArray[np.int8]
    use: NDArray[np.int32]
    capped: NDArray[np.int64]

    @property
    def persons(self) -> int:
        """How many are looked at."""
        return len(self.label)

    @staticmethod
    def merge(counts: list[Histories]) -> Histories:
        """All persons, ordered by stratum, half, outcome and a hash of their events: no matter who collected them."""
        lengths = np.concatenate([np.diff(part.offsets) for part in counts])
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        codes, days, label, stratum, half, use = (
            np.concatenate([getattr(part, name) for part in counts])
            for name in ("codes", "days", "label", "stratum", "half", "use")
        )
        mark = _marks(offsets, codes, days)
        order = np.lexsort((use, mark, label, half, stratum))
        moved = np.concatenate([[0], np.cumsum(lengths[order])]).astype(np.int64)
        source = np.repeat(offsets[:-1][order] - moved[:-1], lengths[order]) + np.arange(moved[-1])
        capped = np.sum([part.capped for part in counts], axis=0)
        return Histories(
            moved,
            codes[source],
            days[source],
            label[order],
            stratum[order],
            half[order],
            use[order],
            capped,
        )

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Every field."""
        return dict(vars(self))

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Histories:
        """Histories from what ``to_arrays`` gave."""
        return cls(**arrays)  # type: ignore[arg-type]


def in_bands(histories: Histories) -> Histories:
    """The same persons compared by use of care too, in bands that each hold the same share of them as nearly as can be.

    Fixed bands would hold nearly everybody of a dense study in the last one.
    """
    counts = np.bincount(histories.use, minlength=1).astype(np.int64)
    cuts = cuts_of(counts, bands_for_persons(histories.persons))
    band = np.searchsorted(np.array(cuts), histories.use, side="right") - 1
    stratum = (histories.stratum * _BANDS + band).astype(np.int32)
    return Histories.merge([replace(histories, stratum=stratum)])


class Eligibility(NamedTuple):
    """A :class:`Landmark` as arrays: ``kept`` and ``ending`` [code] say which codes belong in a history and which end a
    person's time; days are since 1970-01-01 or in number."""

    kept: NDArray[np.bool_]
    ending: NDArray[np.bool_]
    day: int
    lookback: int
    horizon: int
    outcome: int
    most_codes: int


class _Rows(NamedTuple):
    """Room for the histories of a batch; the fields are those of :class:`Histories`."""

    offsets: NDArray[np.int64]
    codes: NDArray[np.int32]
    days: NDArray[np.int32]
    label: NDArray[np.int8]
    stratum: NDArray[np.int32]
    half: NDArray[np.int8]
    use: NDArray[np.int32]


class HistoryPass:
    """Collects :class:`Histories` over batches of persons; ``kept`` says which codes belong in a history."""

    COUNTS: ClassVar[type[Histories]] = Histories

    def __init__(self, landmark: Landmark, kept: NDArray[np.bool_]) -> None:
        ending = np.zeros(len(kept), np.bool_)
        ending[list(landmark.ending)] = True
        self._eligibility = Eligibility(
            np.ascontiguousarray(kept),
            ending,
            landmark.day,
            landmark.lookback,
            landmark.horizon,
            landmark.outcome,
            landmark.most_codes,
        )
        self._seen = np.full(len(kept), -1, np.int64)
        self._persons = 0
        self._parts: list[Histories] = []

    def add(self, persons: Persons) -> None:
        """Look through a batch of whole persons."""
        room = _Rows(
            np.zeros(persons.count + 1, np.int64),
            np.empty(len(persons.codes), np.int32),
            np.empty(len(persons.codes), np.int32),
            np.empty(persons.count, np.int8),
            np.empty(persons.count, np.int32),
            np.empty(persons.count, np.int8),
            np.empty(persons.count, np.int32),
        )
        found, capped = _collect(persons, self._eligibility, self._seen, self._persons, room)
        self._persons += persons.count
        events = int(room.offsets[found])
        self._parts.append(
            Histories(
                room.offsets[: found + 1].copy(),
                room.codes[:events].copy(),
                room.days[:events].copy(),
                room.label[:found].copy(),
                room.stratum[:found].copy(),
                room.half[:found].copy(),
                room.use[:found].copy(),
                np.array([capped], np.int64),
            )
        )

    def result(self) -> Histories:
        """Everybody so far."""
        if not self._parts:
            none, few = np.zeros(0, np.int32), np.zeros(0, np.int8)
            return Histories(np.zeros(1, np.int64), none, none, few, none, few, none, np.zeros(1, np.int64))
        return Histories.merge(self._parts)


@compiled
def _marks(
    offsets: NDArray[np.int64], codes: NDArray[np.int32], days: NDArray[np.int32]
) -> NDArray[np.uint64]:
    marks = np.empty(len(offsets) - 1, np.uint64)
    for person in range(len(offsets) - 1):
        mark = np.uint64(14695981039346656037)
        for at in range(offsets[person], offsets[person + 1]):
            mark = (mark ^ np.uint64(codes[at])) * np.uint64(1099511628211)
            mark = (mark ^ np.uint64(np.int64(days[at]) + 2**31)) * np.uint64(1099511628211)
        marks[person] = mark
    return marks


@compiled
def _collect(
    persons: Persons, eligibility: Eligibility, seen: NDArray[np.int64], first_person: int, rows: _Rows
) -> tuple[int, int]:
    """Persons written and persons left out for their many codes."""
    offsets, codes, days = persons.offsets, persons.codes, persons.days
    sex, birth_year, halves = persons.sex, persons.birth_year, persons.half
    kept, ending, day, lookback, horizon, outcome, most = eligibility
    out_offsets, out_codes, out_days, out_label, out_stratum, out_half, out_use = rows
    found, capped, written = 0, 0, 0
    year = year_of(day)
    for person in range(len(offsets) - 1):
        label, use, distinct, begin = 0, 0, 0, written
        eligible = True
        for at in range(offsets[person], offsets[person + 1]):
            code, when = codes[at], np.int64(days[at])
            if when < day:
                use += 1
                if code == outcome or ending[code]:
                    eligible = False
                if when >= day - lookback and kept[code]:
                    out_codes[written], out_days[written] = code, when
                    written += 1
                    if seen[code] != first_person + person:
                        seen[code] = first_person + person
                        distinct += 1
            elif code == outcome and day < when <= day + horizon:
                label = 1
            elif when == day and (code == outcome or ending[code]):
                eligible = False
        if not eligible or use == 0 or distinct > most:
            if eligible and distinct > most:
                capped += 1
            written = begin
            continue
        age = min(max(int(year) - int(birth_year[person]), 0), 109) // 10
        out_label[found], out_half[found] = label, halves[person]
        out_stratum[found] = int(sex[person]) * 16 + age
        out_use[found] = use
        found += 1
        out_offsets[found] = written
    return found, capped
