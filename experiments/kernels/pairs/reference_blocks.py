"""The reference of a scan in blocks of codes, so that counters keep to a given memory: one lies open, the rest packed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.design import OPEN
from experiments.kernels.packing import PackedArray, pack
from experiments.kernels.pairs.grouping import Block
from experiments.kernels.pairs.reference import EXPOSED, WHAT, OwnShares, ReferenceCounts
from experiments.kernels.pairs.significant import Present

_REFERENCE_BYTES = 40
"""Of one stratum and code while the first pass counts: two halves of four counters, and those packed."""
_PAIR_BYTES, _BASELINE_BYTES = 44, 4
"""Of one pair of codes while the second pass counts, and of one stratum and code of what it is given."""


def blocks_within(memory: int, n_codes: int, strata: int) -> list[Block]:
    """The fewest blocks of codes, as equal as can be, whose counters take at most ``memory`` bytes in one process.

    A single code is the smallest block, whatever it takes.
    """
    each = max(_REFERENCE_BYTES * strata, _PAIR_BYTES * n_codes + _BASELINE_BYTES * strata)
    count = -(-n_codes // max(1, min(n_codes, memory // max(each, 1))))
    cuts = np.linspace(0, n_codes, count + 1).astype(int).tolist()
    return list(pairwise(cuts))


class ReferenceBlocks:
    """Merged counts of the first pass, block by block of the codes; ``first`` is that of the first block.

    With a single block it is held as it is. Once all blocks are there, ``persons_with`` counts persons by code, and
    ``shares`` says how much of a code's reference is of persons who have it, over everybody (None) and in the open half.
    """

    def __init__(self, blocks: list[Block], first: ReferenceCounts) -> None:
        self.blocks = blocks
        self.keys, self.persons, self.every, self.crowd = first.keys, first.persons, first.every, first.crowd
        self.persons_with = np.zeros(blocks[-1][1], np.int64)
        self.shares = {half: OwnShares(*np.zeros((2, blocks[-1][1]))) for half in (None, OPEN)}
        self._bits = np.zeros((len(first.keys), (blocks[-1][1] + 7) // 8), np.uint8)
        self._whole: ReferenceCounts | None = None
        self._packed: list[list[PackedArray]] = []
        self.add(first)

    def add(self, counts: ReferenceCounts) -> None:
        """The next block, over the same persons."""
        low, high = counts.block
        self.persons_with[low:high] = counts.persons_with()
        for half, shares in self.shares.items():
            for whole, part in zip(shares, counts.own_shares(half), strict=True):
                whole[low:high] = part
        _mark(counts.cells[:, :, EXPOSED], low, self._bits)
        if len(self.blocks) == 1:
            self._whole = counts
        else:
            self._packed.append(pack(counts.to_arrays()))

    @property
    def present(self) -> Present:
        """Which codes are exposures in which strata."""
        return Present(self.keys, self._bits)

    def block(self, number: int) -> ReferenceCounts:
        """The counts of one block."""
        return self._whole or ReferenceCounts.merge_packed([self._packed[number]])

    def of(self, codes: NDArray[np.integer]) -> ReferenceCounts:
        """The counts of some codes (ascending), as if they were all.

        ``codes`` [chosen code]; the last axis of the counts is theirs.
        """
        kind = np.int32 if self.every.sum() < 2**31 else np.int64
        cells = np.empty((len(self.keys), 2, WHAT, len(codes)), kind)
        for number, (low, high) in enumerate(self.blocks):
            start, stop = np.searchsorted(codes, (low, high))
            if start < stop:
                cells[..., start:stop] = self.block(number).cells[..., codes[start:stop] - low]
        return ReferenceCounts(self.keys, cells, self.persons, self.every, self.crowd)


@compiled
def _mark(exposed: NDArray[np.signedinteger], low: int, bits: NDArray[np.uint8]) -> None:
    for row in range(exposed.shape[0]):
        for code in range(exposed.shape[2]):
            if exposed[row, 0, code] > 0 or exposed[row, 1, code] > 0:
                place = low + code
                bits[row, place >> 3] |= np.uint8(1 << (place & 7))
