"""The report of an ingest: one offline page and the same as JSON, for whoever sent or took in the delivery.

It stays with the data unit, beside the lake: counts of delivered rows may be small, and examples, though masked, are
of single rows.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.delivery.register import Entry
from lakehouse.ingest.verdict import NOT_JUDGED, REFUSED, Verdict

if TYPE_CHECKING:
    from lakehouse.delivery.survey import FileSurvey
    from lakehouse.lake import Lake
    from lakehouse.settings import Settings

PLACES = 20
"""Places and codes listed by name, the most frequent ones."""
UNIT_REASONS = ("unknown_unit", "unit_conflict")


@dataclass(frozen=True)
class DeliveryReport:
    """What one ingest found. Every list is of plain rows, as they stand in the JSON.

    ``files``: balance and change of each file. ``quarantine``: reason, rows and masked examples by table.
    ``columns``: headers no declaration names, declared ones that were missing. ``codes``: codes of the lake that no
    code list names, with how many events have them. ``units``: analysis and unit pairs, where one analysis came in
    several. ``months`` and ``places``: events of the new files by source table. ``verdict``: what the new files are
    judged to be, why, and the hashes of the thresholds.
    """

    format: str
    kind: str
    began: str
    seconds: float
    files: list[dict[str, Any]]
    quarantine: list[dict[str, Any]] = field(default_factory=list)
    columns: list[dict[str, Any]] = field(default_factory=list)
    codes: list[dict[str, Any]] = field(default_factory=list)
    units: list[dict[str, Any]] = field(default_factory=list)
    months: list[dict[str, Any]] = field(default_factory=list)
    places: list[dict[str, Any]] = field(default_factory=list)
    gold: dict[str, int] = field(default_factory=dict)
    unlinked: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    verdict: Verdict = field(default_factory=lambda: Verdict(NOT_JUDGED))


def file_rows(entries: Sequence[Entry], new: Sequence[str]) -> list[dict[str, Any]]:
    """Balance of each file, and what it changed against the delivery before."""
    return [
        {
            "file": entry.name,
            "table": entry.source_table,
            "delivered": entry.delivered.isoformat() if entry.delivered else "",
            "edition": entry.edition,
            "new": entry.file_id in new,
            "rows_in": entry.rows_in,
            "kept": entry.rows_kept,
            "silver": entry.rows_silver,
            "quarantine": entry.rows_quarantine,
            "gone": entry.rows_gone,
        }
        for entry in entries
    ]


def column_rows(surveyed: Sequence[FileSurvey]) -> list[dict[str, Any]]:
    """Files whose headers differ from their declaration."""
    return [
        {"file": file.found.name, "unknown": list(file.unknown), "missing": list(file.absent)}
        for file in surveyed
        if file.unknown or file.absent
    ]


def quarantine_rows(lake: Lake, entries: Sequence[Entry], new: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of the new files in quarantine, by table and reason, with the first and the last masked example."""
    found = []
    tables = sorted(
        {entry.source_table for entry in entries if entry.rows_quarantine and entry.file_id in new}
    )
    for table in tables:
        frame = lake.read(f"quarantine.{table}", file_id=new)
        for row in (
            frame.groupBy("reason")
            .agg({"*": "count", "example": "min", "row_number": "min"})
            .withColumnRenamed("count(1)", "rows")
            .join(frame.groupBy("reason").agg({"example": "max"}), "reason")
            .collect()
        ):
            examples = sorted({each for each in (row["min(example)"], row["max(example)"]) if each})
            found.append(
                {
                    "table": table,
                    "reason": row["reason"],
                    "rows": int(row["rows"]),
                    "examples": examples,
                    "units": row["reason"] in UNIT_REASONS,
                }
            )
    return sorted(found, key=lambda each: (each["table"], -each["rows"], each["reason"]))


