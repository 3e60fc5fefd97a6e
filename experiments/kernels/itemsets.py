"""Frequent and closed sets of codes, depth first over sets of persons held as bits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.bitsets import Bits, common, ones, words_for

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
    """
    support = np.array([sum_bits(row) for row in bits], np.int64)
    frequent = np.flatnonzero(support >= max(least, 1))
    order = frequent[np.argsort(support[frequent], kind="stable")]
    chosen = np.ascontiguousarray(bits[order])
    room = 1 << 12
    while True:
        sizes, items, counts = (
            np.empty(room, np.int64),
            np.empty(room * 8, np.int32),
            np.empty(room, np.int64),
        )
        made = _search(
            chosen, support[order], max(least, 1), min(longest, DEEPEST), closed, sizes, items, counts
        )
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
    """Persons in a set."""
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
def _inside(part: Bits, whole: Bits) -> bool:
    missing = np.uint64(0)
    for at in range(len(part)):
        missing = part[at] & ~whole[at]
        if missing != 0:
            break
    return bool(missing == 0)


@compiled
def _search(
    bits: Bits,
    support: NDArray[np.int64],
    least: int,
    longest: int,
    closed: bool,
    sizes: NDArray[np.int64],
    items: NDArray[np.int32],
    counts: NDArray[np.int64],
) -> int:
    """Sets found, -1 where there is no room for them; items are numbered by rising support."""
    n, words = bits.shape
    who = np.empty((longest + 2, words), np.uint64)
    path = np.empty(4 * n + longest + 2, np.int32)
    length = np.zeros(longest + 2, np.int64)
    following = np.zeros(longest + 2, np.int64)
    held = np.zeros(n, np.int64)
    made, used, depth = 0, 0, 0
    persons = 0
    who[0, :] = np.uint64(0)
    for item in range(n):
        for word in range(words):
            who[0, word] |= bits[item, word]
    everybody = who[0].copy()
    while depth >= 0:
        item = following[depth]
        if item == n:
            for at in range(length[depth - 1] if depth else 0, length[depth]):
                held[path[at]] = 0
            depth -= 1
            continue
        following[depth] += 1
        if held[item] or length[depth] >= longest:
            continue
        persons = common(who[depth], bits[item]) if depth else support[item]
        if persons < least:
            continue
        below = who[depth + 1]
        for word in range(words):
            below[word] = (who[depth, word] if depth else everybody[word]) & bits[item, word]
        size = length[depth]
        path[size] = item
        size += 1
        if closed:
            fits = True
            for other in range(item):
                if not held[other] and support[other] >= persons and _inside(below, bits[other]):
                    fits = False
                    break
            if not fits:
                continue
            for other in range(item + 1, n):
                if not held[other] and support[other] >= persons and _inside(below, bits[other]):
                    path[size] = other
                    size += 1
        if size > longest:
            continue
        if made == len(sizes) or used + size > len(items):
            return -1
        sizes[made], counts[made] = size, persons
        items[used : used + size] = path[:size]
        made, used = made + 1, used + size
        for at in range(length[depth], size):
            held[path[at]] = 1
        depth += 1
        length[depth], following[depth] = size, item + 1
    return made
