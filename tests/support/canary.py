"""A byte scan for identifiers that must not be there: plain, hyphenated, in UTF-16, and inside compressed files."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def forms(number: str) -> list[bytes]:
    """The ways a number may stand in bytes."""
    plain = [number, f"{number[:6]}-{number[6:]}"]
    return [text.encode(encoding) for text in plain for encoding in ("utf-8", "utf-16-le", "utf-16-be")]


def contents(path: Path) -> Iterator[bytes]:
    """A file's bytes, and what they hold when unpacked: gzip, zip, columns of Parquet."""
    data = path.read_bytes()
    yield data
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    elif zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    elif data[:4] == b"PAR1" and data[-4:] == b"PAR1":
        for column in pq.read_table(path).columns:
            yield (
                "\n".join(map(str, column.cast(pa.string()).to_pylist())).encode() if is_flat(column) else b""
            )


def is_flat(column: pa.ChunkedArray) -> bool:
    """Whether a column can be written as text."""
    return not pa.types.is_nested(column.type)


def files_with(folders: Sequence[Path], numbers: Sequence[str]) -> tuple[list[str], int]:
    """Files below the folders that hold one of the numbers in any form, and how many files were looked through."""
    wanted = [form for number in numbers for form in forms(number)]
    found, looked = [], 0
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                looked += 1
                if any(form in content for content in contents(path) for form in wanted):
                    found.append(str(path))
    return found, looked
