"""First look at a file: its digest, its header and its physical rows, counted apart from whatever reads it later."""

from __future__ import annotations

import codecs
import csv
import datetime
import gzip
import hashlib
import io
import re
import zlib
from dataclasses import dataclass, replace
from typing import IO, Any

from lakehouse.declarations.schema import Table
from lakehouse.declarations.wide import SEPARATOR, gathered_name
from lakehouse.delivery.find import DeliveredFile, Delivery
from lakehouse.delivery.readers import chunks as cutting
from lakehouse.delivery.readers.chunks import LINE_BYTES, Chunk, file_digest, form_of
from lakehouse.delivery.readers.fhir_bundles import survey_bundles
from lakehouse.delivery.readers.sas import survey_sas
from lakehouse.errors import DataError
from lakehouse.identity.person_numbers import scrub

WRAPPED = re.compile(r"^date(?:time)?\(\s*(\w+)\s*,\s*'unixepoch'\s*\)$")
"""A header some exports leave behind: the expression instead of the column's name."""


@dataclass(frozen=True, eq=False)
class FileSurvey:
    """A file as it is to be read. ``columns`` gives for each header position the field it fills, or ``""``.

    ``encoding`` is the declared one, unless the file begins with a byte order mark.
    """

    found: DeliveredFile
    delivery: Delivery
    sha256: str
    size: int
    columns: tuple[str, ...]
    rows: int
    chunks: tuple[Chunk, ...]
    encoding: str
    warnings: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    renamed: str = ""

    @property
    def file_id(self) -> str:
        """First 16 hex digits of the digest: the file's name everywhere in the lake."""
        return self.renamed or self.sha256[:16]

    def under_name_after(self, file_id: str) -> FileSurvey:
        """The same file under another name, which tells that it came after another file: it was there before that."""
        name = hashlib.sha256(f"{self.sha256} after {file_id}".encode()).hexdigest()[:16]
        chunks = tuple(replace(chunk, file_id=name) for chunk in self.chunks)
        return replace(self, renamed=name, chunks=chunks)

    @property
    def key(self) -> tuple[str, str]:
        """What tells one record: the file, and the table it is read into."""
        return self.file_id, self.found.table.name

    @property
    def delivered(self) -> datetime.date | None:
        """When it was delivered: by its dated folder, else by the delivery's note."""
        return self.found.dated or self.delivery.delivered


class DigestReader(io.RawIOBase):
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


def survey(found: DeliveredFile, delivery: Delivery) -> FileSurvey:
    """Digest a file, check its header against the declaration, count its rows and cut it into chunks.

    Raises :class:`DataError` for a header without a required column, a file that ends in the middle, and
    anything that is not what its name says. No message holds a value of the file.
    """
    size = found.path.stat().st_size
    table, encoding = found.table, found.table.encoding
    form = form_of(found.path)
    try:
        match form.partition("+")[0]:
            case "parquet":
                sha256, header, chunks = survey_parquet(found)
            case "sas":
                sha256, header, chunks = survey_sas(found.name, found.path)
            case "json" | "ndjson":
                sha256, header, chunks = survey_bundles(found.name, table, found.path, form)
            case _:
                sha256, header, encoding, chunks = survey_text(found)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise DataError(
            f"{found.name} ends in the middle or is no gzip file.",
            "It was cut on its way.",
            "Fetch it again.",
        ) from None
    columns, unknown, absent = match_header(found.name, table, header)
    if form == "parquet":
        require_plain(found, columns)
    left_out = f"{found.name}: left out columns that no declaration names: {', '.join(unknown)}"
    return FileSurvey(
        found=found,
        delivery=delivery,
        sha256=sha256,
        size=size,
        columns=columns,
        rows=sum(chunk.rows for chunk in chunks),
        chunks=tuple(chunks),
        encoding=encoding,
        warnings=(left_out,) if unknown else (),
        unknown=unknown,
        absent=absent,
    )


def survey_text(found: DeliveredFile) -> tuple[str, list[str], str, list[Chunk]]:
    """Digest, header, encoding and chunks of lines of text. A row is a line: none may run over a line's end."""
    form = form_of(found.path)
    with found.path.open("rb") as raw:
        hashing = DigestReader(raw)
        buffered = io.BufferedReader(hashing, cutting.BLOCK_BYTES)
        stream: Any = gzip.GzipFile(fileobj=buffered) if form == "text+gzip" else buffered
        header, encoding, begin = read_header(found, stream)
        start = begin
        counts: list[tuple[int, int, int]] = []
        rows, tail = 0, b""
        while block := stream.read(cutting.BLOCK_BYTES):
            whole, newline, rest = (tail + block).rpartition(b"\n")
            tail = rest
            if len(tail) > LINE_BYTES:
                raise no_text(found)
            if not newline:
                continue
            rows += count_lines(whole)
            begin += len(whole) + 1
            if begin - start >= cutting.CHUNK_BYTES and form == "text":
                counts.append((start, begin, rows))
                start, rows = begin, 0
        if tail.strip(b"\r"):
            if not found.table.fixed:
                check_last_line(found, tail, len(header), encoding)
            rows, begin = rows + 1, begin + len(tail)
        counts.append((start, begin, rows))
        while stream.read(cutting.BLOCK_BYTES):
            pass
    sha256 = hashing.digest.hexdigest()
    chunks, first = [], 1
    for start, stop, number in counts:
        chunks.append(Chunk(sha256[:16], str(found.path), form, start, stop, first, number))
        first += number
    return sha256, header, encoding, [chunk for chunk in chunks if chunk.rows]


