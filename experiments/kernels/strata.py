"""Numbers for the strata that occur, in order of encounter, so that counters in use lie close together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled

_FREE = -1


class StrataIndex:
    """A growing map from stratum key to row number (0, 1, 2, … as keys are met)."""

    def __init__(self, keys: NDArray[np.int64] | None = None) -> None:
        self._slots = np.full(1 << 12, _FREE, np.int64)
        self._rows = np.zeros(1 << 12, np.int32)
        self._keys = np.empty(1 << 11, np.int64)
        self.count = 0
        if keys is not None:
            self.rows(keys)

    @property
    def keys(self) -> NDArray[np.int64]:
        """Keys by row number.

        [row].
        """
        return self._keys[: self.count]

    def rows(self, keys: NDArray[np.int64]) -> NDArray[np.int32]:
        """Row number of each key; keys not met before are given the next numbers.

        ``keys`` [exposure], returns [exposure].
        """
        rows = np.empty(len(keys), np.int32)
        done = 0
        while True:
            done, self.count = _number(keys, done, self._slots, self._rows, self._keys, self.count, rows)
            if done == len(keys):
                return rows
            self._grow()

    def _grow(self) -> None:
        """Twice the room, with every key put in its place again."""
        known = self.keys.copy()
        self._slots = np.full(2 * len(self._slots), _FREE, np.int64)
        self._rows = np.zeros(len(self._slots), np.int32)
        self._keys = np.empty(len(self._slots) // 2, np.int64)
        self.count = 0
        self.rows(known)


@compiled
def _number(
    keys: NDArray[np.int64],
    start: int,
    slots: NDArray[np.int64],
    slot_rows: NDArray[np.int32],
    known: NDArray[np.int64],
    count: int,
    rows: NDArray[np.int32],
) -> tuple[int, int]:
    """Open addressing; stops where the table is half full. Returns (keys done, strata known)."""
    mask = len(slots) - 1
    last_key, last_row = np.int64(-1), np.int32(0)
    for at in range(start, len(keys)):
        key = keys[at]
        if key != last_key:
            slot = ((key * 0x9E3779B97F4A7C1) >> 24) & mask
            while slots[slot] != key:
                if slots[slot] == -1:
                    if count == len(known):
                        return at, count
                    slots[slot], slot_rows[slot], known[count] = key, count, key
                    count += 1
                    break
                slot = (slot + 1) & mask
            last_key, last_row = key, slot_rows[slot]
        rows[at] = last_row
    return len(keys), count