def coverage(
    lake: Lake, new: Sequence[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Events of the new files by month and by place of each source table, and laboratory units that compete."""
    event = lake.read("gold.event")
    event.where(event["file_id"].isin(list(new))).selectExpr(
        "source_table",
        "date_format(time_start, 'yyyy-MM') AS month",
        "coalesce(place, '') AS place",
        "CASE WHEN domain = 'laboratory' THEN code END AS analysis",
        "CASE WHEN domain = 'laboratory' THEN coalesce(unit, '') END AS unit",
    ).createOrReplaceTempView("delivery_report_events")
    rows = lake.spark.sql(
        "SELECT source_table, month, place, analysis, unit, grouping_id() AS grouped, count(*) AS events "
        "FROM delivery_report_events GROUP BY source_table, month, place, analysis, unit "
        "GROUPING SETS ((source_table, month), (source_table, place), (analysis, unit))"
    ).collect()
    lake.spark.catalog.dropTempView("delivery_report_events")
    by_month, by_place, by_unit = [], [], []
    for row in rows:
        events = int(row["events"])
        if row["grouped"] == 0b00111:
            by_month.append({"table": row["source_table"], "month": row["month"] or "", "events": events})
        elif row["grouped"] == 0b01011:
            by_place.append({"table": row["source_table"], "place": row["place"], "events": events})
        elif row["analysis"]:
            by_unit.append({"code": row["analysis"], "unit": row["unit"], "events": events})
    codes = [each["code"] for each in by_unit]
    competing = [each for each in by_unit if codes.count(each["code"]) > 1]
    return (
        sorted(by_month, key=lambda each: (each["table"], each["month"])),
        most(by_place),
        sorted(competing, key=lambda each: (each["code"], -each["events"])),
    )


def most(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The most frequent places of each table, and how many events lie elsewhere."""
    kept: list[dict[str, Any]] = []
    for table in sorted({row["table"] for row in rows}):
        ours = sorted((row for row in rows if row["table"] == table), key=lambda each: -each["events"])
        kept += ours[:PLACES]
        if rest := ours[PLACES:]:
            elsewhere = sum(row["events"] for row in rest)
            kept.append({"table": table, "place": f"{len(rest)} other places", "events": elsewhere})
    return kept


def unknown_codes(lake: Lake) -> list[dict[str, Any]]:
    """Codes of the timeline without a name in any list, by system: how many, and some of them."""
    words = lake.read("gold.vocabulary")
    rows = words.where("text IS NULL").select("code_system", "code").collect()
    systems: dict[str, list[str]] = {}
    for row in rows:
        systems.setdefault(row["code_system"] or "", []).append(row["code"])
    return [
        {"system": system, "codes": len(codes), "examples": sorted(codes)[:PLACES]}
        for system, codes in sorted(systems.items())
    ]


def write_report(settings: Settings, report: DeliveryReport) -> Path:
    """Write page and JSON, and return the page's path."""
    folder = settings.home / "deliveries"
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"ingest-{report.began.replace(':', '').replace('-', '')}"
    (folder / f"{stem}.json").write_text(
        json.dumps(asdict(report), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    page = folder / f"{stem}.html"
    page.write_text(as_html(report), encoding="utf-8")
    return page


def now() -> str:
    """The moment an ingest began, as it stands in the report's name."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1c2733}"
    "table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{padding:.2rem .7rem;text-align:left;"
    "border-bottom:1px solid #dde3e9;font-variant-numeric:tabular-nums}td.n,th.n{text-align:right}"
    "h2{margin-top:2rem;font-size:1.2rem}.bar{display:inline-block;height:.7rem;background:#4a7fb5}"
    ".note{color:#5b6b7a}"
)


def as_html(report: DeliveryReport) -> str:
    """The page: no script, nothing fetched from anywhere."""
    rows_in = sum(each["rows_in"] for each in report.files)
    spoilt = sum(each["quarantine"] for each in report.files)
    read = [each for each in report.files if each["new"]]
    head = verdict_html(report.verdict) + (
        f"<p>{len(report.files)} files, {len(read)} of them new; {rows_in:,} rows in, "
        f"{sum(each['kept'] for each in read):,} known from the delivery before, {spoilt:,} in quarantine, "
        f"{sum(each['gone'] for each in read):,} vanished. Every row is accounted for. {report.seconds:.0f} s.</p>"
    )
    sections = [
        ("Files", table_html(report.files)),
        ("In quarantine", table_html(report.quarantine)),
        ("Columns that differ from the declaration", table_html(report.columns)),
        ("Codes that no list names", table_html(report.codes)),
        ("Analyses in several units", table_html(report.units)),
        ("Events by month", months_html(report.months)),
        ("Events by place", table_html(report.places)),
        ("Gold", table_html([{"table": name, "rows": rows} for name, rows in report.gold.items()])),
        ("Without a person", table_html([{"reason": k, "rows": v} for k, v in report.unlinked.items()])),
        ("Notes", "".join(f"<p>{escape(each)}</p>" for each in report.warnings)),
    ]
    body = "".join(f"<h2>{title}</h2>{content or '<p class=note>None.</p>'}" for title, content in sections)
    title = f"Delivery of {escape(report.began[:10])} ({escape(report.format)}, {escape(report.kind)})"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"<h1>{title}</h1>{head}{body}</html>\n"
    )


def verdict_html(verdict: Verdict) -> str:
    """The verdict in the first line, its reasons below; what a refusal asks of the data unit."""
    reasons = "".join(f"<li>{escape(each)}</li>" for each in verdict.reasons)
    what_next = (
        "<p>Its rows are in the lake, each accounted for. Ask the sender for a corrected delivery, which replaces them."
        "</p>"
        if verdict.state == REFUSED
        else ""
    )
    return (
        f"<p><strong>{escape(verdict.line)}</strong></p>"
        + (f"<ul>{reasons}</ul>" if reasons else "")
        + what_next
    )


def table_html(rows: Sequence[dict[str, Any]]) -> str:
    """Rows as a table; numbers to the right."""
    if not rows:
        return ""
    names = list(rows[0])
    number = {name: isinstance(rows[0][name], int) and not isinstance(rows[0][name], bool) for name in names}
    heads = "".join(f"<th{' class=n' if number[name] else ''}>{escape(name)}</th>" for name in names)
    lines = "".join(
        "<tr>"
        + "".join(f"<td{' class=n' if number[name] else ''}>{cell(row[name])}</td>" for name in names)
        + "</tr>"
        for row in rows
    )
    return f"<table><tr>{heads}</tr>{lines}</table>"


def cell(value: Any) -> str:
    """One value as it is shown."""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return escape(", ".join(map(str, value)))
    return escape(str(value))


def months_html(months: Sequence[dict[str, Any]]) -> str:
    """Events by month as bars, one table after the other; gaps in a source show as gaps."""
    parts = []
    for table in dict.fromkeys(each["table"] for each in months):
        ours = [each for each in months if each["table"] == table]
        top = max(each["events"] for each in ours)
        bars = "".join(
            f"<tr><td>{escape(each['month'])}</td><td class=n>{each['events']:,}</td>"
            f'<td><span class="bar" style="width:{max(1, 300 * each["events"] // top)}px"></span></td></tr>'
            for each in ours
        )
        parts.append(
            f"<details><summary>{escape(str(table))}: {len(ours)} months</summary><table>{bars}</table></details>"
        )
    return "".join(parts)
