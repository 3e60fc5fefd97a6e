"""What a file is cut into: parts that one task reads, and how a file is packed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

BLOCK_BYTES = 4 << 20
CHUNK_BYTES = 32 << 20
CHUNK_ROWS = 500_000
LINE_BYTES = 16 << 20
"""A longer line is no row of anything: a file without line ends, or not text at all."""


@dataclass(frozen=True)
class Chunk:
    """A part of a file that one task reads: bytes of a text file, row groups of a Parquet file, rows of a SAS file.

    A gzip is read as a whole. ``first_row`` is the number of its first data row, from 1; ``rows`` how many it holds.
    """

    file_id: str
    path: str
    form: str
    start: int
    stop: int
    first_row: int
    rows: int


def form_of(path: Path) -> str:
    """How a file is written: text, parquet, sas, json (one document) or ndjson (one a line); "+gzip" when packed."""
    name = path.name.lower()
    packed = "+gzip" if name.endswith(".gz") else ""
    ending = name.removesuffix(".gz").rpartition(".")[2]
    known = {"parquet": "parquet", "sas7bdat": "sas", "json": "json", "ndjson": "ndjson"}
    return known.get(ending, "text") + packed


def file_digest(path: Path) -> str:
    """SHA-256 of a file, to see whether it changed while it was read."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def row_chunks(file_id: str, path: Path, form: str, rows: int) -> list[Chunk]:
    """Chunks of a form whose rows are addressed by number."""
    return [
        Chunk(
            file_id,
            str(path),
            form,
            start,
            min(start + CHUNK_ROWS, rows),
            start + 1,
            min(CHUNK_ROWS, rows - start),
        )
        for start in range(0, rows, CHUNK_ROWS)
    ]
