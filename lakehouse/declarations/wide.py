"""Many like columns of a row as one list: weeks of benefits, questions of a form; read once, unfolded into events."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from lakehouse.declarations.schema import Field, Table, Type

if TYPE_CHECKING:
    import pyarrow as pa

SEPARATOR = ":"
"""Between field and column in the names of gathered columns; no field's name holds it."""


def gathered_name(table: Table, header: str) -> str:
    """``field:column`` of a header that a ``WIDE`` field gathers; empty when none does."""
    for each in table.fields:
        if each.type is Type.WIDE and (found := re.fullmatch(each.gathers, header)):
            name = found[1] if found.groups() else header
            return f"{each.name}{SEPARATOR}{each.renamed.get(name, name)}"
    return ""


def gathered(table: Table, columns: dict[str, Any], rows: int) -> dict[str, Any]:
    """Columns of a block with those gathered brought together: one JSON list of [first, last, value] a row."""
    wide = [each for each in table.fields if each.type is Type.WIDE]
    if not wide:
        return columns
    kept = {name: column for name, column in columns.items() if SEPARATOR not in name}
    for each in wide:
        head = f"{each.name}{SEPARATOR}"
        parts = [(name[len(head) :], column) for name, column in columns.items() if name.startswith(head)]
        kept[each.name] = lists(each, parts, rows)
    return kept


def lists(field: Field, parts: list[tuple[str, Any]], rows: int) -> pa.ChunkedArray:
    """The filled cells of each row in the order of the columns; equal neighbours as one where runs are asked for."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found: list[list[list[str]]] = [[] for _ in range(rows)]
    reached = [-2] * rows
    for place, (name, column) in enumerate(parts):
        text = pc.utf8_trim_whitespace(column.combine_chunks())
        filled = pc.indices_nonzero(pc.fill_null(pc.not_equal(text, ""), False))
        for row, value in zip(filled.to_pylist(), text.take(filled).to_pylist(), strict=True):
            cells = found[row]
            if field.runs and reached[row] == place - 1 and cells[-1][2] == value:
                cells[-1][1] = name
            else:
                cells.append([name, name, value])
            reached[row] = place
    texts = [
        json.dumps(cells, ensure_ascii=False, separators=(",", ":")) if cells else None for cells in found
    ]
    return pa.chunked_array([pa.array(texts, pa.string())])


def cells_of(text: str) -> list[str]:
    """The values in such a list."""
    return [value for _, _, value in json.loads(text)]
