"""Pattern sets at the output gate: no adding and subtracting of released supports may leave 1 to k−1 persons.

For an item set J and a part I of it, the persons who have all of I and nothing else of J are the alternating sum
of the supports of everything between the two (Atzori, Bonchi, Giannotti and Pedreschi 2008). All such sums of one
J come out of one Möbius transform over its 2^|J| parts; a part that was not released enters with the lowest and
highest support its neighbours allow, so what closed or thinned-out sets give away is found as well.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lakehouse.governance.output_gate.limits_and_verdict import Finding, Limits, gathered, reaches
from lakehouse.governance.output_gate.reasons import Rule

Floats = NDArray[np.float64]
Items = Sequence[str | int]

LONGEST = 14
"""Longest pattern looked at; a longer one is refused, since its 2^length parts cannot all be checked."""

LEAST_DIGITS = 4
"""A confidence is taken to be exact to so many digits at least: 0.98 may be 0.9800, and its reader may know."""

CHUNK = 1 << 21
"""Numbers held at once in a transform."""


@dataclass(frozen=True)
class AssociationRule:
    """If a person has the antecedent, then the consequent: persons with both, and the confidence as printed."""

    antecedent: tuple[str | int, ...]
    consequent: tuple[str | int, ...]
    support: int
    confidence: float


@dataclass(frozen=True)
class PatternSet:
    """Item sets or sequences with the persons that have each; a hidden support is left out.

    ``ordered`` sequences count a person when the items occur in that order, whatever lies between. ``persons``
    is the population, when a reader knows it. ``complete_from`` says that every pattern with at least so many
    persons was released, which tells the reader that all others have fewer.
    """

    name: str
    patterns: Sequence[Items]
    supports: Sequence[int]
    rules: Sequence[AssociationRule] = field(default_factory=tuple)
    ordered: bool = False
    persons: int | None = None
    complete_from: int | None = None

    def judge(self, limits: Limits) -> list[Finding]:
        """Everything against letting this set out."""
        k = limits.persons
        certain = [f"{_text(r.antecedent)} -> {_text(r.consequent)}" for r in self.rules if r.confidence >= 1]
        found = gathered(Rule.CERTAIN_RULE, self.name, certain, k)
        known = self._known()
        few = [f"{_text(p)}: {s}" for p, s in known.items() if 0 < s < k]
        found += gathered(Rule.SMALL_CELL, self.name, few, k)
        long = [_text(pattern) for pattern in known if len(pattern) > LONGEST]
        found += gathered(Rule.UNREADABLE, self.name, long, LONGEST)
        kept = {pattern: support for pattern, support in known.items() if 0 < len(pattern) <= LONGEST}
        rule = Rule.SEQUENCE if self.ordered else Rule.PATTERN
        places = _between(kept, self.ordered, self.persons, self.complete_from, k)
        return found + gathered(rule, self.name, places, k)

    def _known(self) -> dict[tuple[str | int, ...], int]:
        """Supports by pattern, those that rules give away included."""
        known: dict[tuple[str | int, ...], int] = {}
        for pattern, support in zip(self.patterns, self.supports, strict=True):
            known[self._key(pattern)] = int(support)
        for rule, reach in zip(
            self.rules, reaches([rule.confidence for rule in self.rules], LEAST_DIGITS), strict=True
        ):
            known.setdefault(self._key((*rule.antecedent, *rule.consequent)), rule.support)
            least = np.ceil(rule.support / min(rule.confidence + reach, 1) - 1e-9)
            most = np.floor(rule.support / max(rule.confidence - reach, 1e-9) + 1e-9)
            if least == most:
                known.setdefault(self._key(rule.antecedent), int(least))
        return known

    def _key(self, pattern: Items) -> tuple[str | int, ...]:
        return tuple(pattern) if self.ordered else tuple(sorted(set(pattern), key=str))


def _between(
    known: dict[tuple[str | int, ...], int], ordered: bool, persons: int | None, complete: int | None, k: int
) -> list[str]:
    """Places where supports combine to 1 to k−1 persons."""
    items = {item: number for number, item in enumerate({item for pattern in known for item in pattern})}
    words = np.array([secrets.randbits(63) | 1 for _ in items], dtype=np.uint64)
    lookup = _Lookup(known, items, words, ordered)
    places: list[str] = []
    for length in sorted({len(pattern) for pattern in known}):
        group = [pattern for pattern in known if len(pattern) == length]
        whole = np.array([[items[item] for item in pattern] for pattern in group])
        step = max(CHUNK >> length, 1)
        for start in range(0, len(group), step):
            numbers = whole[start : start + step]
            low, high = _lattice(lookup, numbers, ordered, persons, complete)
            last = low.shape[1] - 1
            value = low - low[:, [last]]
            small = (low == high) & (value > 0) & (value < k)
            if not ordered:
                _alternate(low, high, length)
                exact = (low > 0.5) & (high < k - 0.5)
                value = np.where(exact, low, value)
                small |= exact
            small[:, last] = False
            rows, parts = np.nonzero(small)
            if len(rows):
                places += [
                    _place(group[start + row], int(part), float(value[row, part]))
                    for row, part in zip(rows[:50], parts[:50], strict=True)
                ] + [""] * (len(rows) - 50)
    return places


class _Lookup:
    """Supports by a 64-bit key that adds up over the items of a set (or is chained over a sequence)."""

    def __init__(
        self, known: dict[tuple[str | int, ...], int], items: dict[str | int, int], words: NDArray[np.uint64],
        ordered: bool,
    ) -> None:  # fmt: skip
        self.words, self.ordered = words, ordered
        keys, supports = [], []
        with np.errstate(over="ignore"):
            for length in sorted({len(pattern) for pattern in known}):
                group = [pattern for pattern in known if len(pattern) == length]
                numbers = np.array([[items[item] for item in pattern] for pattern in group])
                keys.append(self.key(numbers, np.full(length, True)))
                supports.append(np.array([known[pattern] for pattern in group], dtype=float))
        joined = np.concatenate(keys) if keys else np.empty(0, np.uint64)
        order = np.argsort(joined)
        self._keys = joined[order]
        self._supports = np.concatenate(supports)[order] if supports else np.empty(0)

    def key(self, numbers: NDArray[np.int64], chosen: NDArray[np.bool_]) -> NDArray[np.uint64]:
        """Key of the chosen places of each row."""
        key = np.zeros(len(numbers), np.uint64)
        with np.errstate(over="ignore"):
            for column in np.flatnonzero(chosen):
                word = self.words[numbers[:, column]]
                key = key * np.uint64(0x9E3779B97F4A7C15) + word if self.ordered else key + word
        return key

    def get(self, keys: NDArray[np.uint64]) -> Floats:
        """Supports; NaN where nothing was released."""
        at = np.minimum(np.searchsorted(self._keys, keys), max(len(self._keys) - 1, 0))
        return np.where(self._keys[at] == keys, self._supports[at], np.nan)


def _lattice(
    lookup: _Lookup, numbers: NDArray[np.int64], ordered: bool, persons: int | None, complete: int | None
) -> tuple[Floats, Floats]:
    """Lowest and highest support of every part of each pattern; columns are bit masks of its places."""
    length = numbers.shape[1]
    size = 1 << length
    support = np.full((len(numbers), size), np.nan)
    support[:, 0] = np.nan if persons is None else persons
    for mask in range(1, size):
        chosen = (mask >> np.arange(length) & 1).astype(bool)
        support[:, mask] = lookup.get(lookup.key(numbers, chosen))
    missing = np.isnan(support)
    low, high = np.where(missing, 0.0, support), np.where(missing, np.inf, support)
    if complete is not None:
        high[:, 1:] = np.where(missing[:, 1:], complete - 1.0, high[:, 1:])
    if missing.any():
        masks = np.arange(size)
        for bit in range(length):
            without = masks[masks >> bit & 1 == 0]
            both = without | 1 << bit
            low[:, without] = np.maximum(low[:, without], low[:, both])
        for bit in range(length):
            without = masks[masks >> bit & 1 == 0]
            both = without | 1 << bit
            high[:, both] = np.minimum(high[:, both], high[:, without])
    return low, high


def _alternate(low: Floats, high: Floats, length: int) -> None:
    """In place: from supports to persons with exactly a part, as bounds."""
    masks = np.arange(1 << length)
    with np.errstate(invalid="ignore"):
        for bit in range(length):
            without = masks[masks >> bit & 1 == 0]
            both = without | 1 << bit
            least = low[:, without] - high[:, both]
            high[:, without] = high[:, without] - low[:, both]
            low[:, without] = np.where(np.isnan(least), -np.inf, least)


def _place(pattern: tuple[str | int, ...], part: int, value: float) -> str:
    inside = [item for place, item in enumerate(pattern) if part >> place & 1]
    outside = [item for place, item in enumerate(pattern) if not part >> place & 1]
    return f"{value:g} with {_text(inside) or 'none'} without {_text(outside)}"


def _text(items: Items) -> str:
    return " ".join(str(item) for item in items)
