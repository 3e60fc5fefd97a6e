"""Ingest: a delivery to bronze, silver and gold, with every row accounted for; safe to repeat and to kill."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.bronze import write_bronze, write_gone
from lakehouse.build import build_gold
from lakehouse.delivery import Delivery, Found, find_delivery, series_name
from lakehouse.errors import DataError
from lakehouse.failures import explained
from lakehouse.governance.vault import collect_after_ingest, vault_at_ingest
from lakehouse.lake import Entry, claim_kind, current, entries, record
from lakehouse.pseudonym import root_key_file
from lakehouse.row_ids import Changes, compare, ids_file, keep, kept, row_ids
from lakehouse.schema import Table
from lakehouse.silver import reasons_by_file, write_silver
from lakehouse.survey import Surveyed, survey
from lakehouse.writer_lock import only_writer

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from lakehouse.settings import Settings

Progress = Callable[[str, int, int], None]
TABLES_AT_ONCE = 3
"""Delta commits wait more than they work: several tables at a time keep two cores busy."""

RECORD_SECONDS = 60.0
"""Finished tables are recorded at least this often, so that a killed ingest repeats no more than that."""


@dataclass(frozen=True)
class IngestSummary:
    """What an ingest did. ``files`` are all files of the delivery, ``new`` the ids of those not known before.

    ``gold`` holds rows by gold table, ``unlinked`` rows that found no person by reason,
    ``without_birth`` the persons left out of the timeline because no source says when they were born.
    """

    format: str
    kind: str
    files: tuple[Entry, ...]
    new: tuple[str, ...]
    gold: dict[str, int]
    unlinked: dict[str, int]
    without_birth: int
    warnings: tuple[str, ...]
    seconds: float

    @property
    def rows_in(self) -> int:
        """Data rows of all files of the delivery."""
        return sum(entry.rows_in for entry in self.files)

    def __str__(self) -> str:
        """The balance of every file, and what gold holds, for standard output."""
        width = max(len(entry.name) for entry in self.files)
        lines = [f"{'file':<{width}} {'rows in':>11} {'kept':>11} {'silver':>11} {'quarantine':>10}"]
        for entry in self.files:
            known = "" if entry.file_id in self.new else "  known, nothing done"
            why = "".join(f"  {reason} {count}" for reason, count in sorted(entry.reasons.items()))
            counts = f"{entry.rows_in:>11,} {entry.rows_kept:>11,} {entry.rows_silver:>11,}"
            counts += f" {entry.rows_quarantine:>10,}" + (
                f"  gone {entry.rows_gone:,}" if entry.rows_gone else ""
            )
            lines.append(f"{entry.name:<{width}} {counts}{known}{why}")
        lines += [f"{name}: {rows:,} rows" for name, rows in self.gold.items()]
        lines += [f"without a person, {reason}: {count:,} rows" for reason, count in self.unlinked.items()]
        if self.without_birth:
            lines.append(f"not in the timeline, birth unknown: {self.without_birth:,} persons")
        lines += [f"note: {warning}" for warning in self.warnings]
        lines.append(
            f"{self.rows_in:,} rows in, all accounted for; {len(self.new)} new files; {self.seconds:.0f} s"
        )
        return "\n".join(lines)


@dataclass
class Steps:
    """Counts finished steps for whoever shows progress."""

    show: Progress | None
    total: int = 0
    done: int = 0
    warnings: list[str] = field(default_factory=list)

    def begin(self, name: str, total: int) -> None:
        """A stage of ``total`` steps."""
        self.name, self.total, self.done = name, total, 0
        self.tell()

    def finish(self, name: str = "") -> None:
        """One step is done."""
        self.done += 1
        self.tell()

    def tell(self) -> None:
        """Show where the stage stands."""
        if self.show and self.total:
            self.show(self.name, self.done, self.total)


def ingest(
    spark: SparkSession,
    settings: Settings,
    folder: Path,
    *,
    format: str = "auto",
    progress: Progress | None = None,
) -> IngestSummary:
    """Bring a delivery into the lake.

    Each table of the delivery passes bronze and silver in atomic commits that replace exactly the rows of the
    files at hand, and is then recorded; gold is rebuilt when the recorded files differ from those it was built
    from. So the same delivery again does nothing, and one that was killed is taken up where it stopped.
    """
    began = time.monotonic()
    steps = Steps(progress)
    delivery = find_delivery(Path(folder), format)
    jvm: Any = spark._jvm
    writers = [os.getpid(), int(jvm.java.lang.ProcessHandle.current().pid())]
    with only_writer(settings.lake / ".writer.lock", writers), explained():
        claim_kind(settings, delivery)
        key_file = root_key_file(settings, create=delivery.kind != "real")
        vault_at_ingest(settings, delivery.kind)
        surveyed = survey_all(delivery, steps)
        known = entries(spark, settings)
        new = unique_new(surveyed, known)
        known += bring_in(spark, settings, key_file, new, known, steps)
        collect_after_ingest(settings)
        gold = build_gold(spark, settings, known, steps)
    by_key = {entry.key: entry for entry in known}
    ours = dict.fromkeys(file.key for file in surveyed)
    return IngestSummary(
        format=delivery.format,
        kind=delivery.kind,
        files=tuple(by_key[key] for key in ours),
        new=tuple(dict.fromkeys(file.file_id for file in new)),
        gold=gold.rows,
        unlinked=gold.unlinked,
        without_birth=gold.without_birth,
        warnings=tuple(steps.warnings + ignored_warning(delivery)),
        seconds=time.monotonic() - began,
    )


def ignored_warning(delivery: Delivery) -> list[str]:
    """A line on files that belong to no declared table."""
    if not delivery.ignored:
        return []
    shown = ", ".join(delivery.ignored[:5]) + (" …" if len(delivery.ignored) > 5 else "")
    return [f"{len(delivery.ignored)} files belong to no declared table and were left alone: {shown}"]


def survey_all(delivery: Delivery, steps: Steps) -> list[Surveyed]:
    """Digest and count every file, several at a time."""
    steps.begin("Counting and hashing files", len(delivery.files))

    def look(found: Found) -> Surveyed:
        seen = survey(found, delivery)
        steps.finish()
        return seen

    with ThreadPoolExecutor(2) as pool:
        surveyed = list(pool.map(look, delivery.files))
    steps.warnings += [warning for each in surveyed for warning in each.warnings]
    return surveyed


def unique_new(surveyed: Sequence[Surveyed], known: Sequence[Entry]) -> list[Surveyed]:
    """Files not yet recorded; of two equal files in one delivery the first.

    A later delivery that goes back to what a file once was is news as well, and gets a name of its own.
    """
    recorded = {entry.key for entry in known}
    now = {entry.series: entry for entry in current(known)}
    new: dict[tuple[str, str], Surveyed] = {}
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


def bring_in(
    spark: SparkSession,
    settings: Settings,
    key_file: Path,
    new: Sequence[Surveyed],
    known: Sequence[Entry],
    steps: Steps,
) -> list[Entry]:
    """Bronze, silver, quarantine and the record of all new files, a few tables at a time."""
    by_table: dict[str, list[Surveyed]] = {}
    for file in new:
        by_table.setdefault(file.found.table.name, []).append(file)
    if not by_table:
        return []
    steps.begin("Reading tables", len(by_table))
    largest_first = sorted(by_table.values(), key=lambda files: -sum(file.size for file in files))
    recorded: list[Entry] = []

    def bring(files: list[Surveyed]) -> list[Entry]:
        return bring_table(spark, settings, key_file, files[0].found.table, files, known)

    with ThreadPoolExecutor(TABLES_AT_ONCE) as pool:
        waiting: list[Entry] = []
        last = time.monotonic()
        for balances in pool.map(bring, largest_first):
            waiting += balances
            steps.finish()
            if time.monotonic() - last > RECORD_SECONDS:
                record(spark, settings, waiting)
                recorded, waiting, last = recorded + waiting, [], time.monotonic()
        if waiting:
            record(spark, settings, waiting)
    return recorded + waiting


def bring_table(
    spark: SparkSession,
    settings: Settings,
    key_file: Path,
    table: Table,
    files: Sequence[Surveyed],
    known: Sequence[Entry],
) -> list[Entry]:
    """One table through bronze and silver; raises when a file's rows do not balance.

    Of a file that was delivered before only what differs is read. Files of one series go one after the other.
    """
    recorded: list[Entry] = []
    for together in one_of_each_series(files):
        before = {file: entry_before(settings, file, [*known, *recorded]) for file in together}
        changes = {file: changes_of(settings, key_file, file, before[file]) for file in together}
        bronze = write_bronze(spark, settings, table, changes, key_file)
        write_gone(spark, settings, table, changes)
        rows = {file.file_id: bronze.get(file.file_id, 0) for file in together}
        silver, quarantine = write_silver(spark, settings, table, rows)
        reasons = reasons_by_file(spark, settings, table, list(quarantine))
        for file, changed in changes.items():
            entry = Entry(
                **described(file),
                edition=1 + edition_before(file, [*known, *recorded]),
                rows_in=file.rows,
                rows_bronze=bronze.get(file.file_id, 0),
                rows_silver=silver.get(file.file_id, 0),
                rows_quarantine=quarantine.get(file.file_id, 0),
                reasons=reasons.get(file.file_id, {}),
                after=earlier.file_id if (earlier := before[file]) else "",
                rows_kept=changed.kept,
                rows_gone=len(changed.gone),
            )
            require_balance(entry)
            keep(ids_file(settings, table.name, file.file_id), changed.known)
            recorded.append(entry)
    return recorded


def described(file: Surveyed) -> dict[str, Any]:
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
    """Raise when rows of a file are neither in silver nor in quarantine."""
    if not entry.balanced:
        raise DataError(
            f"{entry.name} has {entry.rows_in} rows, but kept {entry.rows_kept}, bronze {entry.rows_bronze}, "
            f"silver {entry.rows_silver} and quarantine {entry.rows_quarantine}.",
            "Every row must be in silver or in quarantine; nothing of the file is used.",
            "Report this with the file's digest " + entry.sha256 + ".",
        )


def one_of_each_series(files: Sequence[Surveyed]) -> list[list[Surveyed]]:
    """Files in groups without two deliveries of one file in any; earlier deliveries first."""
    groups: list[list[Surveyed]] = []
    seen: dict[tuple[str, ...], int] = {}
    for file in sorted(files, key=lambda each: (each.delivered or datetime.date.min, each.found.name)):
        series = series_of(file)
        place = seen.get(series, -1) + 1
        seen[series] = place
        if place == len(groups):
            groups.append([])
        groups[place].append(file)
    return groups


def entry_before(settings: Settings, file: Surveyed, known: Sequence[Entry]) -> Entry | None:
    """The delivery a file goes on from: the current one of its series, unless that is the later of the two.

    None too where the rows of that one are not on record (an older lake, an erasure): all of the file is new then.
    """
    series = series_of(file)
    now = next((entry for entry in current(known) if entry.series == series), None)
    if now is None or (file.delivered or datetime.date.min) < (now.delivered or datetime.date.min):
        return None
    return now if ids_file(settings, now.source_table, now.file_id).is_file() else None


def changes_of(settings: Settings, key_file: Path, file: Surveyed, before: Entry | None) -> Changes:
    """What is new in a file, what it keeps and what it no longer has."""
    known = kept(ids_file(settings, before.source_table, before.file_id)) if before else None
    return compare(row_ids(file, key_file), file.file_id, known)


def series_of(file: Surveyed) -> tuple[str, str, str, str]:
    """What a later delivery of the same file has in common with it."""
    return file.delivery.format, file.delivery.issuer, file.found.table.name, series_name(file.found.name)


def edition_before(file: Surveyed, known: Sequence[Entry]) -> int:
    """How often a file of this name has been delivered already."""
    return sum(entry.series == series_of(file) for entry in known)
