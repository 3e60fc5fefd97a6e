"""Lines of fixed width, such as the classification files, as columns of text; there is no header.

Runs inside a Python worker, on clear text: nothing here may log, raise or return a value but to pseudonymisation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lakehouse.declarations.schema import Table

if TYPE_CHECKING:
    import numpy as np


def needed_width(table: Table) -> int:
    """Characters a line must have: up to the first of the last column that is always filled."""
    return max((each.span[0] for each in table.fields if each.filled), default=1)


def fixed_block(table: Table, text: str) -> tuple[dict[str, Any], np.ndarray[Any, Any], dict[int, str]]:
    """Columns of whole lines; a line too short to be a row keeps its number and shows its length."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    lines = [line for line in (each.rstrip("\r") for each in text.split("\n")) if line]
    whole = pa.array(lines, pa.string())
    least = needed_width(table)
    short = pc.less(pc.utf8_length(whole), least).to_numpy(zero_copy_only=False)
    reasons = np.full(len(lines), None, dtype=object)
    reasons[short] = "corrupt_row"
    shown = {
        row: f"{len(lines[row])} characters of at least {least}" for row in np.flatnonzero(short).tolist()
    }
    kept = pc.if_else(pa.array(short), None, whole)
    columns = {}
    for each in table.fields:
        first, last = each.span
        cut = pc.utf8_trim_whitespace(pc.utf8_slice_codeunits(kept, first - 1, last))
        columns[each.name] = pa.chunked_array([pc.if_else(pc.equal(cut, ""), None, cut)])
    return columns, reasons, shown
