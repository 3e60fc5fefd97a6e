"""Arrays as bytes, small enough to send: whole numbers in as few bytes as their values need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled

ESCAPE = 255
"""Says that a value stands elsewhere."""


class PackedArray(NamedTuple):
    """One array: its name, type and shape, and its content.

    ``layout`` is ``plain``, or ``escaped``: one byte a value, 255 standing for a value kept in ``places`` and
    ``values`` (the count of them first, as an int64).
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    layout: str
    content: bytes | memoryview


def pack(arrays: Mapping[str, NDArray[np.generic]]) -> list[PackedArray]:
    """Arrays in a form ``unpack`` gives back exactly, type and shape included."""
    return [_pack(name, np.ascontiguousarray(array)) for name, array in arrays.items()]


def unpack(packed: Iterable[PackedArray]) -> dict[str, NDArray[np.generic]]:
    """The arrays that were packed.

    Each array has the shape and type it had when it was packed.
    """
    return {part.name: _unpack(PackedArray(*part)) for part in packed}


def _pack(name: str, array: NDArray[np.generic]) -> PackedArray:
    flat: NDArray[Any] = array.reshape(-1)
    if flat.dtype.kind in "iu" and flat.itemsize > 1 and flat.size:
        small = np.empty(flat.size, np.uint8)
        places = np.empty(flat.size // (8 + flat.itemsize), np.int64)
        count = shrink(flat, small, places)
        if count >= 0:
            places = places[:count]
            parts = (np.array([count], np.int64), places, flat[places], small)
            content = b"".join(part.data for part in parts)
            return PackedArray(name, flat.dtype.str, array.shape, "escaped", content)
    return PackedArray(name, flat.dtype.str, array.shape, "plain", flat.tobytes())


@compiled
def shrink(values: NDArray[Any], small: NDArray[np.uint8], places: NDArray[np.int64]) -> int:
    """One byte a value, ``ESCAPE`` for those at ``places``; returns how many these are, -1 where too many for it.

    ``values`` and ``small`` [value]; ``places`` [escaped value] is filled from the front.
    """
    count = 0
    for at in range(len(values)):
        if 0 <= values[at] < ESCAPE:
            small[at] = values[at]
        else:
            if count == len(places):
                return -1
            small[at], places[count] = ESCAPE, at
            count += 1
    return count


def escaped(part: PackedArray) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[Any]] | None:
    """One byte a value, where the larger values stand, and these; None for an array packed as it is. Nothing is copied.

    Arrays [value], [escaped value] and [escaped value], all flat.
    """
    if part.layout == "plain":
        return None
    kind = np.dtype(part.dtype)
    count = int(np.frombuffer(part.content, np.int64, 1)[0])
    places = np.frombuffer(part.content, np.int64, count, 8)
    values = np.frombuffer(part.content, kind, count, 8 + 8 * count)
    return np.frombuffer(part.content, np.uint8, -1, 8 + (8 + kind.itemsize) * count), places, values


def _unpack(part: PackedArray) -> NDArray[np.generic]:
    kind = np.dtype(part.dtype)
    apart = escaped(part)
    if apart is None:
        return np.frombuffer(part.content, kind).reshape(part.shape).copy()
    small, places, values = apart
    flat = small.astype(kind)
    flat[places] = values
    return flat.reshape(part.shape)
