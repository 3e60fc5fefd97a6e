"""Frequent and closed sets of codes, depth first over sets of persons held as bits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.bitsets import Bits, ones, words_for

DEEPEST = 64
"""Longest set there is room for."""


class Itemsets(NamedTuple):
    """Items of set i are ``items[offsets[i]:offsets[i + 1]]``, ascending; ``support`` persons have them all."""

    offsets: NDArray[np.int64]
    items: NDArray[np.int32]
    support: NDArray[np.int64]

    def as_dict(self) -> dict[tuple[int, ...], int]:
        """Support by set."""
        cuts = np.split(self.items, self.offsets[1:-1]) if len(self.support) else []
        return {tuple(part.tolist()): int(n) for part, n in zip(cuts, self.support, strict=True)}


def persons_by_item(offsets: NDArray[np.int64], codes: NDArray[np.int32], n_items: int) -> Bits:
    """Who has each item, as bits [item, word]."""
    bits = np.zeros((n_items, words_for(len(offsets) - 1)), np.uint64)
    _mark(offsets, codes, bits)
    return bits


def mine_itemsets(bits: Bits, least: int, longest: int = DEEPEST, closed: bool = True) -> Itemsets:
    """All sets of at most ``longest`` items that at least ``least`` persons have.

    With ``closed`` only those of which no larger set of at most ``longest`` items is held by the same persons. Of
    items that always come together, more than ``longest``, all sets of ``longest`` are given: were none, a set that so
    many persons have would be missing for its length. Sets to which no item at all can be added are found by
    prefix-preserving closure extension (Uno et al. 2004), each once, with nothing to remember; where one is too long,
    the sets of ``longest`` items are searched too.

    ``bits`` [item, word] as :func:`persons_by_item` gives them.
    """
    support = np.array([sum_bits(row) for row in bits], np.int64)
    frequent = np.flatnonzero(support >= max(least, 1))
    order = frequent[np.argsort(support[frequent], kind="stable")]
    chosen = np.ascontiguousarray(bits[order])
    offsets, listed = _lists(chosen)
    limits = (max(least, 1), min(longest, DEEPEST))
    room = 1 << 12
    while True:
        sizes, items, counts = (
            np.empty(room, np.int64),
            np.empty(room * 8, np.int32),
            np.empty(room, np.int64),
        )
        made, too_long = _search(chosen, offsets, listed, *limits, closed, sizes, items, counts)
        if made >= 0 and too_long:
            made = _cut_short(chosen, offsets, listed, *limits, made, sizes, items, counts)
        if made >= 0:
            break
        room *= 4
    offsets = np.concatenate([[0], np.cumsum(sizes[:made])]).astype(np.int64)
    named = order[items[: offsets[-1]]].astype(np.int32)
    owner = np.repeat(np.arange(made), sizes[:made])
    return Itemsets(offsets, named[np.lexsort((named, owner))], counts[:made].copy())


def persons_with(sets: Itemsets, bits: Bits) -> Bits:
    """Who has every item of each set, as bits [set, word]."""
    found = np.empty((len(sets.support), bits.shape[1]), np.uint64)
    _intersect(sets.offsets, sets.items, bits, found)
    return found


@compiled
def sum_bits(row: Bits) -> int:
    """Persons in a set.

    ``row`` [word].
    """
    total = 0
    for at in range(len(row)):
        total += ones(row[at])
    return total


@compiled
def _mark(offsets: NDArray[np.int64], codes: NDArray[np.int32], bits: Bits) -> None:
    for person in range(len(offsets) - 1):
        for at in range(offsets[person], offsets[person + 1]):
            bits[codes[at], person // 64] |= np.uint64(1) << np.uint64(person % 64)


@compiled
def _intersect(offsets: NDArray[np.int64], items: NDArray[np.int32], bits: Bits, found: Bits) -> None:
    for row in range(len(offsets) - 1):
        found[row] = bits[items[offsets[row]]]
        for at in range(offsets[row] + 1, offsets[row + 1]):
            for word in range(bits.shape[1]):
                found[row, word] &= bits[items[at], word]


@compiled
def _lists(bits: Bits) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The items of each person, laid end to end: the same as the bits, read the other way."""
    persons = bits.shape[1] * 64
    sizes = np.zeros(persons + 1, np.int64)
    for fill in range(2):
        if fill:
            offsets = np.cumsum(sizes)
            listed = np.empty(offsets[-1], np.int32)
            place = offsets.copy()
        for item in range(len(bits)):
            for at in range(bits.shape[1]):
                word = bits[item, at]
                while word:
                    bit = word & (~word + np.uint64(1))
                    person = at * 64 + ones(bit - np.uint64(1))
                    if fill:
                        listed[place[person]] = item
                        place[person] += 1
                    else:
                        sizes[person + 1] += 1
                    word ^= bit
    return offsets, listed


