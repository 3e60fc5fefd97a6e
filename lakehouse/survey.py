"""First look at a file: its digest, its header and its physical rows, counted apart from whatever reads it later."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lakehouse.cpr import scrub
from lakehouse.delivery import Delivery, Found
from lakehouse.errors import DataError
from lakehouse.schema import Table

BLOCK_BYTES = 4 << 20
CHUNK_BYTES = 32 << 20
CHUNK_ROWS = 500_000
WRAPPED = re.compile(r"^date(?:time)?\(\s*(\w+)\s*,\s*'unixepoch'\s*\)$")
"""A header some exports leave behind: the expression instead of the column's name."""


@dataclass(frozen=True)
class Chunk:
    """A part of a file that one task reads: bytes of a text file, row groups of a Parquet file, or a whole gzip.

    ``first_row`` is the number of its first data row, from 1; ``rows`` how many it holds.
    """

    file_id: str
    path: str
    form: str
    start: int
    stop: int
    first_row: int
    rows: int


@dataclass(frozen=True)
class Surveyed:
    """A file as it is to be read. ``columns`` gives for each header position the field it fills, or ``""``."""

    found: Found
    delivery: Delivery
    sha256: str
    size: int
    columns: tuple[str, ...]
    rows: int
    chunks: tuple[Chunk, ...]
    warnings: tuple[str, ...] = ()

    @property
    def file_id(self) -> str:
        """First 16 hex digits of the digest: the file's name everywhere in the lake."""
        return self.sha256[:16]


class Hashing(io.RawIOBase):
    """A raw reader that digests every byte that passes."""

    def __init__(self, raw: IO[bytes]) -> None:
        self.raw, self.digest = raw, hashlib.sha256()

    def readable(self) -> bool:
        """Readers below ask first."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill a buffer from the file, digesting on the way."""
        view = memoryview(buffer)  # type: ignore[arg-type]
        data = self.raw.read(len(view))
        view[: len(data)] = data
        self.digest.update(data)
        return len(data)


def form_of(path: Path) -> str:
    """How a file is packed: text, gzip or parquet."""
    name = path.name.lower()
    return "parquet" if name.endswith(".parquet") else "gzip" if name.endswith(".gz") else "text"


def file_digest(path: Path) -> str:
    """SHA-256 of a file, to see whether it changed while it was read."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def survey(found: Found, delivery: Delivery) -> Surveyed:
    """Digest a file, check its header against the declaration, count its rows and cut it into chunks.

    Raises :class:`DataError` for a header without a required column, a file that ends in the middle, and
    anything that is not what its name says. No message holds a value of the file.
    """
    size = found.path.stat().st_size
    look = survey_parquet if form_of(found.path) == "parquet" else survey_text
    try:
        sha256, header, chunks = look(found)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise DataError(
            f"{found.name} ends in the middle or is no gzip file.",
            "It was cut on its way.",
            "Fetch it again.",
        ) from None
    columns, warnings = match_header(found.name, found.table, header)
    rows = sum(chunk.rows for chunk in chunks)
    return Surveyed(found, delivery, sha256, size, columns, rows, tuple(chunks), tuple(warnings))


def survey_text(found: Found) -> tuple[str, list[str], list[Chunk]]:
    """Digest, header and chunks of delimited text. A row is a line: none may run over a line's end."""
    form = form_of(found.path)
    with found.path.open("rb") as raw:
        hashing = Hashing(raw)
        buffered = io.BufferedReader(hashing, BLOCK_BYTES)
        stream = gzip.GzipFile(fileobj=buffered) if form == "gzip" else buffered
        header_line, begin = b"\n", 0
        while header_line and not header_line.strip(b"\r\n"):
            header_line = stream.readline()
            begin += len(header_line)
        if not header_line:
            raise DataError(
                f"{found.name} is empty.", "Every file starts with a header line.", "Fetch it again."
            )
        start = begin
        header = split_line(header_line.decode(header_encoding(found.table), errors="replace"), found.table)
        counts: list[tuple[int, int, int]] = []
        rows, tail = 0, b""
        while block := stream.read(BLOCK_BYTES):
            whole, newline, rest = (tail + block).rpartition(b"\n")
            tail = rest
            if not newline:
                continue
            rows += count_lines(whole)
            begin += len(whole) + 1
            if begin - start >= CHUNK_BYTES and form == "text":
                counts.append((start, begin, rows))
                start, rows = begin, 0
        if tail.strip(b"\r"):
            check_last_line(found, tail, len(header))
            rows, begin = rows + 1, begin + len(tail)
        counts.append((start, begin, rows))
        while stream.read(BLOCK_BYTES):
            pass
    sha256 = hashing.digest.hexdigest()
    chunks, first = [], 1
    for start, stop, number in counts:
        chunks.append(Chunk(sha256[:16], str(found.path), form, start, stop, first, number))
        first += number
    return sha256, header, [chunk for chunk in chunks if chunk.rows]


