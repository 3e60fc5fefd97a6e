"""Which rows of a re-delivered file are new, which are the old ones again, and which have vanished.

Every delivered row has an id of 64 keyed bits (SipHash under a key of the lake, so that nobody without it can try
guessed rows) over the row as delivered and how the file is declared. The ids of a file's rows are kept beside the
lake's records with the place where each row was first read, ``(file, row number)``: that is what the row is called
everywhere behind. Two different rows share an id once in some hundred million million.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lakehouse.delivery.readers.blocks import Part, form_blocks, line_blocks, rows_of
from lakehouse.delivery.survey import FileSurvey
from lakehouse.errors import DataError
from lakehouse.identity.pseudonyms import domain_key

if TYPE_CHECKING:
    from lakehouse.settings import Settings

Ids = np.ndarray[Any, np.dtype[np.uint64]]


@dataclass(frozen=True)
class EarlierRows:
    """Rows of an earlier delivery: ids in order of the file, and where each was first read."""

    ids: Ids
    files: tuple[str, ...]
    file: np.ndarray[Any, np.dtype[np.int32]]
    row: np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Changes:
    """A delivery against the one before.

    ``fresh`` marks rows that must be read, ``gone`` are (file, row number) of those that vanished, ``repeats``
    maps a fresh row to the first row of this delivery that equals it (both numbered from 1).
    """

    known: EarlierRows
    fresh: np.ndarray[Any, np.dtype[np.bool_]]
    gone: tuple[tuple[str, int], ...]
    repeats: dict[int, int]

    @property
    def kept(self) -> int:
        """Rows that were there already."""
        return int(len(self.fresh) - np.count_nonzero(self.fresh))


def row_ids(file: FileSurvey, key_file: Path) -> Ids:
    """Ids of the rows of a file, in order.

    Raises :class:`DataError` where the file cannot be read to its end or has changed since it was counted.
    """
    key = domain_key(str(key_file), "row").hex()[:16]
    try:
        found = [hashed(texts, key) for texts in row_texts(file)]
    except Exception as error:
        raise DataError(
            f"{file.found.name} could not be read ({type(error).__name__}).",
            "It changed while it was read, or is not what its name says.",
            "Fetch the file again and repeat the ingest.",
        ) from None
    ids = np.concatenate(found) if found else np.zeros(0, np.uint64)
    if len(ids) != file.rows:
        raise DataError(
            f"{file.found.name} gave {len(ids)} rows where {file.rows} were counted.",
            "It changed while it was read.",
            "Fetch the file again and repeat the ingest.",
        )
    table = file.found.table
    derived = {name: (str(each.type), each.of, each.rule) for name, each in table.derived.items()}
    declared = (file.columns, file.encoding, table.delimiter, table.decimal, table.fields, derived)
    context = hashlib.sha256(repr((declared, table.dated, table.known)).encode()).digest()
    return ids ^ np.uint64(int.from_bytes(context[:8], "big"))


def row_texts(file: FileSurvey) -> Iterator[list[bytes]]:
    """Rows as delivered: lines of text, joined columns of every other form."""
    table = file.found.table
    for chunk in file.chunks:
        if chunk.form.startswith("text"):
            for raw in line_blocks(chunk):
                yield rows_of(raw)
        else:
            part = Part(chunk, file.found.name, file.columns, None, "")
            for columns, reasons, _ in form_blocks(table, part):
                texts = [column.to_pylist() for column in columns.values()]
                rows = zip(*texts, strict=True) if texts else iter([()] * len(reasons))
                yield [repr(row).encode() for row in rows]


def hashed(texts: Sequence[bytes], key: str) -> Ids:
    """Keyed 64-bit hashes of texts, [text]."""
    import pandas as pd

    if not texts:
        return np.zeros(0, np.uint64)
    holder = np.empty(len(texts), dtype=object)
    holder[:] = texts
    return pd.util.hash_array(holder, hash_key=key, categorize=False)


def ranks(ids: Ids) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Order that sorts the ids, ids in that order, and for each how many equal ones stand before it.

    All three are [row], 64-bit.
    """
    order = np.argsort(ids, kind="stable")
    ordered = ids[order]
    starts = np.ones(len(ids), bool)
    starts[1:] = ordered[1:] != ordered[:-1]
    first = np.flatnonzero(starts)
    rank = np.arange(len(ids)) - np.repeat(first, np.diff([*first, len(ids)]))
    return order, ordered, rank


