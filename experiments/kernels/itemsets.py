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

    With ``closed`` only those to which no item can be added without losing a person: by prefix-preserving closure
    extension (Uno et al. 2004), each is met once, and nothing need be remembered. A closed set of more than
    ``longest`` items is not given, nor is a shorter one in its stead.

    ``bits`` [item, word] as :func:`persons_by_item` gives them.
    """
    support = np.array([sum_bits(row) for row in bits], np.int64)
    frequent = np.flatnonzero(support >= max(least, 1))
    order = frequent[np.argsort(support[frequent], kind="stable")]
    chosen = np.ascontiguousarray(bits[order])
    offsets, listed = _lists(chosen)
    room = 1 << 12
    while True:
        sizes, items, counts = (
            np.empty(room, np.int64),
            np.empty(room * 8, np.int32),
            np.empty(room, np.int64),
        )
        limits = (max(least, 1), min(longest, DEEPEST), closed)
        made = _search(chosen, offsets, listed, *limits, sizes, items, counts)
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
) -> int:
    """Sets found, -1 where there is no room for them; items are numbered by rising support.

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
    made, used, depth = 0, 0, 0
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
        if persons < least or held[item] or length[depth] >= longest:
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
            if not fits or size > longest:
                continue
        if made == len(sizes) or used + size > len(items):
            return -1
        sizes[made], found[made] = size, persons
        items[used : used + size] = path[:size]
        made, used = made + 1, used + size
        for at in range(length[depth], size):
            held[path[at]] = 1
        depth = deeper
        length[depth], following[depth] = size, item + 1
    return made
