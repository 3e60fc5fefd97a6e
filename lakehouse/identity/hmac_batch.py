"""HMAC-SHA-256 of many short messages at once: 32 lanes side by side, so that a processor's wide registers are full.

FIPS 180-4 and RFC 2104. Importing this loads the compiler's runtime, a second of a process; see
:func:`lakehouse.identity.pseudonyms.token_batch` for when that pays. The twin everything is held against is ``hashlib``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lakehouse.compiling import compiled

LANES = 32
BLOCK = 64
LONGEST = 55
"""Bytes of a message that leaves room for the padding in its one block."""

Words = np.ndarray[Any, np.dtype[np.uint32]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Offsets = np.ndarray[Any, np.dtype[np.int32]]


def root_fractions(count: int, power: int) -> Words:
    """First 32 bits behind the point of the square or cube roots of the first primes. The words are [prime]."""
    primes = [each for each in range(2, 312) if all(each % by for by in range(2, each))][:count]
    found = []
    for prime in primes:
        low, high = 0, prime << 32
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if middle**power <= prime << 32 * power else (low, middle - 1)
        found.append(low & 0xFFFFFFFF)
    return np.array(found, np.uint32)


INITIAL = root_fractions(8, 2)
ROUND = root_fractions(64, 3)


@compiled
def one_round(
    s: Words, a: int, b: int, c: int, d: int, e: int, f: int, g: int, h: int, words: Words, row: int
) -> None:
    """One round on the working variables, rows a to h of ``s``: d and h change, and the next round calls them e and a."""
    for lane in range(LANES):
        x = s[e * LANES + lane]
        y = s[a * LANES + lane]
        turned = ((x >> 6) | (x << 26)) ^ ((x >> 11) | (x << 21)) ^ ((x >> 25) | (x << 7))
        choice = s[g * LANES + lane] ^ (x & (s[f * LANES + lane] ^ s[g * LANES + lane]))
        first = np.uint32(s[h * LANES + lane] + turned + choice + ROUND[row] + words[row * LANES + lane])
        turned = ((y >> 2) | (y << 30)) ^ ((y >> 13) | (y << 19)) ^ ((y >> 22) | (y << 10))
        majority = (y & s[b * LANES + lane]) | (s[c * LANES + lane] & (y | s[b * LANES + lane]))
        s[d * LANES + lane] = np.uint32(s[d * LANES + lane] + first)
        s[h * LANES + lane] = np.uint32(first + turned + majority)


@compiled
def compress(state: Words, words: Words, work: Words) -> None:
    """Take a block into each lane's state. ``words`` holds it in its first 16 rows; the others are the schedule."""
    for row in range(16, 64):
        for lane in range(LANES):
            x = words[(row - 15) * LANES + lane]
            y = words[(row - 2) * LANES + lane]
            early = ((x >> 7) | (x << 25)) ^ ((x >> 18) | (x << 14)) ^ (x >> 3)
            late = ((y >> 17) | (y << 15)) ^ ((y >> 19) | (y << 13)) ^ (y >> 10)
            words[row * LANES + lane] = np.uint32(
                words[(row - 16) * LANES + lane] + early + words[(row - 7) * LANES + lane] + late
            )
    for at in range(8 * LANES):
        work[at] = state[at]
    for row in range(0, 64, 8):
        one_round(work, 0, 1, 2, 3, 4, 5, 6, 7, words, row)
        one_round(work, 7, 0, 1, 2, 3, 4, 5, 6, words, row + 1)
        one_round(work, 6, 7, 0, 1, 2, 3, 4, 5, words, row + 2)
        one_round(work, 5, 6, 7, 0, 1, 2, 3, 4, words, row + 3)
        one_round(work, 4, 5, 6, 7, 0, 1, 2, 3, words, row + 4)
        one_round(work, 3, 4, 5, 6, 7, 0, 1, 2, words, row + 5)
        one_round(work, 2, 3, 4, 5, 6, 7, 0, 1, words, row + 6)
        one_round(work, 1, 2, 3, 4, 5, 6, 7, 0, words, row + 7)
    for at in range(8 * LANES):
        state[at] = np.uint32(state[at] + work[at])


