"""Ingest: a delivery to bronze, silver and gold, with every row accounted for; safe to repeat and to kill."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.delivery.find import DeliveredFile, Delivery, find_delivery
from lakehouse.delivery.register import Entry, claim_kind, entries, record
from lakehouse.delivery.survey import FileSurvey, survey
from lakehouse.delta.writer_lock import only_writer
from lakehouse.gold.build import BuildSummary, build_gold
from lakehouse.identity.pseudonyms import root_key_file
from lakehouse.identity.vault import collect_after_ingest, vault_at_ingest
from lakehouse.ingest import report as reports
from lakehouse.ingest.failures import explained
from lakehouse.ingest.table import bring_table, unique_new
from lakehouse.ingest.verdict import Verdict, judge, thresholds
from lakehouse.spark_internals.process import jvm_process

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from lakehouse.lake import Lake

Progress = Callable[[str, int, int], None]
TABLES_AT_ONCE = 3
"""While one table is compared with what was delivered before, workers read another."""

RECORD_SECONDS = 60.0
"""Finished tables are recorded at least this often, so that a killed ingest repeats no more than that."""


@dataclass(frozen=True)
class IngestSummary:
    """What an ingest did. ``files`` are all files of the delivery, ``new`` the ids of those not known before.

    ``gold`` holds rows by gold table, ``unlinked`` rows that found no person by reason,
    ``without_birth`` the persons left out of the timeline because no source says when they were born, ``report`` the
    page that tells it in full (none where nothing was new).
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
    report: Path | None = None
    verdict: str = ""

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
        if self.verdict:
            lines.append(f"verdict: {self.verdict}")
        if self.report:
            lines.append(f"report: {self.report}")
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
    lake: Lake,
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
    began, moment = time.monotonic(), reports.now()
    steps = Steps(progress)
    declared = thresholds(lake.settings)
    delivery = find_delivery(Path(folder), format)
    with only_writer(lake.settings.lake / ".writer.lock", writers_of(lake.spark)), explained():
        claim_kind(lake.settings, delivery)
        key_file = root_key_file(lake.settings, create=delivery.kind != "real")
        vault_at_ingest(lake.settings, delivery.kind)
        surveyed = survey_all(delivery, steps)
        known = entries(lake)
        new = unique_new(surveyed, known)
        known += bring_in(lake, key_file, new, known, steps)
        collect_after_ingest(lake.settings)
        gold = build_gold(lake, known, steps)
        by_key = {entry.key: entry for entry in known}
        ours = tuple(by_key[key] for key in dict.fromkeys(file.key for file in surveyed))
        read = {entry.key: entry for entry in ours} | {file.key: by_key[file.key] for file in new}
        warnings = steps.warnings + ignored_warning(delivery)
        summary = IngestSummary(
            format=delivery.format,
            kind=delivery.kind,
            files=tuple(read.values()),
            new=tuple(dict.fromkeys(file.file_id for file in new)),
            gold=gold.rows,
            unlinked=gold.unlinked,
            without_birth=gold.without_birth,
            warnings=tuple(warnings),
            seconds=time.monotonic() - began,
        )
        if not new:
            return summary
        verdict = judge(declared, [entry for entry in summary.files if entry.file_id in summary.new], known)
        page = report_of(lake, summary, surveyed, moment, steps, verdict)
    seconds = time.monotonic() - began
    return replace(summary, seconds=seconds, report=page, verdict=verdict.line)


def report_of(
    lake: Lake,
    summary: IngestSummary,
    surveyed: Sequence[FileSurvey],
    moment: str,
    steps: Steps,
    verdict: Verdict,
) -> Path:
    """Write the delivery report and return its page."""
    steps.begin("Delivery report", 1)
    months, places, units = reports.coverage(lake, summary.new)
    report = reports.DeliveryReport(
        format=summary.format,
        kind=summary.kind,
        began=moment,
        seconds=summary.seconds,
        files=reports.file_rows(summary.files, summary.new),
        quarantine=reports.quarantine_rows(lake, summary.files, summary.new),
        columns=reports.column_rows(surveyed),
        codes=reports.unknown_codes(lake),
        units=units,
        months=months,
        places=places,
        gold=summary.gold,
        unlinked=summary.unlinked,
        warnings=list(summary.warnings),
        verdict=verdict,
    )
    page = reports.write_report(lake.settings, report)
    steps.finish()
    return page


def rebuild(lake: Lake, progress: Progress | None = None) -> BuildSummary:
    """Build gold again where what it is built from has changed without a delivery."""
    with only_writer(lake.settings.lake / ".writer.lock", writers_of(lake.spark)), explained():
        return build_gold(lake, entries(lake), Steps(progress))


def writers_of(spark: SparkSession) -> list[int]:
    """The processes that write: this one and its JVM."""
    return [os.getpid(), jvm_process(spark)]


def ignored_warning(delivery: Delivery) -> list[str]:
    """A line on files that belong to no declared table."""
    if not delivery.ignored:
        return []
    shown = ", ".join(delivery.ignored[:5]) + (" …" if len(delivery.ignored) > 5 else "")
    return [f"{len(delivery.ignored)} files belong to no declared table and were left alone: {shown}"]


def survey_all(delivery: Delivery, steps: Steps) -> list[FileSurvey]:
    """Digest and count every file, several at a time."""
    steps.begin("Counting and hashing files", len(delivery.files))

    def look(found: DeliveredFile) -> FileSurvey:
        seen = survey(found, delivery)
        steps.finish()
        return seen

    with ThreadPoolExecutor(2) as pool:
        surveyed = list(pool.map(look, delivery.files))
    steps.warnings += [warning for each in surveyed for warning in each.warnings]
    return surveyed


def bring_in(
    lake: Lake,
    key_file: Path,
    new: Sequence[FileSurvey],
    known: Sequence[Entry],
    steps: Steps,
) -> list[Entry]:
    """Bronze, silver, quarantine and the record of all new files, a few tables at a time."""
    by_table: dict[str, list[FileSurvey]] = {}
    for file in new:
        by_table.setdefault(file.found.table.name, []).append(file)
    if not by_table:
        return []
    steps.begin("Reading tables", len(by_table))
    largest_first = sorted(by_table.values(), key=lambda files: -sum(file.size for file in files))
    recorded: list[Entry] = []

    def bring(files: list[FileSurvey]) -> list[Entry]:
        return bring_table(lake, key_file, files[0].found.table, files, known)

    with ThreadPoolExecutor(TABLES_AT_ONCE) as pool:
        waiting: list[Entry] = []
        last = time.monotonic()
        for balances in pool.map(bring, largest_first):
            waiting += balances
            steps.finish()
            if time.monotonic() - last > RECORD_SECONDS:
                record(lake, waiting)
                recorded, waiting, last = recorded + waiting, [], time.monotonic()
        if waiting:
            record(lake, waiting)
    return recorded + waiting
