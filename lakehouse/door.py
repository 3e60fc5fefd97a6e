"""The door: a worker reads its part of a file and hands on tokens; clear identifiers never leave this module.

What runs here runs inside a Python worker. The JVM, and with it every plan, shuffle, log and table, sees only
what :func:`read_chunk` yields. Messages name the file and the kind of fault, never a value.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.cpr import CANDIDATE, mask, scrub
from lakehouse.errors import DataError, PatternlakeError
from lakehouse.pseudonym import key_tokens, person_tokens
from lakehouse.schema import TOKENS, Table, Type
from lakehouse.survey import Chunk

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

STEP_BYTES = 8 << 20
STEP_ROWS = 100_000
LOST = "\ufffd"
"""What a byte becomes that the declared encoding does not know."""
EXTRA = "file_id STRING, row_number BIGINT, delivered DATE, door_reason STRING, door_example STRING"


@dataclass(frozen=True)
class Part:
    """A chunk with what is needed to read it. ``columns`` as in :class:`lakehouse.survey.Surveyed`."""

    chunk: Chunk
    name: str
    columns: tuple[str, ...]
    delivered: str | None
    issuer: str


@dataclass(frozen=True)
class Door:
    """Everything a worker needs to read parts of one table: small, and without any key.

    ``verbatim`` says that columns declared so may keep what looks like a person number, because the lake
    holds no Danish identifiers and codes must come through unchanged.
    """

    table: Table
    identifier: str
    key_file: str
    parts: tuple[Part, ...]
    verbatim: bool

    @property
    def ddl(self) -> str:
        """Schema of the bronze table."""
        return EXTRA + "".join(f", `{each.name}` STRING" for each in self.table.fields)

    def frames(self) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
        """For ``mapInPandas``: each incoming id is a part, and comes back as its rows."""

        def read(ids: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
            import pandas as pd

            for frame in ids:
                for position in frame["id"]:
                    for table in read_chunk(self, self.parts[int(position)]):
                        yield table.to_pandas(types_mapper=pd.ArrowDtype)

        return read


def read_chunk(door: Door, part: Part) -> Iterator[pa.Table]:
    """Rows of one part as bronze columns. Anything unforeseen becomes a refusal without values in it."""
    try:
        done = 0
        for columns, reasons, shown in raw_blocks(door.table, part):
            yield bronze_block(door, part, columns, reasons, shown, part.chunk.first_row + done)
            done += len(reasons)
        if done != part.chunk.rows:
            raise DataError(
                f"{part.name} gave {done} rows where {part.chunk.rows} were counted.",
                "It changed while it was read.",
                "Fetch the file again and repeat the ingest.",
            )
    except PatternlakeError:
        raise
    except Exception as error:
        raise DataError(
            f"{part.name} could not be read ({type(error).__name__}).",
            "It changed while it was read, or is not what its name says.",
            "Fetch the file again and repeat the ingest.",
        ) from None


Block = tuple[dict[str, Any], "np.ndarray[Any, Any]", "dict[int, str]"]
"""Delivered text by field, the reason of each row the door refuses (else None), and what to show of those."""


def raw_blocks(table: Table, part: Part) -> Iterator[Block]:
    """Blocks of a part, with corrupt rows and repeated rows marked."""
    if part.chunk.form == "parquet":
        yield from parquet_blocks(part)
        return
    seen: dict[bytes, int] = {}
    row = part.chunk.first_row
    for raw in line_blocks(part.chunk):
        columns, reasons, shown = text_block(table, part, raw)
        if table.once:
            mark_repeated(raw, row, seen, reasons, shown)
        row += len(reasons)
        yield columns, reasons, shown


def mark_repeated(raw: bytes, row: int, seen: dict[bytes, int], reasons: Any, shown: dict[int, str]) -> None:
    """Refuse lines that stood in this part before; ``seen`` keeps each line with its row number."""
    lines = [line for line in raw.split(b"\n") if line.strip(b"\r")]
    before = len(seen)
    for number, line in enumerate(lines, row):
        seen.setdefault(line, number)
    if len(seen) - before == len(lines):
        return
    for position, line in enumerate(lines):
        if seen[line] != row + position and reasons[position] is None:
            reasons[position] = "duplicate"
            shown[position] = f"as row {seen[line]}"


def line_blocks(chunk: Chunk) -> Iterator[bytes]:
    """Whole lines of a chunk, some megabytes at a time."""
    with Path(chunk.path).open("rb") as handle:
        packed = chunk.form == "gzip"
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

    text = raw if table.encoding == "utf-8" else raw.decode(table.encoding, "replace").encode()
    clean = text.decode("utf-8", "replace").encode() if table.encoding == "utf-8" else text
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


def parquet_blocks(part: Part) -> Iterator[Block]:
    """Row groups as text, so that every form of delivery meets the same conversions."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    groups = list(range(part.chunk.start, part.chunk.stop))
    with pq.ParquetFile(part.chunk.path) as file:
        names = file.schema_arrow.names
        wanted = {name: part.columns[place] for place, name in enumerate(names) if part.columns[place]}
        for batch in file.iter_batches(STEP_ROWS, row_groups=groups, columns=list(wanted)):
            columns = {wanted[name]: as_text(batch.column(name)) for name in wanted}
            reasons = np.full(batch.num_rows, None, dtype=object)
            yield {name: pa.chunked_array([column]) for name, column in columns.items()}, reasons, {}