@compiled
def in_every_lane(values: Words, state: Words) -> None:
    """One state (8,) for all lanes. ``values`` are [word], ``state`` is [word x lane] in one dimension."""
    for row in range(8):
        for lane in range(LANES):
            state[row * LANES + lane] = values[row]


@compiled
def put_message(text: Bytes, begin: int, length: int, words: Words, lane: int) -> None:
    """One message as a lane's last block, padded; its first block was the key's. The lane holds zeros before.

    ``text`` is [byte], ``words`` are [word x lane] in one dimension.
    """
    whole = length // 4
    for row in range(whole):
        at = begin + 4 * row
        word = (text[at] << 24) | (text[at + 1] << 16) | (text[at + 2] << 8) | text[at + 3]
        words[row * LANES + lane] = np.uint32(word)
    last, shift = 0, 24
    for at in range(begin + 4 * whole, begin + length):
        last |= text[at] << shift
        shift -= 8
    words[whole * LANES + lane] = np.uint32(last | (0x80 << shift))
    words[15 * LANES + lane] = np.uint32((BLOCK + length) * 8)


@compiled
def fill_digests(key: Bytes, text: Bytes, offsets: Offsets, digests: Bytes) -> None:
    """First half of each message's HMAC into ``digests``, (n, 16); those of too long messages mean nothing.

    ``key`` is padded to a block. Its two states are lanes 0 and 1 of the first compression.
    ``text`` is [byte], ``offsets`` are [message + 1] into it.
    """
    words = np.zeros(64 * LANES, np.uint32)
    state = np.empty(8 * LANES, np.uint32)
    work = np.empty(8 * LANES, np.uint32)
    in_every_lane(INITIAL, state)
    for at in range(BLOCK):
        row = at // 4 * LANES
        words[row] = np.uint32(words[row] << 8 | (key[at] ^ 0x36))
        words[row + 1] = np.uint32(words[row + 1] << 8 | (key[at] ^ 0x5C))
    compress(state, words, work)
    inner, outer = state[0::LANES].copy(), state[1::LANES].copy()
    for first in range(0, len(digests), LANES):
        count = min(LANES, len(digests) - first)
        words[: 16 * LANES] = 0
        for lane in range(count):
            begin = offsets[first + lane]
            length = offsets[first + lane + 1] - begin
            if length <= LONGEST:
                put_message(text, begin, length, words, lane)
        in_every_lane(inner, state)
        compress(state, words, work)
        words[: 8 * LANES] = state
        words[8 * LANES : 9 * LANES] = 0x80000000
        words[9 * LANES : 15 * LANES] = 0
        words[15 * LANES : 16 * LANES] = (BLOCK + 32) * 8
        in_every_lane(outer, state)
        compress(state, words, work)
        for lane in range(count):
            for row in range(4):
                word = state[row * LANES + lane]
                for at in range(4):
                    digests[first + lane, 4 * row + at] = (word >> (24 - 8 * at)) & 0xFF


def half_digests(
    key: bytes, text: Bytes, offsets: Offsets
) -> tuple[Bytes, np.ndarray[Any, np.dtype[np.bool_]]]:
    """First 128 bits of HMAC-SHA-256, (n, 16), and which messages were too long for it, (n,) bool.

    Message k is ``text[offsets[k]:offsets[k + 1]]``; what stands for a long one means nothing. The key is at most
    a block long. Arrays go in as ones not to be written to, whoever owns them, so that there is one thing to compile.
    """
    text, offsets = text.view(), offsets.view()
    text.flags.writeable = offsets.flags.writeable = False
    digests = np.empty((len(offsets) - 1, 16), np.uint8)
    fill_digests(np.frombuffer(key.ljust(BLOCK, b"\0"), np.uint8), text, offsets, digests)
    return digests, np.diff(offsets) > LONGEST
