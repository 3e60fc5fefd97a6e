"""The hash of a result, by which a repeated run shows that it found the same."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

OF_THE_RUN = ("run_id", "code_version")
"""Columns that name the run rather than what it found."""


def table_hash(table: pa.Table) -> str:
    """SHA-256 over the content of a table, whatever its chunks and whatever lies under its nulls.

    A list's elements are called ``item`` in memory and ``element`` once they were in a Parquet file: the same type.
    """
    digest = hashlib.sha256()
    for name in table.column_names:
        if name not in OF_THE_RUN:
            column = table.column(name)
            digest.update(f"{name} {column.type}".replace("<element: ", "<item: ").encode())
            _add(digest, column)
    return digest.hexdigest()


def _add(digest: Any, column: Any) -> None:
    """Add a column: which values are null, then the others; lists and structs by their parts."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    digest.update(np.packbits(np.asarray(column.is_valid())).tobytes())
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        digest.update(np.asarray(pc.fill_null(pc.list_value_length(column), 0)).astype("<i8").tobytes())
        _add(digest, pc.list_flatten(column))
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        texts = pc.fill_null(column, "")
        digest.update(np.asarray(pc.binary_length(texts)).astype("<i8").tobytes())
        digest.update("".join(texts.to_pylist()).encode())
    elif pa.types.is_struct(kind):
        for place in range(kind.num_fields):
            digest.update(kind.field(place).name.encode())
            _add(digest, pc.struct_field(column, place))
    else:
        plain = _plain(kind)
        digest.update(_values(column) if plain else json.dumps(column.to_pylist(), default=str).encode())


def _plain(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _values(column: Any) -> bytes:
    import numpy as np
    import pyarrow.compute as pc

    return np.ascontiguousarray(np.asarray(pc.drop_null(column))).tobytes()
