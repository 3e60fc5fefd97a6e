"""One table of a delivery through bronze and silver: what is new of each file is read, and every row accounted for."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.declarations.schema import Table
from lakehouse.delivery.find import series_name
from lakehouse.delivery.register import Entry, current
from lakehouse.delivery.row_ids import Changes, compare, ids_file, keep, kept, row_ids, without
from lakehouse.delivery.survey import FileSurvey
from lakehouse.errors import DataError
from lakehouse.identity.enrolment import ERASED
from lakehouse.ingest.layers import land, write_gone

if TYPE_CHECKING:
    from lakehouse.lake import Lake
    from lakehouse.settings import Settings


def unique_new(surveyed: Sequence[FileSurvey], known: Sequence[Entry]) -> list[FileSurvey]:
    """Files not yet recorded; of two equal files in one delivery the first.

    A later delivery that goes back to what a file once was is news as well, and gets a name of its own.
    """
    recorded = {entry.key for entry in known}
    now = {entry.series: entry for entry in current(known)}
    new: dict[tuple[str, str], FileSurvey] = {}
    for file in surveyed:
        latest = now.get(series_of(file))
        if file.key not in recorded:
            new.setdefault(file.key, file)
        elif latest and latest.sha256 != file.sha256 and later(file.delivered, latest.delivered):
            again = file.under_name_after(latest.file_id)
            new.setdefault(again.key, again)
    return list(new.values())


def later(one: datetime.date | None, other: datetime.date | None) -> bool:
    """Whether a delivery is known to be later than another."""
    return one is not None and other is not None and one > other


def bring_table(
    lake: Lake,
    key_file: Path,
    table: Table,
    files: Sequence[FileSurvey],
    known: Sequence[Entry],
) -> list[Entry]:
    """One table through bronze and silver; raises when a file's rows do not balance.

    Of a file that was delivered before only what differs is read. Files of one series go one after the other.
    """
    recorded: list[Entry] = []
    for together in one_of_each_series(files):
        before = {file: entry_before(lake.settings, file, [*known, *recorded]) for file in together}
        changes = {file: changes_of(lake.settings, key_file, file, before[file]) for file in together}
        landed = land(lake, table, changes, key_file)
        write_gone(lake.settings, table, changes)
        for file, changed in changes.items():
            entry = Entry(
                **described(file),
                edition=1 + edition_before(file, [*known, *recorded]),
                rows_in=file.rows,
                rows_bronze=landed.bronze.get(file.file_id, 0),
                rows_silver=landed.silver.get(file.file_id, 0),
                rows_quarantine=landed.quarantine.get(file.file_id, 0),
                reasons=landed.reasons.get(file.file_id, {}),
                after=earlier.file_id if (earlier := before[file]) else "",
                rows_kept=changed.kept,
                rows_gone=len(changed.gone),
            )
            require_balance(entry)
            refused = erased_rows(lake, table, entry) if entry.reasons.get(ERASED) else []
            keep(ids_file(lake.settings, table.name, file.file_id), without(changed.known, refused))
            recorded.append(entry)
    return recorded


def erased_rows(lake: Lake, table: Table, entry: Entry) -> list[tuple[str, int]]:
    """Rows of a file that were refused at pseudonymisation because their person is erased."""
    rows = lake.read(f"quarantine.{table.name}", file_id=[entry.file_id])
    mine = rows.where(rows["reason"] == ERASED)
    return [(row[0], row[1]) for row in mine.select("file_id", "row_number").collect()]


def described(file: FileSurvey) -> dict[str, Any]:
    """What an entry says about where a file came from."""
    return {
        "file_id": file.file_id,
        "sha256": file.sha256,
        "name": file.found.name,
        "format": file.delivery.format,
        "issuer": file.delivery.issuer,
        "source": file.found.source.name,
        "source_table": file.found.table.name,
        "delivered": file.delivered,
        "covers_from": file.delivery.covers_from,
        "covers_to": file.delivery.covers_to,
    }


def require_balance(entry: Entry) -> None:
    """Raise :class:`DataError` when rows of a file are neither in silver nor in quarantine."""
    if not entry.balanced:
        raise DataError(
            f"{entry.name} has {entry.rows_in} rows, but kept {entry.rows_kept}, bronze {entry.rows_bronze}, "
            f"silver {entry.rows_silver} and quarantine {entry.rows_quarantine}.",
            "Every row must be in silver or in quarantine; nothing of the file is used.",
            "Report this with the file's digest " + entry.sha256 + ".",
        )


def one_of_each_series(files: Sequence[FileSurvey]) -> list[list[FileSurvey]]:
    """Files in groups without two deliveries of one file in any; earlier deliveries first."""
    groups: list[list[FileSurvey]] = []
    seen: dict[tuple[str, ...], int] = {}
    for file in sorted(files, key=lambda each: (each.delivered or datetime.date.min, each.found.name)):
        series = series_of(file)
        place = seen.get(series, -1) + 1
        seen[series] = place
        if place == len(groups):
            groups.append([])
        groups[place].append(file)
    return groups


def entry_before(settings: Settings, file: FileSurvey, known: Sequence[Entry]) -> Entry | None:
    """The delivery a file goes on from: the current one of its series, unless that is the later of the two.

    None too where the rows of that one are not on record (an older lake, an erasure): all of the file is new then.
    """
    series = series_of(file)
    now = next((entry for entry in current(known) if entry.series == series), None)
    if now is None or (file.delivered or datetime.date.min) < (now.delivered or datetime.date.min):
        return None
    return now if ids_file(settings, now.source_table, now.file_id).is_file() else None


def changes_of(settings: Settings, key_file: Path, file: FileSurvey, before: Entry | None) -> Changes:
    """What is new in a file, what it keeps and what it no longer has."""
    known = kept(ids_file(settings, before.source_table, before.file_id)) if before else None
    return compare(row_ids(file, key_file), file.file_id, known)


def series_of(file: FileSurvey) -> tuple[str, str, str, str]:
    """What a later delivery of the same file has in common with it."""
    return file.delivery.format, file.delivery.issuer, file.found.table.name, series_name(file.found.name)


def edition_before(file: FileSurvey, known: Sequence[Entry]) -> int:
    """How often a file of this name has been delivered already."""
    return sum(entry.series == series_of(file) for entry in known)