def count_lines(whole: bytes) -> int:
    """Lines of a block that are not empty; the block's last newline is already taken off."""
    doubled = b"\n\n" in whole or b"\n\r\n" in whole
    if doubled or whole.startswith((b"\n", b"\r\n")) or whole.endswith((b"\n", b"\n\r")):
        return sum(1 for line in whole.split(b"\n") if line.strip(b"\r"))
    return whole.count(b"\n") + 1 if whole.strip(b"\r") else 0


def header_encoding(table: Table) -> str:
    """UTF-8 may begin with a byte order mark, which is no part of the first name."""
    return "utf-8-sig" if table.encoding == "utf-8" else table.encoding


def split_line(text: str, table: Table) -> list[str]:
    """The fields of one line."""
    return next(csv.reader([text.rstrip("\r\n")], delimiter=table.delimiter))


def check_last_line(found: Found, line: bytes, width: int) -> None:
    """A last line without its end is a row only if it is complete."""
    if len(split_line(line.decode(found.table.encoding, errors="replace"), found.table)) != width:
        raise DataError(
            f"{found.name} ends in the middle of a row.", "It was cut on its way.", "Fetch the file again."
        )


def survey_parquet(found: Found) -> tuple[str, list[str], list[Chunk]]:
    """Digest, column names and chunks of a Parquet file, from its own footer."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sha256 = file_digest(found.path)
    try:
        metadata = pq.read_metadata(found.path)
        names = pq.read_schema(found.path).names
    except (pa.ArrowInvalid, OSError):
        raise DataError(
            f"{found.name} is no complete Parquet file.",
            "It was cut on its way or is something else.",
            "Fetch it again.",
        ) from None
    chunks, start, first, rows = [], 0, 1, 0
    for group in range(metadata.num_row_groups):
        rows += metadata.row_group(group).num_rows
        if rows >= CHUNK_ROWS or group == metadata.num_row_groups - 1:
            chunks.append(Chunk(sha256[:16], str(found.path), "parquet", start, group + 1, first, rows))
            start, first, rows = group + 1, first + rows, 0
    return sha256, list(names), [chunk for chunk in chunks if chunk.rows]


def match_header(file: str, table: Table, header: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """Which field each column fills. Case and aliases are forgiven; a missing required column is not."""
    fields = {alias: each for each in table.fields for alias in each.headers}
    columns: list[str] = []
    unknown: list[str] = []
    for name in (plain_name(each) for each in header):
        known = fields.get(name)
        columns.append(known.name if known and known.name not in columns else "")
        if known is None:
            unknown.append(scrub(name)[:40])
    missing = [each.headers for each in table.fields if each.required and each.name not in columns]
    if missing:
        wanted = "; ".join(" or ".join(dict.fromkeys(names)) for names in missing)
        raise DataError(
            f"{file} has no column {wanted}.",
            f"The declaration of {table.name} needs it; the header has {len(header)} columns.",
            "Ask for a complete file, or add the name as an alias to the declaration.",
        )
    known_unknown = f"{file}: left out columns that no declaration names: {', '.join(unknown)}"
    return tuple(columns), [known_unknown] if unknown else []


def plain_name(name: str) -> str:
    """A header as declarations write it: lower case, without quotes, blanks and export expressions."""
    lowered = name.strip().strip('"').strip().lower()
    wrapped = WRAPPED.match(lowered)
    return wrapped[1] if wrapped else lowered
