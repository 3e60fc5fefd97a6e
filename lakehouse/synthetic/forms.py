"""How rows become bytes of a file: delimited text, fixed width, Parquet, SAS; and how the parts of a file are joined."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from lakehouse.synthetic.layout import FileKind
from lakehouse.synthetic.registers import Columns
from lakehouse.synthetic.sas_file import write_sas


def encode(rows: Columns, kind: FileKind) -> bytes:
    """Rows as bytes of one part: text without a header in the file's encoding, or an Arrow stream for the other forms."""
    table = pa.table({name: rows[name] for name in kind.columns})
    if kind.form in ("parquet", "sas"):
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        return sink.getvalue()
    if kind.form == "fixed":
        return fixed_width(table, kind)
    buffer = io.BytesIO()
    options = csv.WriteOptions(include_header=False, delimiter=kind.delimiter, quoting_style="none")
    csv.write_csv(table, buffer, options)
    data = buffer.getvalue()
    if kind.encoding == "utf-8" or data.isascii():
        return data
    text = data.decode("utf-8")
    try:
        # Latin-1 has the Danish letters where cp1252 has them, and is written ten times faster.
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode(kind.encoding)


def fixed_width(table: pa.Table, kind: FileKind) -> bytes:
    """Lines in which each column fills its width, cut where it is longer."""
    columns = [
        [(value or "")[:width].ljust(width) for value in column.cast(pa.string()).to_pylist()]
        for column, width in zip(table.columns, kind.widths, strict=True)
    ]
    lines = ("".join(fields) + "\n" for fields in zip(*columns, strict=True))
    return "".join(lines).encode(kind.encoding)


def join_parts(parts: Path, target: Path, kind: FileKind) -> None:
    """One file out of all its parts, behind its header; parts are removed as they are taken over."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(".tmp")
    found = sorted(parts.iterdir()) if parts.is_dir() else []
    if kind.form == "parquet":
        join_parquet(found, temporary, kind)
    elif kind.form == "sas":
        join_sas(found, temporary, kind)
    else:
        with temporary.open("wb") as whole:
            whole.write(kind.header())
            for part in found:
                with part.open("rb") as piece:
                    shutil.copyfileobj(piece, whole, 1 << 20)
                part.unlink()
    temporary.replace(target)


def join_parquet(parts: list[Path], target: Path, kind: FileKind) -> None:
    """A Parquet file with a row group for each part; one without parts has text columns and no row."""
    writer: pq.ParquetWriter | None = None
    for part in parts:
        with part.open("rb") as handle:
            table = pa.ipc.open_stream(handle).read_all()
        writer = writer or pq.ParquetWriter(target, table.schema)
        writer.write_table(table)
        part.unlink()
    if writer is None:
        writer = pq.ParquetWriter(target, pa.schema([(name, pa.string()) for name in kind.columns]))
    writer.close()


def join_sas(parts: list[Path], target: Path, kind: FileKind) -> None:
    """A SAS file: text, numbers, and days and moments since 1960 under their formats."""
    tables = []
    for part in parts:
        with part.open("rb") as handle:
            tables.append(pa.ipc.open_stream(handle).read_all())
        part.unlink()
    empty = pa.table({name: pa.array([], pa.string()) for name in kind.columns})
    table = pa.concat_tables(tables) if tables else empty
    formats = {name: sas_format(table.schema.field(name).type) for name in table.column_names}
    columns = [column.to_pylist() for column in table.columns]
    write_sas(target, formats, zip(*columns, strict=True))


def sas_format(type: pa.DataType) -> str:
    """How a column of an Arrow type is written in SAS."""
    if pa.types.is_string(type):
        return "$"
    if pa.types.is_date(type):
        return "DATE9."
    return "DATETIME20." if pa.types.is_timestamp(type) else ""
