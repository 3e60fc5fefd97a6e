"""Which persons' timelines changed: a keyed 64-bit fingerprint of each, and the persons behind chosen fingerprints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.pairs.reference import PERSONS_AT_ONCE
from experiments.kernels.persons import Persons, join_persons


@dataclass(frozen=True)
class Fingerprints:
    """Fingerprints of persons, ascending; equal timelines have equal ones, so one may stand there several times."""

    values: NDArray[np.uint64]

    @staticmethod
    def merge(counts: list[Fingerprints]) -> Fingerprints:
        """Those of all parts."""
        return Fingerprints(np.sort(np.concatenate([part.values for part in counts])))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Arrays [person] by field name, which ``from_arrays`` turns back."""
        return {"values": self.values}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Fingerprints:
        """Fingerprints from what ``to_arrays`` gave: one array [person] a field."""
        return cls(**arrays)

    def less(self, other: Fingerprints) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Fingerprints that stand here more often than there, and how many times more often.

        Both arrays [distinct fingerprint], ascending.
        """
        mine, count = np.unique(self.values, return_counts=True)
        theirs = np.searchsorted(other.values, mine, "right") - np.searchsorted(other.values, mine, "left")
        more = count - theirs
        return mine[more > 0], more[more > 0]


class FingerprintPass:
    """Takes the fingerprint of every person; ``words`` gives each code a number that outlives its place in a list."""

    COUNTS: ClassVar[type[Fingerprints]] = Fingerprints

    def __init__(self, words: NDArray[np.uint64], key: int) -> None:
        self._words, self._key = words, np.uint64(key)
        self._parts: list[NDArray[np.uint64]] = []

    def add(self, persons: Persons) -> None:
        """A batch of whole persons."""
        self._parts.append(fingerprints(persons, self._words, self._key))

    def result(self) -> Fingerprints:
        """All so far."""
        return Fingerprints(np.sort(np.concatenate([np.empty(0, np.uint64), *self._parts])))


@dataclass(frozen=True)
class ChosenPersons:
    """Persons with their fingerprints; rows of people, which never outlive the scan that asks for them."""

    persons: Persons
    prints: NDArray[np.uint64]

    @staticmethod
    def merge(counts: list[ChosenPersons]) -> ChosenPersons:
        """Those of all parts."""
        prints = np.concatenate([part.prints for part in counts])
        return ChosenPersons(join_persons([part.persons for part in counts]), prints)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Arrays that ``from_arrays`` turns back."""
        return {**self.persons._asdict(), "prints": self.prints}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> ChosenPersons:
        """Persons from what ``to_arrays`` gave."""
        return cls(Persons(**{name: arrays[name] for name in Persons._fields}), arrays["prints"])

    def limited(self, wanted: NDArray[np.uint64], times: NDArray[np.int64]) -> Persons | None:
        """As many persons of each wanted fingerprint as ``times`` says; None where there are not so many.

        ``wanted`` and ``times`` [distinct fingerprint].
        """
        order = np.argsort(self.prints, kind="stable")
        first = np.searchsorted(self.prints[order], wanted, "left")
        if np.any(np.searchsorted(self.prints[order], wanted, "right") - first < times):
            return None
        within = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
        return self.persons.take(np.sort(order[np.repeat(first, times) + within]))


class ChosenPass:
    """Gives the persons whose fingerprints are among ``wanted`` (ascending)."""

    COUNTS: ClassVar[type[ChosenPersons]] = ChosenPersons

    def __init__(self, words: NDArray[np.uint64], key: int, wanted: NDArray[np.uint64]) -> None:
        self._words, self._key, self._wanted = words, np.uint64(key), wanted
        nobody = Persons(
            np.zeros(1, np.int64),
            np.empty(0, np.int32),
            np.empty(0, np.int32),
            np.empty(0, np.int8),
            np.empty(0, np.int8),
            np.empty(0, np.int16),
            np.empty(0, np.int8),
        )
        self._parts = [ChosenPersons(nobody, np.empty(0, np.uint64))]

    def add(self, persons: Persons) -> None:
        """A batch of whole persons."""
        for start in range(0, persons.count, PERSONS_AT_ONCE):
            part = persons.part(start, min(start + PERSONS_AT_ONCE, persons.count))
            prints = fingerprints(part, self._words, self._key)
            place = np.searchsorted(self._wanted, prints)
            hit = place < len(self._wanted)
            hit[hit] = self._wanted[place[hit]] == prints[hit]
            if hit.any():
                self._parts.append(ChosenPersons(part.take(np.flatnonzero(hit)), prints[hit]))

    def result(self) -> ChosenPersons:
        """All so far."""
        return ChosenPersons.merge(self._parts)


def fingerprints(persons: Persons, words: NDArray[np.uint64], key: np.uint64) -> NDArray[np.uint64]:
    """One number a person from everything a scan counts of them: sex, birth year, half, and each code, day, setting.

    Two different persons share one with probability 2**-64; among ten million that happens once in 400,000 lakes.

    ``words`` [code]; returns [person]. Words are mixed as in SplitMix64 (Steele, Lea & Flood 2014).
    """
    prints = np.empty(persons.count, np.uint64)
    _fingerprints(persons, words, key, prints)
    return prints


@compiled
def _mixed(state: np.uint64, more: np.uint64) -> np.uint64:
    """The next state (the finisher of SplitMix64 over both)."""
    z = (state ^ more) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0xD1B54A32D192ED03)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@compiled
def _fingerprints(
    persons: Persons, words: NDArray[np.uint64], key: np.uint64, prints: NDArray[np.uint64]
) -> None:
    offsets, codes, days, settings = persons.offsets, persons.codes, persons.days, persons.settings
    sex, birth_year, half = persons.sex, persons.birth_year, persons.half
    for person in range(len(prints)):
        facts = (
            np.int64(birth_year[person]) << 16 | (np.int64(sex[person]) & 0xFF) << 8 | np.int64(half[person])
        )
        state = _mixed(key, np.uint64(facts))
        for at in range(offsets[person], offsets[person + 1]):
            state = _mixed(state, words[codes[at]])
            state = _mixed(state, np.uint64(np.int64(days[at]) << 8 | (np.int64(settings[at]) & 0xFF)))
        prints[person] = state
