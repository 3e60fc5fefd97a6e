"""Arrow texts as numpy sees them: offsets and bytes without copying, or each distinct text once and where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]
    Offsets = np.ndarray[Any, np.dtype[np.int32]]


def text_buffers(array: pa.Array) -> tuple[Offsets, Bytes]:
    """Offsets (n + 1,) and bytes of an array of string or binary: text k is ``bytes[offsets[k]:offsets[k + 1]]``."""
    import numpy as np

    _, offsets, text = array.buffers()
    if not len(array):
        return np.zeros(1, np.int32), np.zeros(0, np.uint8)
    places = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
    return places, np.frombuffer(text, np.uint8) if text else np.zeros(0, np.uint8)


def letters_of(array: pa.Array, width: int) -> Bytes:
    """Letters (n, width) of texts that are all ``width`` bytes long; raises :class:`ValueError` on any other."""
    import numpy as np

    offsets, text = text_buffers(array)
    if array.null_count or np.any(np.diff(offsets) != width):
        raise ValueError(f"not all texts are {width} bytes long")
    return text[offsets[0] : offsets[-1]].reshape(len(array), width)


def texts_of(letters: Bytes) -> pa.Array:
    """Letters (n, width) as an array of string."""
    import numpy as np
    import pyarrow as pa

    count, width = letters.shape
    offsets = np.arange(count + 1, dtype=np.int32) * np.int32(width)
    return pa.StringArray.from_buffers(
        count, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(letters))
    )


def coded(column: pa.Array | pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    """Distinct texts of a column, and for each row which of them it has (null: none)."""
    import pyarrow as pa

    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    whole = whole.dictionary_encode()
    whole = whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole
    return whole.dictionary, whole.indices


def places_of(places: pa.Array, empty: int) -> np.ndarray[Any, Any]:
    """Where each row's distinct text is, (n,); ``empty`` for rows without one."""
    found: np.ndarray[Any, Any] = places.fill_null(empty).to_numpy(zero_copy_only=False)
    return found