@compiled
def _count_items(
    who: Bits, offsets: NDArray[np.int64], listed: NDArray[np.int32], counts: NDArray[np.int32]
) -> None:
    """How many of these persons have each item."""
    counts[:] = 0
    for at in range(len(who)):
        word = who[at]
        while word:
            bit = word & (~word + np.uint64(1))
            person = at * 64 + ones(bit - np.uint64(1))
            for place in range(offsets[person], offsets[person + 1]):
                counts[listed[place]] += 1
            word ^= bit


@compiled
def _search(
    bits: Bits,
    offsets: NDArray[np.int64],
    listed: NDArray[np.int32],
    least: int,
    longest: int,
    closed: bool,
    sizes: NDArray[np.int64],
    items: NDArray[np.int32],
    found: NDArray[np.int64],
) -> tuple[int, bool]:
    """Sets found, -1 where there is no room for them, and whether a closed one may have been too long to be among them;
    items are numbered by rising support.

    The persons of a set are read once to count all items among them: only what is frequent there is intersected,
    and an item that all of them have belongs to the closure.
    """
    n, words = bits.shape
    who = np.zeros((longest + 2, words), np.uint64)
    counts = np.zeros((longest + 2, n), np.int32)
    path = np.empty(4 * n + longest + 2, np.int32)
    length = np.zeros(longest + 2, np.int64)
    following = np.zeros(longest + 2, np.int64)
    held = np.zeros(n, np.int64)
    made, used, depth, too_long = 0, 0, 0, False
    for item in range(n):
        for word in range(words):
            who[0, word] |= bits[item, word]
    _count_items(who[0], offsets, listed, counts[0])
    while depth >= 0:
        item = following[depth]
        if item == n:
            for at in range(length[depth - 1] if depth else 0, length[depth]):
                held[path[at]] = 0
            depth -= 1
            continue
        following[depth] += 1
        persons = counts[depth, item]
        if persons < least or held[item]:
            continue
        if length[depth] >= longest:
            too_long = closed
            continue
        deeper = depth + 1
        for word in range(words):
            who[deeper, word] = who[depth, word] & bits[item, word]
        size = length[depth]
        path[size] = item
        size += 1
        if closed or size < longest:
            _count_items(who[deeper], offsets, listed, counts[deeper])
        if closed:
            fits = True
            for other in range(n):
                if counts[deeper, other] == persons and not held[other] and other != item:
                    if other < item:
                        fits = False
                        break
                    path[size] = other
                    size += 1
            too_long |= fits and size > longest
            if not fits or size > longest:
                continue
        if made == len(sizes) or used + size > len(items):
            return -1, too_long
        sizes[made], found[made] = size, persons
        items[used : used + size] = path[:size]
        made, used = made + 1, used + size
        for at in range(length[depth], size):
            held[path[at]] = 1
        depth = deeper
        length[depth], following[depth] = size, item + 1
    return made, too_long


@compiled
def _cut_short(
    bits: Bits,
    offsets: NDArray[np.int64],
    listed: NDArray[np.int32],
    least: int,
    longest: int,
    made: int,
    sizes: NDArray[np.int64],
    items: NDArray[np.int32],
    found: NDArray[np.int64],
) -> int:
    """Add the sets of exactly ``longest`` items to which one more could be added without losing a person.

    A set is followed only while its persons share more than ``longest`` frequent items. Returns all sets found, the
    ``made`` ones included, -1 where there is no room for them.
    """
    n, words = bits.shape
    who = np.zeros((longest + 1, words), np.uint64)
    counts = np.zeros((longest, n), np.int32)
    path = np.empty(longest, np.int32)
    following = np.zeros(longest, np.int64)
    used, depth = sizes[:made].sum(), 0
    for item in range(n):
        for word in range(words):
            who[0, word] |= bits[item, word]
    _count_items(who[0], offsets, listed, counts[0])
    while depth >= 0:
        item = following[depth]
        if item == n:
            depth -= 1
            continue
        following[depth] += 1
        if counts[depth, item] < least:
            continue
        for word in range(words):
            who[depth + 1, word] = who[depth, word] & bits[item, word]
        path[depth] = item
        if depth + 1 < longest:
            _count_items(who[depth + 1], offsets, listed, counts[depth + 1])
            if (counts[depth + 1] >= least).sum() > longest:
                depth += 1
                following[depth] = item + 1
        elif _more_fits(who[longest], bits, path, counts[depth], counts[depth, item]):
            if made == len(sizes) or used + longest > len(items):
                return -1
            sizes[made], found[made] = longest, counts[depth, item]
            items[used : used + longest] = path
            made, used = made + 1, used + longest
    return made


@compiled
def _more_fits(
    who: Bits, bits: Bits, path: NDArray[np.int32], counts: NDArray[np.int32], persons: int
) -> bool:
    """Whether these persons share an item beyond those of the path."""
    for other in range(len(bits)):
        if counts[other] >= persons and not (path == other).any() and not (who & ~bits[other]).any():
            return True
    return False
