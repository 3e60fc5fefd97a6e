"""``make bench``: the whole pair scan beside the bare kernel, a DuckDB self-join and a Spark SQL self-join, in one run.

Every contender gets the same persons and a process of its own, so that its peak memory (all processes of
its tree together) can be told. The joins compute the counts of ordered pairs alone; ours goes from Delta to
the finished pattern table. Ratios matter, seconds depend on the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.ratios import record

HORIZON = 1826
PAIRS_SQL = f"""
    WITH first AS (SELECT person, code, min(day) AS day FROM events GROUP BY person, code)
    SELECT a.code AS code_a, b.code AS code_b, count(*) AS n
    FROM first a JOIN first b ON a.person = b.person AND b.day > a.day AND b.day <= a.day + {HORIZON}
    GROUP BY a.code, b.code
"""


def tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    found, pending = [], [pid]
    while pending:
        process = pending.pop()
        try:
            for task in Path(f"/proc/{process}/task").iterdir():
                pending += [int(child) for child in (task / "children").read_text().split()]
        except (OSError, ValueError):
            continue
        found.append(process)
    return found


def resident(pid: int) -> dict[str, int]:
    """Resident memory of a process and all its descendants, bytes (shared pages counted once per process)."""
    total = 0
    for process in tree(pid):
        with contextlib.suppress(OSError):
            pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
            total += pages * os.sysconf("SC_PAGE_SIZE")
    return {"resident": total}


def measured(
    command: list[str], memory: Callable[[int], dict[str, int]] = resident, every: float = 0.1
) -> dict[str, Any]:
    """Run a step in a process of its own: its figures, the wall time and the peak memory of its process tree.

    ``memory`` gives bytes of a tree by kind, looked at ``every`` so many seconds; ``peak`` tells them apart, in GB.
    """
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak: dict[str, int] = {}
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(every):
            peak = max(peak, memory(process.pid), key=lambda each: sum(each.values()))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    out, _ = process.communicate()
    done.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    figures: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return figures | {
        "wall": time.perf_counter() - began,
        "peak_gb": sum(peak.values()) / 1e9,
        "peak": {name: round(size / 1e9, 2) for name, size in peak.items()},
    }


def prepare(home: Path, persons: int, codes: int) -> dict[str, Any]:
    """The world, once: as a lake with a study, as arrays for the kernel, as a Parquet of events for the joins."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from lakehouse.governance.permits.files import grant_all
    from lakehouse.session import spark_session
    from lakehouse.settings import load_settings
    from tests.support.lakes import write_lake
    from tests.support.worlds import null_world

    made = null_world(int(time.time()), bursts=True, persons=persons, codes=codes - 1).persons
    world = made.take(np.lexsort([made.birth_year, made.sex]))
    np.savez(home / "world.npz", **world._asdict())
    person = np.repeat(np.arange(world.count, dtype=np.int32), np.diff(world.offsets))
    events = pa.table({"person": person, "code": world.codes, "day": world.days})
    pq.write_table(events, home / "events.parquet", row_group_size=1 << 20)
    settings = load_settings(home, "local")
    spark = spark_session(settings, "bench")
    write_lake(spark, settings, world, [f"BENCH//{code:05d}" for code in range(codes)])
    spark.stop()
    grant_all(settings, "bench")
    return {"persons": world.count, "events": len(world.codes)}


def kernel(home: Path) -> dict[str, Any]:
    """Both passes of the bare kernel, in one process on one core, after a warm-up on a few persons."""
    from experiments.kernels.design import PairScanSettings
    from experiments.kernels.persons import Persons
    from tests.support.bare import two_passes

    arrays = np.load(home / "world.npz")
    persons = Persons(**{name: arrays[name] for name in Persons._fields})
    settings = PairScanSettings(n_codes=int(persons.codes.max()) + 1)
    two_passes(persons.part(0, min(1000, persons.count)), settings)
    began = time.perf_counter()
    pairs = two_passes(persons, settings)
    return {"seconds": time.perf_counter() - began, "pairs": pairs}


def ours(home: Path) -> dict[str, Any]:
    """The job itself: once cold in a new JVM, then warm twice in the same session; from Delta to the pattern table."""
    from experiments.analyses.pairs.study import PairParams, scan_pairs
    from lakehouse.session import spark_session
    from lakehouse.settings import load_settings
    from lakehouse.study.session import open_data

    settings = load_settings(home, "local")
    began = time.perf_counter()
    spark = spark_session(settings, "bench")
    times = []
    for number in range(3):
        if number:
            began = time.perf_counter()
        with open_data(spark, settings, "bench") as study:
            findings = scan_pairs(study, PairParams())
            findings.patterns.write(home)
        times.append(time.perf_counter() - began)
    spark.stop()
    return {"seconds": min(times[1:]), "cold": times[0], "pairs": findings.patterns.table.num_rows}


