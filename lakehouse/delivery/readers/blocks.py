"""A part of a delivered file as columns of text: fast where rows are sound, line by line where one is not.

Runs inside a Python worker, on clear text: nothing here may log, raise or return a value but to pseudonymisation.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.declarations.schema import Table
from lakehouse.declarations.wide import gathered
from lakehouse.delivery.readers.chunks import Chunk
from lakehouse.delivery.readers.fhir_bundles import bundle_blocks
from lakehouse.delivery.readers.fixed_width import fixed_block
from lakehouse.delivery.readers.sas import number_text, sas_columns
from lakehouse.identity.person_numbers import mask

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

STEP_BYTES = 8 << 20
STEP_ROWS = 100_000


@dataclass(frozen=True)
class Part:
    """A chunk with what is needed to read it, as surveyed; no encoding is the declared one.

    ``fresh`` are the numbers of the rows wanted, in order (None: all), ``repeats`` those among them that equal an
    earlier row of the file.
    """

    chunk: Chunk
    name: str
    columns: tuple[str, ...]
    delivered: str | None
    issuer: str
    encoding: str = ""
    fresh: tuple[int, ...] | None = None
    repeats: Mapping[int, int] = field(default_factory=dict)


Block = tuple[dict[str, Any], "np.ndarray[Any, Any]", "dict[int, str]"]
"""Delivered text by field, the reason of each row pseudonymisation refuses (else None), and what to show of those."""


def raw_blocks(table: Table, part: Part) -> Iterator[tuple[Block, np.ndarray[Any, Any], int]]:
    """Blocks of a part with the numbers of their rows, and how many rows were passed by in all to get them."""
    import numpy as np

    first = part.chunk.first_row
    text = part.chunk.form.startswith("text")
    blocks = text_blocks(table, part) if text else every_row(form_blocks(table, part))
    for columns, reasons, shown, passed in blocks:
        numbers = np.arange(first, first + passed, dtype=np.int64)
        if part.fresh is not None:
            numbers = wanted(part, first, passed)
            if not text:
                columns, reasons, shown = taken(columns, reasons, shown, numbers - first)
        block = gathered(table, columns, len(reasons)), reasons, shown
        mark_repeated(table, part, numbers, block)
        yield block, numbers, passed
        first += passed


def wanted(part: Part, first: int, passed: int) -> np.ndarray[Any, Any]:
    """Numbers of the fresh rows among those passed by."""
    import numpy as np

    fresh = np.asarray(part.fresh, dtype=np.int64)
    begin, end = np.searchsorted(fresh, [first, first + passed])
    return fresh[begin:end]


def every_row(blocks: Iterator[Block]) -> Iterator[tuple[dict[str, Any], Any, dict[int, str], int]]:
    """Blocks with how many rows they hold."""
    for columns, reasons, shown in blocks:
        yield columns, reasons, shown, len(reasons)


def taken(columns: dict[str, Any], reasons: Any, shown: dict[int, str], rows: Any) -> Block:
    """Some rows of a block."""
    kept = {int(row): place for place, row in enumerate(rows)}
    return (
        {name: column.take(rows) for name, column in columns.items()},
        reasons[rows],
        {kept[row]: text for row, text in shown.items() if row in kept},
    )


def mark_repeated(table: Table, part: Part, numbers: np.ndarray[Any, Any], block: Block) -> None:
    """Refuse rows that stood in the file before, where the declaration says that each counts once."""
    import numpy as np

    _, reasons, shown = block
    if not table.once or not part.repeats:
        return
    for place in np.flatnonzero(np.isin(numbers, list(part.repeats))).tolist():
        if reasons[place] is None:
            reasons[place] = "duplicate"
            shown[place] = f"as row {part.repeats[int(numbers[place])]}"


def form_blocks(table: Table, part: Part) -> Iterator[Block]:
    """Blocks of a part that is no text, as its form gives them.

    Columns and reasons have one entry a row of the block. Raises :class:`ValueError` for a form that no reader knows.
    """
    match part.chunk.form.partition("+")[0]:
        case "parquet":
            yield from parquet_blocks(table, part)
        case "sas":
            for columns, rows in sas_columns(part.chunk, part.columns, table.decimal):
                yield columns, unrefused(rows), {}
        case "json" | "ndjson":
            yield from bundle_blocks(table, part.chunk)
        case form:
            raise ValueError(f"no form: {form}")


def unrefused(rows: int) -> np.ndarray[Any, Any]:
    """Reasons of rows that the form itself does not refuse."""
    import numpy as np

    return np.full(rows, None, dtype=object)


def text_blocks(table: Table, part: Part) -> Iterator[tuple[dict[str, Any], Any, dict[int, str], int]]:
    """Blocks of lines of text, with how many lines were passed by; only those wanted are parsed."""
    row = part.chunk.first_row
    for raw in line_blocks(part.chunk):
        if part.fresh is None:
            columns, reasons, shown = text_block(table, part, raw)
            passed = len(reasons)
        else:
            lines = rows_of(raw)
            passed = len(lines)
            chosen = [lines[number - row] for number in wanted(part, row, passed).tolist()]
            columns, reasons, shown = text_block(table, part, b"\n".join(chosen)) if chosen else nothing(part)
        yield columns, reasons, shown, passed
        row += passed


def nothing(part: Part) -> Block:
    """A block without rows."""
    import pyarrow as pa

    return (
        {name: pa.chunked_array([pa.array([], pa.string())]) for name in part.columns if name},
        unrefused(0),
        {},
    )


def rows_of(raw: bytes) -> list[bytes]:
    """The lines of a block that are rows, without their ends."""
    return [line for line in raw.replace(b"\r\n", b"\n").split(b"\n") if line.strip(b"\r")]


def line_blocks(chunk: Chunk) -> Iterator[bytes]:
    """Whole lines of a chunk, some megabytes at a time."""
    with Path(chunk.path).open("rb") as handle:
        packed = chunk.form.endswith("+gzip")
        stream = gzip.GzipFile(fileobj=handle) if packed else handle
        left = -1 if packed else chunk.stop - chunk.start
        stream.seek(chunk.start)
        tail = b""
        while left:
            block = stream.read(STEP_BYTES if left < 0 else min(STEP_BYTES, left))
            if not block:
                break
            left -= len(block) if left > 0 else 0
            whole, newline, rest = (tail + block).rpartition(b"\n")
            tail = rest
            if newline:
                yield whole + newline
        if tail.strip(b"\r"):
            yield tail


def text_block(table: Table, part: Part, raw: bytes) -> Block:
    """Parse whole lines: at once when all is well, line by line when a row is not."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    text = raw.decode(part.encoding or table.encoding, "replace")
    if table.fixed:
        return fixed_block(table, text)
    clean = text.encode("utf-8", "replace")
    places = [str(number) for number in range(len(part.columns))]
    faults: list[int] = []

    def refuse(row: object) -> str:
        faults.append(1)
        return "skip"

    wanted = [place for place, name in zip(places, part.columns, strict=True) if name]
    try:
        parsed = arrow_csv.read_csv(
            io.BytesIO(clean),
            arrow_csv.ReadOptions(use_threads=False, block_size=len(clean) + 1, column_names=places),
            arrow_csv.ParseOptions(delimiter=table.delimiter, invalid_row_handler=refuse),
            arrow_csv.ConvertOptions(
                column_types={place: pa.string() for place in places},
                include_columns=wanted,
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid:
        faults.append(1)
    lines = clean.count(b"\n") + (not clean.endswith(b"\n"))
    if faults or parsed.num_rows != lines:
        return slow_block(table, part, clean.decode())
    columns = {part.columns[int(place)]: parsed.column(place) for place in wanted}
    return columns, np.full(parsed.num_rows, None, dtype=object), {}


def slow_block(table: Table, part: Part, text: str) -> Block:
    """The same, one line at a time; a line that is no row keeps its number and shows only its shape."""
    import numpy as np
    import pyarrow as pa

    rows: list[list[str | None]] = []
    examples: dict[int, str] = {}
    width = len(part.columns)
    for line in (each.rstrip("\r") for each in text.split("\n")):
        if not line:
            continue
        try:
            fields = next(csv.reader([line], delimiter=table.delimiter, strict=True))
        except csv.Error:
            fields = []
        if len(fields) != width:
            examples[len(rows)] = f"{len(fields) or 'no'} of {width} fields: {mask(line)}"
        rows.append([field or None for field in fields] if len(fields) == width else [None] * width)
    reasons = np.full(len(rows), None, dtype=object)
    reasons[list(examples)] = "corrupt_row"
    columns = {
        name: pa.chunked_array([pa.array([row[place] for row in rows], pa.string())])
        for place, name in enumerate(part.columns)
        if name
    }
    return columns, reasons, examples


def parquet_blocks(table: Table, part: Part) -> Iterator[Block]:
    """Row groups as text, so that every form of delivery meets the same conversions."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    groups = list(range(part.chunk.start, part.chunk.stop))
    with pq.ParquetFile(part.chunk.path) as file:
        names = file.schema_arrow.names
        wanted = {name: part.columns[place] for place, name in enumerate(names) if part.columns[place]}
        for batch in file.iter_batches(STEP_ROWS, row_groups=groups, columns=list(wanted)):
            columns = {wanted[name]: as_text(batch.column(name), table.decimal) for name in wanted}
            yield (
                {name: pa.chunked_array([column]) for name, column in columns.items()},
                unrefused(batch.num_rows),
                {},
            )


def as_text(column: pa.Array, decimal: str) -> pa.Array:
    """Any flat Arrow column as text; times in UTC lose their zone, since the lake keeps local clock times."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        texts = [None if value is None else value.decode("utf-8", "replace") for value in column.to_pylist()]
        column = pa.array(texts, pa.string())
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us"), safe=False)
    if pa.types.is_floating(column.type):
        return number_text(pc.if_else(pc.is_nan(column), None, column), decimal).combine_chunks()
    if pa.types.is_decimal(column.type) and decimal == ",":
        return pc.replace_substring(column.cast(pa.string()), ".", ",")
    text = column.cast(pa.string())
    return pc.if_else(pc.equal(text, ""), None, text)
