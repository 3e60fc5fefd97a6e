"""Sets of persons as bits: 64 a word, so that an intersection of a million persons is 16,000 instructions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled

Bits = NDArray[np.uint64]


def words_for(persons: int) -> int:
    """Words that hold so many bits."""
    return (persons + 63) // 64


def as_bits(flags: NDArray[np.bool_]) -> Bits:
    """Rows of flags [.., person] as bits [.., word]."""
    width = words_for(flags.shape[-1]) * 64
    wide = np.zeros((*flags.shape[:-1], width), np.uint8)
    wide[..., : flags.shape[-1]] = flags
    return np.packbits(wide, axis=-1, bitorder="little").view(np.uint64)


def as_flags(bits: Bits, persons: int) -> NDArray[np.bool_]:
    """Rows of flags from bits.

    ``bits`` [.., word] become flags [.., person].
    """
    return np.unpackbits(bits.view(np.uint8), axis=-1, bitorder="little")[..., :persons].astype(bool)


@compiled
def ones(word: np.uint64) -> int:
    """How many bits of a word are set."""
    x = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int((x * np.uint64(0x0101010101010101)) >> np.uint64(56))


@compiled
def common(one: Bits, other: Bits) -> int:
    """Persons in both.

    Both [word], over the same persons.
    """
    total = 0
    for at in range(len(one)):
        total += ones(one[at] & other[at])
    return total


@compiled
def common_with_each(sets: Bits, others: Bits) -> NDArray[np.int32]:
    """Persons that each of ``sets`` [n, word] shares with each of ``others`` [m, word]."""
    found = np.zeros((len(sets), len(others)), np.int32)
    for row in range(len(sets)):
        for column in range(len(others)):
            found[row, column] = common(sets[row], others[column])
    return found


@compiled
def by_group(
    sets: Bits, group: NDArray[np.int64], label: NDArray[np.int8], groups: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Persons of each set by group, and those of them with the label: [set, group] each."""
    having, hit = np.zeros((len(sets), groups), np.int64), np.zeros((len(sets), groups), np.int64)
    for row in range(len(sets)):
        for at in range(sets.shape[1]):
            word = sets[row, at]
            while word:
                bit = word & (~word + np.uint64(1))
                person = at * 64 + ones(bit - np.uint64(1))
                having[row, group[person]] += 1
                hit[row, group[person]] += label[person]
                word ^= bit
    return having, hit
