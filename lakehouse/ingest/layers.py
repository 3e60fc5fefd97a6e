"""Where delivered rows land: bronze as delivered, in tokens; silver and quarantine beside it; one partition a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lakehouse.codes import read_codelist
from lakehouse.declarations.schema import Table
from lakehouse.delivery.readers.blocks import Part
from lakehouse.delivery.readers.chunks import file_digest
from lakehouse.delivery.row_ids import Changes
from lakehouse.delivery.survey import FileSurvey
from lakehouse.delta.log import is_table
from lakehouse.delta.tables import table_path
from lakehouse.delta.write import NewFile, commit_files, part_files, rows_by_file, written_by_workers
from lakehouse.errors import DataError
from lakehouse.ingest.pseudonymise import Pseudonymiser, bronze_schema, read_chunk
from lakehouse.ingest.silver import quarantine_of, quarantine_schema, silver_of, silver_schema

if TYPE_CHECKING:
    import pyarrow as pa

    from lakehouse.lake import Lake
    from lakehouse.settings import Settings


def known_pairs(settings: Settings, table: Table) -> frozenset[tuple[str, str]]:
    """Pairs of the code list a table declares."""
    if table.known is None:
        return frozenset()
    return frozenset((row["code"], row["text"]) for row in read_codelist(settings, table.known.list))


def parts_of(file: FileSurvey, changes: Changes) -> list[Part]:
    """The chunks of a file that hold fresh rows, with what is needed to read them."""
    parts = []
    whole = bool(changes.fresh.all())
    for chunk in file.chunks:
        fresh = np.flatnonzero(changes.fresh[chunk.first_row - 1 :][: chunk.rows]) + chunk.first_row
        if not len(fresh):
            continue
        inside = range(chunk.first_row, chunk.first_row + chunk.rows)
        parts.append(
            Part(
                chunk,
                file.found.name,
                file.columns,
                file.delivered.isoformat() if file.delivered else None,
                file.delivery.issuer,
                file.encoding,
                None if whole else tuple(fresh.tolist()),
                {row: first for row, first in changes.repeats.items() if row in inside},
            )
        )
    return parts


BRONZE, SILVER, QUARANTINE = "bronze", "silver", "quarantine"


@dataclass(frozen=True)
class LayerCounts:
    """Rows that came to lie in each layer, by delivered file; ``reasons`` say why those in quarantine do."""

    bronze: dict[str, int]
    silver: dict[str, int]
    quarantine: dict[str, int]
    reasons: dict[str, dict[str, int]]


def folders_of(settings: Settings, table: Table) -> dict[str, str]:
    """Folders of a table's layers."""
    return {
        layer: str(table_path(settings, f"{layer}.{table.name}")) for layer in (BRONZE, SILVER, QUARANTINE)
    }


def land(
    lake: Lake,
    table: Table,
    files: Mapping[FileSurvey, Changes],
    key_file: Path,
) -> LayerCounts:
    """Fresh rows of new files of one table through pseudonymisation into bronze, silver and quarantine.

    One task a chunk, which reads, converts and writes; Spark sees no row. Nothing is the tables' before every file
    was read to its end and is still what it was; :class:`DataError` otherwise.
    """
    parts = tuple(part for file, changes in files.items() for part in parts_of(file, changes))
    any_file = next(iter(files))
    source, kind = any_file.found.source, any_file.delivery.kind
    known = known_pairs(lake.settings, table)
    pseudonymiser = Pseudonymiser(
        table, source.identifier, str(key_file), verbatim=kind != "real", known=known
    )
    folders = folders_of(lake.settings, table)

    def through(number: int) -> list[NewFile]:
        return landed_part(
            folders, table, parts[number].chunk.file_id, read_chunk(pseudonymiser, parts[number])
        )

    written = written_by_workers(lake.spark, len(parts), through)
    for file in files:
        if file_digest(file.found.path) != file.sha256:
            raise DataError(
                f"{file.found.name} changed while it was read.",
                "",
                "Wait until it is complete and repeat the ingest.",
            )
    return made_the_tables(lake.settings, table, written, [file.file_id for file in files])


def landed_part(
    folders: Mapping[str, str], table: Table, file_id: str, blocks: Iterable[pa.Table]
) -> list[NewFile]:
    """Bronze rows of a part as files of their layers, in the worker."""
    with part_files(folders, file_id) as out:
        for rows in blocks:
            out.write(BRONZE, rows)
            out.write(SILVER, silver_of(rows, table))
            out.write(QUARANTINE, quarantine_of(rows, table))
        return out.finish()


def made_the_tables(
    settings: Settings, table: Table, written: Sequence[NewFile], file_ids: Sequence[str]
) -> LayerCounts:
    """Commit written files, each layer in one step; a quarantine nothing is in or was in is not begun."""
    folders = {layer: Path(folder) for layer, folder in folders_of(settings, table).items()}
    commit_files(folders[BRONZE], bronze_schema(table), written, BRONZE, file_ids)
    commit_files(folders[SILVER], silver_schema(table), written, SILVER, file_ids)
    bad = rows_by_file(written, QUARANTINE)
    if bad or is_table(folders[QUARANTINE]):
        commit_files(folders[QUARANTINE], quarantine_schema(), written, QUARANTINE, file_ids)
    return LayerCounts(
        rows_by_file(written, BRONZE),
        rows_by_file(written, SILVER),
        bad,
        reasons_of(folders[QUARANTINE], written),
    )


def reasons_of(folder: Path, written: Sequence[NewFile]) -> dict[str, dict[str, int]]:
    """How many rows of each file went to quarantine for which reason, counted in the files themselves."""
    import pyarrow.parquet as pq

    found: dict[str, dict[str, int]] = {}
    for each in written:
        if each.layer == QUARANTINE:
            counts = found.setdefault(each.file_id, {})
            for pair in (
                pq.read_table(folder / each.path, columns=["reason"])["reason"].value_counts().to_pylist()
            ):
                counts[pair["values"]] = counts.get(pair["values"], 0) + pair["counts"]
    return {file_id: dict(sorted(counts.items())) for file_id, counts in sorted(found.items())}


GONE = "gone"
"""Tombstones: the file that no longer has a row, and where that row was first read."""


def write_gone(settings: Settings, table: Table, files: Mapping[FileSurvey, Changes]) -> None:
    """Tombstones of the rows that new files no longer have; the rows themselves stay, for earlier deliveries."""
    import pyarrow as pa

    path = table_path(settings, f"gone.{table.name}")
    schema = pa.schema([("file_id", pa.string()), ("gone_file", pa.string()), ("gone_row", pa.int64())])
    lost = {file.file_id: changes.gone for file, changes in files.items() if changes.gone}
    if not lost and not is_table(path):
        return
    written: list[NewFile] = []
    for file_id, rows in lost.items():
        with part_files({GONE: str(path)}, file_id) as out:
            said = [dict(zip(schema.names, (file_id, *row), strict=True)) for row in rows]
            out.write(GONE, pa.Table.from_pylist(said, schema))
            written += out.finish()
    commit_files(path, schema, written, GONE, [file.file_id for file in files])