def compare(ids: Ids, file_id: str, before: EarlierRows | None) -> Changes:
    """What a delivery changes. Of equal rows as many are kept as were there."""
    order, ordered, rank = ranks(ids)
    place = np.zeros(len(ids), np.int32)
    row = np.arange(1, len(ids) + 1, dtype=np.int64)
    fresh = np.ones(len(ids), bool)
    files: tuple[str, ...] = (file_id,)
    gone: tuple[tuple[str, int], ...] = ()
    if before is not None:
        files = (file_id, *before.files)
        old_order, old, _ = ranks(before.ids)
        at = np.searchsorted(old, ordered, side="left") + rank
        inside = at < len(old)
        same = np.zeros(len(ids), bool)
        same[inside] = old[at[inside]] == ordered[inside]
        there, then = order[same], old_order[at[same]]
        fresh[there] = False
        place[there], row[there] = before.file[then] + 1, before.row[then]
        left = np.ones(len(old), bool)
        left[then] = False
        gone = tuple(
            (before.files[before.file[each]], int(before.row[each])) for each in np.flatnonzero(left)
        )
    again = np.flatnonzero(rank > 0)
    repeats = {
        int(order[each]) + 1: int(order[each - rank[each]]) + 1
        for each in again.tolist()
        if fresh[order[each]]
    }
    used = np.unique(place)
    files = tuple(files[each] for each in used)
    return Changes(
        EarlierRows(ids, files, np.searchsorted(used, place).astype(np.int32), row), fresh, gone, repeats
    )


def without(known: EarlierRows, rows: Iterable[tuple[str, int]]) -> EarlierRows:
    """What is known but for these rows, each (file, row number): delivered again, they are new."""
    named: dict[str, list[int]] = {}
    for file_id, row in rows:
        named.setdefault(file_id, []).append(row)
    lost = np.zeros(len(known.ids), bool)
    for at, file_id in enumerate(known.files):
        if file_id in named:
            lost |= (known.file == at) & np.isin(known.row, named[file_id])
    return EarlierRows(known.ids[~lost], known.files, known.file[~lost], known.row[~lost])


def forget_rows(settings: Settings, table: str, rows: Iterable[tuple[str, int]]) -> None:
    """Take the ids of these rows out of every record of the table: an erased person's rows are known to nobody."""
    rows = list(rows)
    for path in sorted((settings.lake / "meta" / "rows" / table).glob("*.npz")):
        known = kept(path)
        if known is not None and len((left := without(known, rows)).ids) < len(known.ids):
            keep(path, left)


def ids_file(settings: Settings, table: str, file_id: str) -> Path:
    """Where the ids of a delivered file's rows are kept."""
    return settings.lake / "meta" / "rows" / table / f"{file_id}.npz"


def keep(path: Path, known: EarlierRows) -> None:
    """Keep the ids of a delivery, whole or not at all; places only where some rows were read from another file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    arrays: dict[str, Any] = {"ids": known.ids, "files": np.array(known.files)}
    if len(known.files) > 1 or not np.array_equal(known.row, np.arange(1, len(known.ids) + 1)):
        arrays |= {"place": known.file, "row": known.row}
    with temporary.open("wb") as handle:
        np.savez(handle, **arrays)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)


def kept(path: Path) -> EarlierRows | None:
    """The ids of an earlier delivery, None where they were not kept: then every row counts as new."""
    if not path.is_file():
        return None
    with np.load(path) as found:
        files, ids = tuple(str(each) for each in found["files"]), found["ids"]
        if "row" in found:
            return EarlierRows(ids, files, found["place"], found["row"])
        return EarlierRows(
            ids, files, np.zeros(len(ids), np.int32), np.arange(1, len(ids) + 1, dtype=np.int64)
        )
