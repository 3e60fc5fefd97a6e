"""Timelines of many persons as flat arrays, and their roll-up to coarser codes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled

NO_CODE = -1
NO_SETTING = -1


class Persons(NamedTuple):
    """Events of person i are ``offsets[i]`` to ``offsets[i + 1]``: distinct (day, code), days ascending.

    ``days`` count from 1970-01-01; ``settings`` are 0 to 7 or -1 where unknown; ``sex`` is 0 unknown,
    1 female, 2 male; ``half`` is 0 for the open half and 1 for the locked one.
    """

    offsets: NDArray[np.int64]
    codes: NDArray[np.int32]
    days: NDArray[np.int32]
    settings: NDArray[np.int8]
    sex: NDArray[np.int8]
    birth_year: NDArray[np.int16]
    half: NDArray[np.int8]

    @property
    def count(self) -> int:  # type: ignore[override]
        """Number of persons."""
        return len(self.offsets) - 1

    def part(self, start: int, stop: int) -> Persons:
        """Persons ``start`` to ``stop``, sharing memory with the whole."""
        low, high = int(self.offsets[start]), int(self.offsets[stop])
        return Persons(
            self.offsets[start : stop + 1] - low,
            self.codes[low:high],
            self.days[low:high],
            self.settings[low:high],
            self.sex[start:stop],
            self.birth_year[start:stop],
            self.half[start:stop],
        )

    def take(self, order: NDArray[np.int64]) -> Persons:
        """The persons named, in that order, as a copy.

        ``order`` [person taken] are numbers of persons.
        """
        lengths = np.diff(self.offsets)[order]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        source = np.repeat(self.offsets[:-1][order] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return Persons(
            offsets,
            self.codes[source],
            self.days[source],
            self.settings[source],
            self.sex[order],
            self.birth_year[order],
            self.half[order],
        )


def join_persons(parts: list[Persons]) -> Persons:
    """Lay several batches of persons end to end."""
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    columns = (np.concatenate(column) for column in zip(*(part[1:] for part in parts), strict=True))
    return Persons(offsets, *columns)


def roll_up(persons: Persons, code_map: NDArray[np.int32]) -> Persons:
    """Events under coarser codes: ``code_map[code]`` is the new code, -1 drops the event.

    What becomes the same (day, code) is one event, with the smallest known setting of its records, and the
    events of a day are ordered by new code. Persons keep their place, even without any event left.
    """
    events = len(persons.codes)
    n_new = int(code_map.max(initial=-1)) + 1
    rolled = persons._replace(
        offsets=np.empty(len(persons.offsets), np.int64),
        codes=np.empty(events, np.int32),
        days=np.empty(events, np.int32),
        settings=np.empty(events, np.int8),
    )
    place = np.full(max(n_new, 1), -1, np.int64)
    _roll_up(persons, np.ascontiguousarray(code_map, np.int32), place, rolled)
    kept = int(rolled.offsets[-1])
    return rolled._replace(
        codes=rolled.codes[:kept], days=rolled.days[:kept], settings=rolled.settings[:kept]
    )


@compiled
def _roll_up(
    persons: Persons, code_map: NDArray[np.int32], place: NDArray[np.int64], rolled: Persons
) -> None:
    """``place[code]`` is where the code was last written: at or after the day's first place, a repeat."""
    offsets, codes, days, settings = persons.offsets, persons.codes, persons.days, persons.settings
    new_offsets, new_codes, new_days, new_settings = (
        rolled.offsets,
        rolled.codes,
        rolled.days,
        rolled.settings,
    )
    written = 0
    new_offsets[0] = 0
    for person in range(len(offsets) - 1):
        event, end = offsets[person], offsets[person + 1]
        while event < end:
            day, first = days[event], written
            while event < end and days[event] == day:
                code, setting = code_map[codes[event]], settings[event]
                event += 1
                if code < 0:
                    continue
                at = place[code]
                if at >= first:
                    if setting >= 0 and (new_settings[at] < 0 or setting < new_settings[at]):
                        new_settings[at] = setting
                    continue
                at = written
                while at > first and new_codes[at - 1] > code:
                    new_codes[at] = new_codes[at - 1]
                    new_settings[at] = new_settings[at - 1]
                    place[new_codes[at]] = at
                    at -= 1
                new_codes[at], new_settings[at], place[code] = code, setting, at
                written += 1
            new_days[first:written] = day
        new_offsets[person + 1] = written