def duckdb_join(home: Path) -> dict[str, Any]:
    """The same counts by a self-join in DuckDB, all cores."""
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"SET temp_directory = '{home / 'duckdb'}'")
    connection.execute(f"CREATE TABLE events AS SELECT * FROM '{home / 'events.parquet'}'")
    began = time.perf_counter()
    rows = connection.execute(f"SELECT count(*), sum(n) FROM ({PAIRS_SQL})").fetchone()
    return {
        "seconds": time.perf_counter() - began,
        "pairs": rows[0] if rows else 0,
        "person_pairs": int(rows[1] if rows else 0),
    }


def spark_join(home: Path) -> dict[str, Any]:
    """The same counts by a self-join in Spark SQL, all cores, warm session."""
    from lakehouse.session import spark_session
    from lakehouse.settings import load_settings

    spark = spark_session(load_settings(home, "local"), "bench", spark__sql__shuffle__partitions="32")
    spark.read.parquet(str(home / "events.parquet")).createOrReplaceTempView("events")
    spark.sql("SELECT count(*), count(DISTINCT code) FROM events").collect()
    began = time.perf_counter()
    row = spark.sql(f"SELECT count(*), sum(n) FROM ({PAIRS_SQL})").collect()[0]
    seconds = time.perf_counter() - began
    spark.stop()
    return {"seconds": seconds, "pairs": row[0], "person_pairs": int(row[1])}


CONTENDERS = {
    "kernel": ("bare kernel, two passes, one core", kernel),
    "ours": ("the whole pair scan, warm", ours),
    "duckdb": ("DuckDB self-join, counts alone", duckdb_join),
    "spark": ("Spark SQL self-join, counts alone", spark_join),
}
PROMISES = (
    ("ours / bare kernel", "ours", "kernel", "<=", 3.0),
    ("Spark self-join / ours", "spark", "ours", ">=", 10.0),
    ("DuckDB self-join / ours", "duckdb", "ours", ">=", 1.0),
)


def main() -> int:
    """Run all contenders and print times, memory and ratios; 1 when a promised ratio falls short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, default=1_000_000)
    parser.add_argument("--codes", type=int, default=1_500)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--contender", choices=[*CONTENDERS, "prepare"])
    given = parser.parse_args()
    if given.contender == "prepare":
        print(json.dumps(prepare(given.home, given.persons, given.codes)))
        return 0
    if given.contender:
        print(json.dumps(CONTENDERS[given.contender][1](given.home)))
        return 0
    with tempfile.TemporaryDirectory(prefix="patternlake-bench-") as folder:
        return compare(Path(folder), given.persons, given.codes)


def compare(home: Path, persons: int, codes: int) -> int:
    """One run of everything."""
    base = [
        sys.executable,
        "-m",
        "tests.bench",
        "--home",
        str(home),
        "--persons",
        str(persons),
        "--codes",
        str(codes),
    ]
    size = measured([*base, "--contender", "prepare"])
    print(
        f"{size['persons']:,} persons, {size['events']:,} events, {codes:,} codes; {os.cpu_count()} cores\n"
    )
    print(f"{'':<40}{'seconds':>9}{'peak GB':>9}   pairs")
    results = {}
    for name, (title, _) in CONTENDERS.items():
        results[name] = figures = measured([*base, "--contender", name])
        print(
            f"{title:<40}{figures['seconds']:>9.1f}{figures['peak_gb']:>9.1f}   {figures['pairs']:,}",
            flush=True,
        )
        if "cold" in figures:
            print(f"{'the same, cold (JVM start included)':<40}{figures['cold']:>9.1f}")
    assert results["duckdb"]["person_pairs"] == results["spark"]["person_pairs"]
    short = 0
    print()
    ratios: dict[str, dict[str, float]] = {"<=": {}, ">=": {}}
    for title, above, below, sign, bound in PROMISES:
        ratio = results[above]["seconds"] / results[below]["seconds"]
        kept = ratio <= bound if sign == "<=" else ratio >= bound
        short += not kept
        print(f"{'ok   ' if kept else 'SHORT'} {title:<28} {ratio:6.2f}   promised {sign} {bound:g}")
        ratios[sign][title] = ratio
    for sign, better in (("<=", "lower"), (">=", "higher")):
        record("pair scan", f"{persons} persons, {codes} codes", ratios[sign], better)
    return 1 if short else 0


if __name__ == "__main__":
    raise SystemExit(main())
