"""Quarantine looked through and replayed: rows that a corrected rule would let through go on to silver and gold.

A replay judges from bronze, where a bad row's texts stand as they were delivered; what pseudonymisation took away (numbers
of persons) or never had (rows that are none) it cannot judge anew, and such rows stay where they are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.declarations.convert import fault_finder
from lakehouse.declarations.schema import Table, Type
from lakehouse.delivery.find import all_sources
from lakehouse.delivery.register import Entry, entries, replace_entries
from lakehouse.delta.read import files_within, live_files
from lakehouse.delta.write import NewFile, written_by_workers
from lakehouse.delta.writer_lock import only_writer
from lakehouse.errors import DataError
from lakehouse.gold.build import state_at
from lakehouse.identity.pseudonyms import root_key_file
from lakehouse.ingest.layers import BRONZE, LayerCounts, folders_of, known_pairs, landed_part, made_the_tables
from lakehouse.ingest.pseudonymise import bronze_schema
from lakehouse.ingest.row_remarks import not_known, not_valid_then

if TYPE_CHECKING:
    import pyarrow as pa

    from lakehouse.lake import Lake


@dataclass(frozen=True)
class ReplaySummary:
    """What a replay did to one table."""

    table: str
    looked_at: int
    let_through: int
    still_refused: int


def declared_table(name: str) -> Table:
    """A declared table by name. Raises :class:`DataError` where no source declares it."""
    for sources in all_sources().values():
        for source in sources:
            for table in source.tables:
                if table.name == name:
                    return table
    raise DataError(f"No declared table is called '{name}'.", "", "'patternlake quarantine list' names them.")


def quarantined(all_entries: Sequence[Entry]) -> list[tuple[str, str, int]]:
    """Table, reason and rows of everything in quarantine, over the files that are current."""
    state, _ = state_at(all_entries)
    counts: dict[tuple[str, str], int] = {}
    for entry in all_entries:
        if entry.file_id in state.file_ids.get(entry.source_table, []):
            for reason, rows in entry.reasons.items():
                key = (entry.source_table, reason)
                counts[key] = counts.get(key, 0) + rows
    return [(table, reason, rows) for (table, reason), rows in sorted(counts.items())]


def shown(lake: Lake, table: str, reason: str, limit: int) -> list[dict[str, Any]]:
    """Rows in quarantine: file, row, reason and masked example."""
    name = f"quarantine.{declared_table(table).name}"
    if not lake.holds(name):
        return []
    names = {entry.file_id: entry.name for entry in entries(lake)}
    frame = lake.read(name)
    if reason:
        frame = frame.where(frame["reason"] == reason)
    rows = frame.orderBy("file_id", "row_number").limit(limit).collect()
    return [
        {
            "file": names.get(row["file_id"], row["file_id"]),
            "row": row["row_number"],
            "reason": row["reason"],
            "example": row["example"] or "",
        }
        for row in rows
    ]


def verdict(table: Table, known: frozenset[tuple[str, str]], row: dict[str, Any], reason: str) -> str | None:
    """Why a bad row is refused under the declaration as it stands now; None when it no longer is.

    ``row`` holds the delivered texts. A reason this cannot judge is returned as it is.
    """
    judged = {f"bad_{each.name}" for each in table.fields} | {f"missing_{each.name}" for each in table.fields}
    judged |= {dated.reason for dated in table.dated} | ({table.known.reason} if table.known else set())
    if reason not in judged:
        return reason
    for each in table.fields:
        text = row[each.name]
        if text is None:
            if each.filled:
                return "no_subject" if each.type is Type.PERSON else f"missing_{each.name}"
        elif (
            each.type not in (Type.PERSON, Type.KEY)
            and (faulty := fault_finder(each, table.decimal))
            and faulty(text)
        ):
            return f"bad_{each.name}"
    for dated in table.dated:
        one, other = row.get(dated.field), row.get(dated.day)
        if one and other and not_valid_then(dated)(one, other):
            return dated.reason
    if table.known is not None:
        one, other = (row.get(name) for name in table.known.fields)
        if one and other and not_known(table.known, known)(one, other):
            return table.known.reason
    return None


def replay(lake: Lake, name: str, writers: list[int]) -> ReplaySummary:
    """Judge the bad rows of a table again and bring in those that are good now; doing it twice changes nothing.

    Raises :class:`DataError` where rows no longer balance; nothing is recorded then.
    """
    table = declared_table(name)
    root_key_file(lake.settings, create=False)
    with only_writer(lake.settings.lake / ".writer.lock", writers):
        all_entries = entries(lake)
        ours = [entry for entry in all_entries if entry.source_table == name and entry.rows_quarantine]
        if not ours:
            return ReplaySummary(name, 0, 0, 0)
        looked_at = sum(entry.rows_quarantine for entry in ours)
        file_ids = [entry.file_id for entry in ours]
        landed = rejudged(lake, table, file_ids)
        after = [
            dataclasses.replace(
                entry,
                rows_silver=landed.silver.get(entry.file_id, 0),
                rows_quarantine=landed.quarantine.get(entry.file_id, 0),
                reasons=landed.reasons.get(entry.file_id, {}),
            )
            for entry in ours
        ]
        if not all(entry.balanced for entry in after):
            raise DataError(f"The rows of {name} no longer balance after the replay.", "", "Report this.")
        by_key = {entry.key: entry for entry in after}
        replace_entries(lake, [by_key.get(entry.key, entry) for entry in all_entries])
    left = sum(entry.rows_quarantine for entry in after)
    return ReplaySummary(name, looked_at, looked_at - left, left)


def rejudged(lake: Lake, table: Table, file_ids: list[str]) -> LayerCounts:
    """Bronze of some files with the faults the declaration finds now, and silver and quarantine as they follow from it.

    One task a delivered file, which reads and writes by itself.
    Raises :class:`DataError` where the log of bronze holds what is not understood.
    """
    known, folders = known_pairs(lake.settings, table), folders_of(lake.settings, table)
    bronze = Path(folders[BRONZE])
    live = live_files(bronze)
    if live is None:
        raise DataError(f"The log of {table.bronze} is not understood.", "", "Report this.")
    mine = [(file_id, files_within(bronze, live, file_id=[file_id])) for file_id in file_ids]

    def again(number: int) -> list[NewFile]:
        file_id, paths = mine[number]
        blocks = (
            rejudged_rows(rows, table, known) for path in paths for rows in bronze_rows(path, file_id, table)
        )
        return landed_part(folders, table, file_id, blocks)

    return made_the_tables(lake.settings, table, written_by_workers(lake.spark, len(mine), again), file_ids)


def bronze_rows(path: Path, file_id: str, table: Table) -> Iterator[pa.Table]:
    """Rows of one file of a bronze table, some at a time, with every column declared now."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = bronze_schema(table)
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            rows = pa.Table.from_batches([batch])
            columns = {name: rows[name] for name in rows.column_names}
            columns["file_id"] = pa.repeat(file_id, len(rows))
            declared = zip(schema.names, schema.types, strict=True)
            yield pa.table(
                [columns.get(name, pa.nulls(len(rows), kind)) for name, kind in declared], schema=schema
            )


def rejudged_rows(rows: pa.Table, table: Table, known: frozenset[tuple[str, str]]) -> pa.Table:
    """The same rows under the faults that the declaration finds now."""
    import pyarrow as pa
    import pyarrow.compute as pc

    bad = pc.indices_nonzero(pc.is_valid(rows["fault"])).to_pylist()
    if not bad:
        return rows
    faults, examples = rows["fault"].to_pylist(), rows["fault_example"].to_pylist()
    for place, row in zip(bad, rows.take(bad).to_pylist(), strict=True):
        faults[place] = verdict(table, known, row, faults[place])
        examples[place] = examples[place] if faults[place] is not None else None
    for name, texts in (("fault", faults), ("fault_example", examples)):
        rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array(texts, pa.string()))
    return rows
