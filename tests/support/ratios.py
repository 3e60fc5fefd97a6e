"""Figures of the benchmarks over time: a line each in ``docs/benchmarks.csv``, with the commit, and what became slower.

Ratios are kept, not seconds: they depend on the machine far less. A figure is held against the last one of its name and
of the same size; a benchmark itself fails by what is promised, this only says which way it goes.
"""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Mapping
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HISTORY = ROOT / "docs" / "benchmarks.csv"
COLUMNS = ["date", "commit", "benchmark", "size", "figure", "value", "better"]
TOLERANCE = 0.10
"""Share by which a figure may be worse than the last one before it is called so: two runs of one commit differ by less."""


def commit() -> str:
    """The commit that is measured, with a plus sign where files differ from it; ``none`` outside a repository."""

    def said(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout.strip()

    changed = said(
        "status", "--porcelain", "--untracked-files=no", "--", "lakehouse", "experiments", "tests", "conf"
    )
    return (said("rev-parse", "--short", "HEAD") or "none") + ("+" if changed else "")


def record(
    benchmark: str, size: str, figures: Mapping[str, float], better: str = "lower", history: Path = HISTORY
) -> list[str]:
    """Append figures to the history and print which became worse than the last ones by more than :data:`TOLERANCE`.

    ``better`` says whether ``lower`` or ``higher`` is; the names of the figures that became worse are returned.
    Raises :class:`ValueError` for another word.
    """
    if better not in ("lower", "higher"):
        raise ValueError(f"better is 'lower' or 'higher', not {better!r}.")
    last: dict[str, tuple[float, str]] = {}
    if history.exists():
        with history.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if (row["benchmark"], row["size"]) == (benchmark, size):
                    last[row["figure"]] = (float(row["value"]), row["commit"])
    at, now = date.today().isoformat(), commit()
    new = not history.exists()
    with history.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(COLUMNS)
        writer.writerows(
            [at, now, benchmark, size, name, f"{value:.4g}", better] for name, value in figures.items()
        )
    worse = []
    for name, value in figures.items():
        if name not in last:
            continue
        before, by = last[name]
        change = (value / before if better == "lower" else before / value) - 1 if before and value else 0.0
        if change > TOLERANCE:
            worse.append(name)
            print(f"WORSE {name}: {value:.2f}, {before:.2f} at {by} ({change:.0%} worse)")
    return worse
