"""The ingest beside a plain copy: rows a second from file to gold, a re-delivery's share of it, and memory by file size.

``python -m tests.bench_ingest --persons 20000`` makes a region, then in one run: a DuckDB copy of the same CSV files
to Parquet, a full ingest into an empty lake, and a re-delivery of every file in which 1 % of the rows changed. Each
ingest runs in a process of its own, so that its peak memory can be told. Fails when a promised ratio falls short.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from tests.bench import measured
from tests.support.ratios import record

ROOT = Path(__file__).resolve().parents[1]
TIMES, SHARE = 8, 0.15
"""Promised: how many times a plain copy an ingest takes, what a re-delivery of 1 % changed rows costs of it."""
RUN = """
import json, sys, time
from pathlib import Path
from lakehouse.gold.build import Builder
from lakehouse.ingest.run import ingest
from lakehouse.session import spark_session
from lakehouse.lake import Lake
from lakehouse.settings import load_settings
settings = load_settings(sys.argv[1])
spark = spark_session(settings)
began = time.perf_counter()
stages, tables = {}, {}
def timed(write):
    def timed_write(builder, names, *rest):
        start = time.perf_counter()
        write(builder, names, *rest)
        tables[names if isinstance(names, str) else ", ".join(names)] = (start - began, time.perf_counter() - began)
    return timed_write
Builder.write, Builder.write_files = timed(Builder.write), timed(Builder.write_files)
def note(name, done, total):
    stages.setdefault(name, time.perf_counter() - began)
summary = ingest(Lake(spark, settings), Path(sys.argv[2]), progress=note)
seconds = time.perf_counter() - began
print(json.dumps({"seconds": seconds, "rows": summary.rows_in, "stages": stages, "tables": tables,
                  "read": sum(entry.rows_bronze for entry in summary.files)}))
