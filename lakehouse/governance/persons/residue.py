"""Looking for what must be gone: every file below a folder, byte by byte and unpacked; and cleaning plain files."""

from __future__ import annotations

import gzip
import io
import mmap
import os
import zipfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.private_files import write_private

if TYPE_CHECKING:
    import pyarrow as pa

LINES = (".json", ".jsonl", ".log", ".txt", ".csv", ".tsv", ".crc", ".md", ".html", ".toml", ".inprogress")
"""Files of lines, from which the lines that tell can be taken out."""
THREADS = 4


@dataclass(frozen=True)
class Scan:
    """What a scan saw: files, bytes, and those that hold one of the needles."""

    files: int
    size: int
    found: tuple[Path, ...]


def needles_of(tokens: Iterable[str], texts: Iterable[str]) -> list[bytes]:
    """The ways tokens and clear texts may stand in bytes. Ten digits also with a hyphen."""
    found: set[bytes] = set()
    for token in tokens:
        found |= {token.encode(), token.encode("utf-16-le"), bytes.fromhex(token)}
    for text in texts:
        forms = {text, text.upper()} | (
            {f"{text[:6]}-{text[6:]}"} if len(text) == 10 and text[:6].isdigit() else set()
        )
        found |= {
            form.encode(coding) for form in forms for coding in ("utf-8", "utf-16-le", "utf-16-be", "latin-1")
        }
    return sorted(found)


def scan(root: Path, needles: list[bytes], skip: Iterable[Path] = ()) -> Scan:
    """Look through every file below ``root`` but those below ``skip``; links are not followed."""
    apart = [os.fspath(path) for path in skip]
    files = [
        path
        for path in sorted(root.rglob("*"))
        if path.is_file()
        and not path.is_symlink()
        and not os.fspath(path).startswith(tuple(apart) or ("\0",))
    ]
    with ThreadPoolExecutor(THREADS) as pool:
        hits = [*pool.map(lambda path: holds(path, needles), files)]
    size = sum(path.stat().st_size for path in files if path.exists())
    return Scan(len(files), size, tuple(path for path, hit in zip(files, hits, strict=True) if hit))


def holds(path: Path, needles: list[bytes]) -> bool:
    """Whether a file holds one of the needles, as it stands or unpacked (gzip, zip, Parquet)."""
    try:
        if path.stat().st_size == 0:
            return False
        with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as view:
            if any(view.find(needle) >= 0 for needle in needles):
                return True
            head, tail = view[:4], view[-4:]
    except FileNotFoundError:
        return False
    if head == b"PAR1" and tail == b"PAR1":
        return any(needle in text for text in parquet_texts(path) for needle in needles)
    if head[:2] == b"\x1f\x8b":
        with gzip.open(path) as unpacked:
            return found_in(iter(lambda: unpacked.read(1 << 22), b""), needles)
    if head == b"PK\x03\x04" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return any(needle in archive.read(name) for name in archive.namelist() for needle in needles)
    return False


def found_in(blocks: Iterator[bytes], needles: list[bytes]) -> bool:
    """Whether a needle occurs in a stream, over the borders of its blocks too."""
    longest = max(map(len, needles), default=1)
    rest = b""
    for block in blocks:
        rest += block
        if any(needle in rest for needle in needles):
            return True
        rest = rest[-longest:]
    return False


def parquet_texts(path: Path) -> Iterator[bytes]:
    """Every distinct text of a Parquet file, column by column and row group by row group, nested ones too."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(1 << 17):
            for column in batch.columns:
                for leaf in leaves(column):
                    yield b"\n".join(
                        each if isinstance(each, bytes) else each.encode()
                        for each in leaf.unique().to_pylist()
                        if each is not None
                    )


def leaves(column: pa.Array) -> Iterator[pa.Array]:
    """Text and binary arrays inside a column."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_struct(kind):
        for place in range(kind.num_fields):
            yield from leaves(column.field(place))
    elif pa.types.is_map(kind):
        yield from leaves(column.keys)
        yield from leaves(column.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from leaves(column.values)
    elif pa.types.is_dictionary(kind):
        yield from leaves(column.dictionary)
    elif pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_string(kind):
        yield column


def clean(path: Path, needles: list[bytes]) -> bool:
    """Take lines or rows with a needle out of a plain file; False where only a person can decide."""
    if path.suffix in LINES or path.name.startswith(("app-", "local-", "events_")):
        kept = [
            line
            for line in path.read_bytes().splitlines(keepends=True)
            if not any(n in line for n in needles)
        ]
        mode = path.stat().st_mode & 0o777
        write_private(path, b"".join(kept))
        path.chmod(mode)
        return True
    if path.suffix == ".parquet":
        return clean_parquet(path, needles)
    return False


def clean_parquet(path: Path, needles: list[bytes]) -> bool:
    """Write a Parquet file anew without the rows that hold a needle in a text column."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(path).combine_chunks()
    hit = pa.array([False] * table.num_rows)
    for column in (each.combine_chunks() for each in table.columns):
        if pa.types.is_string(column.type):
            for needle in needles:
                try:
                    found = pc.match_substring(column, needle.decode())
                except UnicodeDecodeError:
                    continue
                hit = pc.or_(hit, found.fill_null(False))
    sink = io.BytesIO()
    pq.write_table(table.filter(pc.invert(hit)), sink)
    mode = path.stat().st_mode & 0o777
    write_private(path, sink.getvalue())
    path.chmod(mode)
    return not holds(path, needles)