def read_header(found: DeliveredFile, stream: IO[bytes]) -> tuple[list[str], str, int]:
    """Column names, encoding, and where the rows begin. A byte order mark outranks the declared encoding.

    Raises :class:`DataError` where the file is empty or no text.
    """
    table, line, begin = found.table, b"\n", 0
    if table.fixed:
        return [each.name for each in table.fields], table.encoding, 0
    while line and not line.strip(b"\r\n"):
        line = stream.readline(LINE_BYTES)
        begin += len(line)
    if not line:
        raise DataError(f"{found.name} is empty.", "Every file starts with a header line.", "Fetch it again.")
    if b"\0" in line or (not line.endswith(b"\n") and len(line) == LINE_BYTES):
        raise no_text(found)
    encoding = "utf-8" if line.startswith(codecs.BOM_UTF8) else table.encoding
    text = line.removeprefix(codecs.BOM_UTF8).decode(encoding, errors="replace")
    return split_line(found, text), encoding, begin


def no_text(found: DeliveredFile) -> DataError:
    """The refusal of bytes that are no lines of text."""
    return DataError(
        f"{found.name} is no text in the encoding {found.table.encoding}.",
        "It holds zero bytes in its header, or a line of more than 16 MB.",
        "Ask for UTF-8 or Windows-1252 with line ends.",
    )


def count_lines(whole: bytes) -> int:
    """Lines of a block that are not empty; the block's last newline is already taken off."""
    doubled = b"\n\n" in whole or b"\n\r\n" in whole
    if doubled or whole.startswith((b"\n", b"\r\n")) or whole.endswith((b"\n", b"\n\r")):
        return sum(1 for line in whole.split(b"\n") if line.strip(b"\r"))
    return whole.count(b"\n") + 1 if whole.strip(b"\r") else 0


def split_line(found: DeliveredFile, text: str) -> list[str]:
    """The fields of one line."""
    try:
        return next(csv.reader([text.rstrip("\r\n")], delimiter=found.table.delimiter), [])
    except csv.Error:
        raise no_text(found) from None


def check_last_line(found: DeliveredFile, line: bytes, width: int, encoding: str) -> None:
    """A last line without its end is a row only if it is complete. Raises :class:`DataError` where it is not."""
    if len(split_line(found, line.decode(encoding, errors="replace"))) != width:
        raise DataError(
            f"{found.name} ends in the middle of a row.", "It was cut on its way.", "Fetch the file again."
        )


def survey_parquet(found: DeliveredFile) -> tuple[str, list[str], list[Chunk]]:
    """Digest, column names and chunks of a Parquet file, from its own footer.

    Raises :class:`DataError` where the file is not complete.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sha256 = file_digest(found.path)
    try:
        metadata = pq.read_metadata(found.path)
        names = pq.read_schema(found.path).names
    except (pa.ArrowException, OSError):
        raise DataError(
            f"{found.name} is no complete Parquet file.",
            "It was cut on its way or is something else.",
            "Fetch it again.",
        ) from None
    chunks, start, first, rows = [], 0, 1, 0
    for group in range(metadata.num_row_groups):
        rows += metadata.row_group(group).num_rows
        if rows >= cutting.CHUNK_ROWS or group == metadata.num_row_groups - 1:
            chunks.append(Chunk(sha256[:16], str(found.path), "parquet", start, group + 1, first, rows))
            start, first, rows = group + 1, first + rows, 0
    return sha256, list(names), [chunk for chunk in chunks if chunk.rows]


def require_plain(found: DeliveredFile, columns: tuple[str, ...]) -> None:
    """Refuse Parquet columns that are lists or structures where the declaration wants one value a row.

    Raises :class:`DataError` with their names.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    nested = [
        scrub(each.name)[:40]
        for each, wanted in zip(pq.read_schema(found.path), columns, strict=True)
        if wanted and pa.types.is_nested(each.type)
    ]
    if nested:
        raise DataError(
            f"{found.name} holds lists or structures in {', '.join(nested)}.",
            f"The declaration of {found.table.name} wants one value a row there.",
            "Ask for a flat file.",
        )


def match_header(
    file: str, table: Table, header: list[str]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Which field each column fills, names that no declaration knows, and fields that are not there.

    Case and aliases are forgiven; a missing required column is not. Raises :class:`DataError` with its name.
    """
    fields = {alias: each for each in table.fields for alias in each.headers}
    columns: list[str] = []
    unknown: list[str] = []
    for name in (plain_name(each) for each in header):
        known = fields.get(name)
        entry = known.name if known else gathered_name(table, name)
        if not entry:
            unknown.append(scrub(name)[:40])
        columns.append(entry if entry not in columns else "")
    there = {name.partition(SEPARATOR)[0] for name in columns}
    missing = [each for each in table.fields if each.name not in there]
    if lacking := [each for each in missing if each.required]:
        wanted = "; ".join(" or ".join(dict.fromkeys(each.headers)) for each in lacking)
        raise DataError(
            f"{file} has no column {wanted}.",
            f"The declaration of {table.name} needs it; the header has {len(header)} columns.",
            "Ask for a complete file, or add the name as an alias to the declaration.",
        )
    return tuple(columns), tuple(unknown), tuple(each.name for each in missing)


def plain_name(name: str) -> str:
    """A header as declarations write it: lower case, without quotes, blanks and export expressions."""
    lowered = unspoilt(name.strip().strip('"').strip()).lower()
    wrapped = WRAPPED.match(lowered)
    return wrapped[1] if wrapped else lowered


def unspoilt(name: str) -> str:
    """A header with one layer of mojibake undone."""
    if "Ã" not in name and "Â" not in name:
        return name
    try:
        return name.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return name