spark.stop()
"""
SYNTH = """
import sys
from pathlib import Path
from lakehouse.session import spark_session
from lakehouse.settings import load_settings
from lakehouse.synthetic import synthesise
settings = load_settings(sys.argv[1])
spark = spark_session(settings)
synthesise(spark, settings, Path(sys.argv[2]), int(sys.argv[3]), 7)
spark.stop()
print("{}")
"""


@dataclass(frozen=True)
class IngestRun:
    """Figures of the run."""

    rows: int
    copy_seconds: float
    full_seconds: float
    again_seconds: float
    again_read: int
    full_peak: float
    stages: dict[str, float]
    again_stages: dict[str, float]
    tables: dict[str, tuple[float, float]]
    again_tables: dict[str, tuple[float, float]]

    @property
    def ratio(self) -> float:
        """How many times the plain copy a full ingest takes."""
        return self.full_seconds / self.copy_seconds

    @property
    def share(self) -> float:
        """What a re-delivery of 1 % changed rows costs of a full ingest."""
        return self.again_seconds / self.full_seconds


def copy_with_duckdb(delivery: Path, out: Path) -> float:
    """Seconds DuckDB takes to copy every CSV file of a delivery to Parquet as text: the plainest thing to do."""
    files = [(path, encoding_of(path)) for path in sorted(delivery.rglob("*.csv"))]
    began = time.perf_counter()
    with duckdb.connect() as tool:
        tool.execute("SET threads = 2")
        for number, (path, encoding) in enumerate(files):
            source = f"read_csv('{path}', delim=';', all_varchar=true, header=true, encoding='{encoding}')"
            tool.execute(f"COPY (SELECT * FROM {source}) TO '{out / str(number)}.parquet' (FORMAT parquet)")
    return time.perf_counter() - began


def encoding_of(path: Path) -> str:
    """What DuckDB must be told, which refuses UTF-8 under the name of Latin-1."""
    try:
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def redelivered(delivery: Path, out: Path, share: float, numbers: random.Random) -> int:
    """The same delivery a month later with a share of the rows of every file changed; how many."""
    changed = 0
    shutil.copytree(delivery, out)
    note = out / "delivery.toml"
    lines = [line for line in note.read_text().splitlines() if not line.startswith("delivered")]
    note.write_text("delivered = 2030-01-15\n" + "\n".join(lines) + "\n")
    for path in sorted(out.rglob("*.csv")):
        rows = path.read_bytes().splitlines(keepends=True)
        chosen = numbers.sample(range(1, len(rows)), int(share * (len(rows) - 1))) if len(rows) > 1 else []
        for row in chosen:
            rows[row] = corrected(rows[row])
        path.write_bytes(b"".join(rows))
        changed += len(chosen)
    return changed


def corrected(row: bytes) -> bytes:
    """A row with the day of its last date moved within the month, so that it stays a good row."""
    parts = row.split(b";")
    for place in range(len(parts) - 1, 0, -1):
        text = parts[place].strip()
        if len(text) == 10 and text[4:5] == b"-":
            day = b"11" if text[8:] != b"11" else b"12"
            parts[place] = parts[place].replace(text, text[:8] + day)
            break
    else:
        parts[-1] = b"x" + parts[-1]
    return b";".join(parts)


def run(home: Path, delivery: Path) -> dict[str, object]:
    """One ingest in a process of its own."""
    return measured([sys.executable, "-c", RUN, str(home), str(delivery)])


def bench(persons: int, folder: Path) -> IngestRun:
    """Make a region, copy it, ingest it, and ingest it again a little changed."""
    os.environ["PYTHONPATH"] = str(ROOT)
    measured([sys.executable, "-c", SYNTH, str(folder / "home"), str(folder / "region"), str(persons)])
    delivery = next(path.parent for path in (folder / "region").rglob("delivery.toml"))
    (folder / "copy").mkdir()
    copy_seconds = copy_with_duckdb(delivery, folder / "copy")
    full = run(folder / "home", delivery)
    redelivered(delivery, folder / "later", 0.01, random.Random(1))
    again = run(folder / "home", folder / "later")
    return IngestRun(
        rows=int(str(full["rows"])),
        copy_seconds=copy_seconds,
        full_seconds=float(str(full["seconds"])),
        again_seconds=float(str(again["seconds"])),
        again_read=int(str(again["read"])),
        full_peak=float(str(full["peak_gb"])),
        stages=json.loads(json.dumps(full["stages"])),
        again_stages=json.loads(json.dumps(again["stages"])),
        tables=json.loads(json.dumps(full["tables"])),
        again_tables=json.loads(json.dumps(again["tables"])),
    )


def lines(got: IngestRun) -> Iterator[str]:
    """The figures as lines, beside what was promised."""
    yield (
        f"{verdict(got.ratio, TIMES)} ingest, file to gold: {got.rows:,} rows in {got.full_seconds:.0f} s, "
        f"{got.rows / got.full_seconds:,.0f} rows/s; "
        f"DuckDB copy to Parquet {got.copy_seconds:.1f} s; {got.ratio:.1f} times (promised {TIMES}); "
        f"peak {got.full_peak:.1f} GB"
    )
    yield (
        f"{verdict(got.share, SHARE)} re-delivery, 1 % changed: {got.again_read:,} rows read of {got.rows:,}, "
        f"{got.again_seconds:.0f} s, "
        f"{got.share:.0%} of a full load (promised {SHARE:.0%})"
    )
    runs = (("full", got.stages, got.tables), ("again", got.again_stages, got.again_tables))
    for name, stages, tables in runs:
        yield f"  {name}: " + ", ".join(f"{stage} from {seconds:.0f} s" for stage, seconds in stages.items())
        for table, (start, end) in sorted(tables.items(), key=lambda each: each[1]):
            yield f"    {table}: {start:.1f} to {end:.1f} s"


def verdict(measured: float, most: float) -> str:
    """Whether a promise is kept, as every bench says it."""
    return "ok   " if measured <= most else "SHORT"


def main() -> int:
    """Print the figures; 1 when an ingest or a re-delivery costs more than promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, default=20_000)
    persons = parser.parse_args().persons
    with tempfile.TemporaryDirectory() as folder:
        got = bench(persons, Path(folder))
    for line in lines(got):
        print(line, flush=True)
    record("ingest", f"{persons} persons", {"ingest / copy": got.ratio, "re-delivery / full load": got.share})
    return int(got.ratio > TIMES or got.share > SHARE)


if __name__ == "__main__":
    sys.exit(main())