def as_text(column: pa.Array) -> pa.Array:
    """Any flat Arrow column as text; times in UTC lose their zone, since the lake keeps local clock times."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us"), safe=False)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    text = column.cast(pa.string())
    return pc.if_else(pc.equal(text, ""), None, text)


def bronze_block(
    door: Door,
    part: Part,
    columns: dict[str, Any],
    reasons: np.ndarray[Any, Any],
    shown: dict[int, str],
    first: int,
) -> pa.Table:
    """Tokens for identifiers, scrubbed text for everything else, and the reasons of rows the door refuses."""
    import numpy as np
    import pyarrow as pa

    rows = len(reasons)
    issuers = columns.get(door.table.issuer)
    out: dict[str, Any] = {}
    for field in door.table.fields:
        column = columns.get(field.name)
        if column is None:
            out[field.name] = pa.nulls(rows, pa.string())
            continue
        encoded = column.combine_chunks().dictionary_encode()
        encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
        if field.type is Type.PERSON and door.identifier == "cpr":
            out[field.name] = cpr_column(door, field.name, field.filled, encoded, issuers, reasons, shown)
        elif field.type in TOKENS:
            out[field.name] = key_column(door, part, field.name, encoded)
        else:
            keep = field.type is Type.VERBATIM and door.verbatim
            out[field.name] = encoded if keep else scrubbed(encoded)
            mark_lost(encoded, reasons, shown, field.name)
    delivered = pa.array([part.delivered], pa.string()).cast(pa.date32())
    head = {
        "file_id": pa.DictionaryArray.from_arrays(
            pa.array(np.zeros(rows, np.int32)), pa.array([part.chunk.file_id])
        ),
        "row_number": pa.array(np.arange(first, first + rows, dtype=np.int64)),
        "delivered": delivered.take(pa.array(np.zeros(rows, np.int32))),
        "door_reason": pa.array(reasons.tolist(), pa.string()),
        "door_example": pa.array([None] * rows, pa.string()) if not shown else shapes(rows, shown),
    }
    plain = {
        name: c.dictionary_decode() if isinstance(c, pa.DictionaryArray) else c
        for name, c in (head | out).items()
    }
    return pa.table(plain)


def shapes(rows: int, shown: dict[int, str]) -> pa.Array:
    """The masked examples of bad rows as a column."""
    import pyarrow as pa

    return pa.array([shown.get(row) for row in range(rows)], pa.string())


def cpr_column(
    door: Door,
    name: str,
    filled: bool,
    encoded: pa.DictionaryArray,
    issuers: Any,
    reasons: Any,
    shown: dict[int, str],
) -> pa.Array:
    """Person tokens; a row whose subject has none is refused with the reason and the shape of what stood there."""
    import numpy as np
    import pyarrow as pa

    values = encoded.dictionary.to_pylist()
    codes = encoded.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
    issuer = [door.table.name] * len(values)
    if issuers is not None and any(not value.isdigit() for value in values):
        pairs = list(zip(encoded.to_pylist(), issuers.to_pylist(), strict=True))
        distinct = {
            pair: number for number, pair in enumerate(dict.fromkeys(p for p in pairs if p[0] is not None))
        }
        values = [value for value, _ in distinct]
        issuer = [source or door.table.name for _, source in distinct]
        codes = np.array([distinct.get(pair, len(values)) for pair in pairs])
    tokens, why = person_tokens(door.key_file, values, issuer)
    if filled:
        causes = np.array([*(cause or None for cause in why), "no_subject"], dtype=object)[codes]
        for row in np.flatnonzero((causes != None) & (reasons == None)):  # noqa: E711
            reasons[row] = causes[row]
            shown[int(row)] = (
                f"{name}={mask(values[codes[row]])}" if codes[row] < len(values) else f"{name} is empty"
            )
    return pa.array([*tokens, None], pa.string()).take(pa.array(codes))


def key_column(door: Door, part: Part, name: str, encoded: pa.DictionaryArray) -> pa.DictionaryArray:
    """Tokens of record keys or foreign person ids, made once for each distinct value."""
    import pyarrow as pa

    field = door.table.field(name)
    domain = "person" if field.type is Type.PERSON else field.domain
    kind = door.identifier if field.type is Type.PERSON else f"{door.identifier}-{field.domain}"
    tokens = key_tokens(door.key_file, domain, kind, part.issuer, encoded.dictionary.to_pylist())
    return pa.DictionaryArray.from_arrays(encoded.indices, pa.array(tokens, pa.string()))


def scrubbed(encoded: pa.DictionaryArray) -> pa.DictionaryArray:
    """Distinct values with person numbers taken out; a cheap test spares nearly all of them the closer look."""
    import pyarrow as pa
    import pyarrow.compute as pc

    suspicious = pc.match_substring_regex(encoded.dictionary, CANDIDATE)
    if not pc.any(suspicious).as_py():
        return encoded
    cleaned = [
        scrub(value) if look else value
        for value, look in zip(encoded.dictionary.to_pylist(), suspicious.to_pylist(), strict=True)
    ]
    return pa.DictionaryArray.from_arrays(encoded.indices, pa.array(cleaned, pa.string()))


def mark_lost(encoded: pa.DictionaryArray, reasons: Any, shown: dict[int, str], name: str) -> None:
    """Refuse rows with a byte that the declared encoding does not know: what stood there cannot be told."""
    import numpy as np
    import pyarrow.compute as pc

    lost = pc.match_substring(encoded.dictionary, LOST)
    if not pc.any(lost).as_py():
        return
    hit = lost.take(encoded.indices).fill_null(False).to_numpy(zero_copy_only=False)
    for row in np.flatnonzero(hit & (reasons == None)):  # noqa: E711
        reasons[row] = "undecodable"
        shown[int(row)] = f"{name} holds bytes that are not in the declared encoding"
