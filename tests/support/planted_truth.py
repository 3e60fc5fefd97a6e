"""What a generated region planted against what the lake holds, for every known defect."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.delta.log import is_table
from lakehouse.delta.tables import table_path

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from lakehouse.ingest.run import IngestSummary
    from lakehouse.settings import Settings
    from lakehouse.synthetic import SynthSummary


@dataclass
class Comparison:
    """Checks made, rows they spoke of, those that failed in words, and known defects that were never planted."""

    checks: int = 0
    rows: int = 0
    wrong: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def unread(made: SynthSummary, summary: IngestSummary) -> set[str]:
    """Generated files with rows that no record of the ingest speaks of."""
    return {name for name, rows in made.rows.items() if rows} - {entry.name for entry in summary.files}


def compare_with_truth(spark: SparkSession, settings: Settings, truth: Path) -> Comparison:
    """Count what the planted truth of each known defect expects in each table of the lake."""
    planted_truth: dict[str, dict[str, Any]] = json.loads(truth.read_text(encoding="utf-8"))["traps"]
    planned: dict[str, list[tuple[str, str, int]]] = {}
    for defect, kept in planted_truth.items():
        for each in kept["expected"]:
            planned.setdefault(each["table"], []).append((defect, each["where"], each["rows"]))
    compared = Comparison(missing=[defect for defect, kept in planted_truth.items() if not kept["planted"]])
    for table, checks in planned.items():
        path = table_path(settings, table)
        found = [0] * len(checks)
        if is_table(path):
            sums = [f"count_if({where})" for _, where, _ in checks]
            row = spark.read.format("delta").load(str(path)).selectExpr(*sums).first()
            assert row is not None
            found = [int(value) for value in row]
        for (defect, where, rows), seen in zip(checks, found, strict=True):
            compared.checks, compared.rows = compared.checks + 1, compared.rows + rows
            if rows != seen:
                compared.wrong.append(f"{defect}: {table} where {where}: planted {rows}, found {seen}")
    return compared
