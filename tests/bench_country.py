"""``make bench``: a country on one machine: the pair scan beside the bare kernel at growing sizes, and its memory.

Each size has a lake of its own, written straight into gold. The bare kernel reads the very files the scan reads;
its time is that of its two passes, reading taken off. Memory is that of all processes of the scan's tree: every
page once, what lies in shared memory included. Ratios and growth matter, seconds depend on the machine.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow.parquet as pq

from experiments.kernels.persons import Persons, join_persons
from tests import bench
from tests.support.ratios import record

CODES = 1_500
SIZES = (100_000, 1_000_000, 7_200_000)
LONG_PERSONS = 1_000_000
USUAL, LONGER = 0.83, 8.7
"""Use of care that gives about 17 events a person, and that which gives 150 distinct codes where all use it alike."""

KERNEL, MEMORY_GB, GROWTH, AGAIN = 2.5, 8.0, 1.05, 0.10
ROUNDS = 3
MEMORY = Path("/dev/shm")
SECONDS_BETWEEN = 1.0


def memory_of(pid: int) -> dict[str, int]:
    """Bytes of a tree of processes by program, every page once: proportional sets, and files in shared memory.

    Pages of such files that a process has mapped are its own only where the file is gone.
    """
    total = {"shared memory": 0}
    for process in bench.tree(pid):
        name = program(process)
        total[name] = total.get(name, 0) + proportional(process)
        for file in MEMORY.glob(f"patternlake-{process}-*/*"):
            try:
                total["shared memory"] += file.stat().st_blocks * 512
            except OSError:
                continue
    return total


def program(process: int) -> str:
    """What a process is, in a word."""
    try:
        command = Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return "gone"
    return "JVM" if b"java" in command.split(b"\0")[0] else "workers" if b"pyspark" in command else "driver"


def proportional(process: int) -> int:
    """Proportional set of a process without mapped files of shared memory that still have a name."""
    try:
        lines = Path(f"/proc/{process}/smaps").read_bytes().splitlines()
    except OSError:
        return 0
    total, counted = 0, True
    for line in lines:
        if line.startswith(b"Pss:"):
            total += int(line.split()[1]) * 1024 if counted else 0
        elif line[:1] in b"0123456789abcdef" and b"-" in line[:20]:
            counted = b" /dev/shm/patternlake-" not in line or line.endswith(b"(deleted)")
    return total


def measured(command: list[str]) -> dict[str, Any]:
    """Run a step in a process of its own: its figures and the peak memory of its tree."""
    return bench.measured(command, memory_of, SECONDS_BETWEEN)


def prepare(home: Path, persons: int, codes: int, busier: float, even: bool) -> dict[str, Any]:
    """A lake of persons and a study that may read all of it."""
    from lakehouse.governance.permits.files import grant_all
    from lakehouse.session import spark_session
    from lakehouse.settings import load_settings
    from tests.support.lakes import write_lake_of
    from tests.support.populations import in_blocks

    events = 0

    def counted() -> Iterator[Persons]:
        nonlocal events
        seed = int(time.time())
        for part in in_blocks(
            seed, persons, codes - 1, int(min(200_000, 1 + 2_000_000 / busier)), busier, even
        ):
            events += len(part.codes)
            yield part

    settings = load_settings(home, "local")
    spark = spark_session(settings, "bench")
    names = [f"BENCH//{code:05d}" for code in range(codes)]
    write_lake_of(spark, settings, counted(), names, spread=True)
    spark.stop()
    grant_all(settings, "bench")
    return {"persons": persons, "events": events, "files": len(files_of(home))}


def files_of(home: Path) -> list[Path]:
    """The Parquet files that are the timelines, in the order the log names them."""
    from lakehouse.delta.read import live_files
    from lakehouse.delta.tables import table_path
    from lakehouse.settings import load_settings

    table = table_path(load_settings(home, "local"), "gold.timeline")
    live = live_files(table)
    assert live is not None
    return [table / unquote(path) for path in live.files]


def kernel(home: Path, codes: int) -> dict[str, Any]:
    """Both passes of the bare kernel on one core, over the files one row group at a time; reading is told apart."""
    from experiments.kernels.design import PairScanSettings
    from tests.support.bare import two_passes, two_passes_over
    from tests.support.populations import in_blocks

    settings = PairScanSettings(n_codes=codes)
    two_passes(next(in_blocks(1, 1_000, codes - 1)), settings)
    reading = 0.0

    def read() -> Iterator[Persons]:
        nonlocal reading
        parts, part = all_persons(home), None
        while True:
            began = time.perf_counter()
            part = next(parts, None)
            reading += time.perf_counter() - began
            if part is None:
                return
            yield part

    began = time.perf_counter()
    pairs = two_passes_over(read, settings)
    whole = time.perf_counter() - began
    return {"seconds": whole - reading, "reading": reading, "pairs": pairs}


def ours(home: Path, rounds: int) -> dict[str, Any]:
    """The whole scan, warm: once in a new session, then again; from Delta to the pattern table."""
    from experiments.analyses.pairs.study import PairParams, scan_pairs
    from lakehouse.session import spark_session
    from lakehouse.settings import load_settings
    from lakehouse.study.session import open_data

    settings = load_settings(home, "local")
    spark = spark_session(settings, "bench")
    times, steps = [], {}
    for _ in range(rounds):
        began = time.perf_counter()
        with open_data(spark, settings, "bench") as study:
            findings = scan_pairs(study, PairParams())
            findings.patterns.write(home)
        times.append(time.perf_counter() - began)
    spark.stop()
    table = findings.patterns.table
    figures = {
        "strata": findings.patterns.search.metrics["strata"],
        "exposures": findings.patterns.search.metrics["exposures"],
    }
    return {"seconds": min(times[1:] or times), "cold": times[0], "pairs": table.num_rows} | figures | steps


def again(home: Path, codes: int) -> dict[str, Any]:
    """Counts kept of 99 % of the persons; then 1 % new ones come: counted, added, everything weighed and tested again.

    All in one process, without Spark: a full scan there, on one core but for products and tests, gives the table
    to compare with. ``fixed`` is what any scan spends after counting: products, tests, closer looks, the table;
    ``alike`` what the full scan would take with its counting on all cores, against which mining again is held. Neither
    reads a lake, so what a job spends on finding the changes is in neither.
    """
    from experiments.analyses.pairs.incremental_counts import IncrementalCounts
    from experiments.analyses.pairs.scan import ALL_AT_ONCE, scan
    from experiments.kernels.bands import banded
    from experiments.kernels.design import PairScanSettings
    from experiments.kernels.passes import OverPersons

    everybody = join_persons(list(all_persons(home)))
    new = np.arange(everybody.count) % 100 == 50
    old, came = (everybody.take(np.flatnonzero(chosen)) for chosen in (~new, new))
    settings, steps = banded(OverPersons(everybody), PairScanSettings(n_codes=codes)), {}

    def timed(name: str, run: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = run()
        steps[name] = steps.get(name, 0.0) + time.perf_counter() - began
        return result

    def full(name: str, arguments: dict[str, Any]) -> Any:
        return timed("counting", lambda: OverPersons(everybody)(name, arguments))

    IncrementalCounts.of(OverPersons(everybody.part(0, 1000)), settings)
    whole = timed("full scan", lambda: scan(full, settings, memory=ALL_AT_ONCE))
    kept = timed("keeping", lambda: IncrementalCounts.of(OverPersons(old), settings))
    timed(
        "first scan of incremental counts",
        lambda: scan(kept.over(OverPersons(old)), settings, memory=ALL_AT_ONCE),
    )
    timed("adding", lambda: kept.update(OverPersons(came)))
    inner = kept.over(full)

    def from_kept(name: str, arguments: dict[str, Any]) -> Any:
        return timed(f"from kept: {name}", lambda: inner(name, arguments))

    table = timed("scan again", lambda: scan(from_kept, settings, memory=ALL_AT_ONCE)).table
    assert table.equals(whole.table), "mining again gave another table"
    fixed = steps["full scan"] - steps["counting"]
    entries, held = (
        len(kept.not_at_risk.what),
        sum(array.nbytes for array in kept.not_at_risk.to_arrays().values()),
    )
    return {"seconds": steps["adding"] + steps["scan again"], "fixed": fixed,
            "alike": fixed + steps["counting"] / (os.cpu_count() or 1), "entries": entries,
            "kept_gb": (held + kept.reference.cells.nbytes) / 1e9, **steps}  # fmt: skip


def all_persons(home: Path) -> Iterator[Persons]:
    """The lake's persons, a row group at a time."""
    from experiments.execution.over_spark import COLUMNS, persons_of

    for path in files_of(home):
        file = pq.ParquetFile(path)
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=list(COLUMNS), use_threads=False)
            yield join_persons([persons_of(batch) for batch in table.to_batches()])


def compare(
    sizes: list[int], codes: int, busier: float, rounds: int, remine: bool, even: bool = False
) -> list[dict[str, Any]]:
    """Figures of one size after another, each with a lake that is gone before the next."""
    figures = []
    print(f"{'persons':>10}{'events':>13}{'kernel s':>10}{'reading':>9}{'scan s':>9}{'cold':>8}"
          f"{'ratio':>7}{'peak GB':>9}{'strata':>9}{'pairs':>11}", flush=True)  # fmt: skip
    for persons in sizes:
        with tempfile.TemporaryDirectory(prefix="patternlake-bench-") as folder:
            base = [sys.executable, "-m", "tests.bench_country", "--home", folder, "--codes", str(codes)]
            base += ["--rounds", str(rounds), "--busier", str(busier), "--persons", str(persons)]
            base += ["--even"] if even else []
            size = measured([*base, "--step", "prepare"])
            bare = measured([*base, "--step", "kernel"])
            scan = measured([*base, "--step", "ours"])
            bare = min(bare, measured([*base, "--step", "kernel"]), key=lambda each: each["seconds"])
            more = measured([*base, "--step", "again"]) if remine else {"seconds": 0.0, "alike": 1.0}
            ratio = scan["seconds"] / bare["seconds"]
            figures.append(
                {
                    **size,
                    **scan,
                    "ratio": ratio,
                    "kernel": bare["seconds"],
                    "again": more["seconds"] / more["alike"],
                }
            )
            print(f"{persons:>10,}{size['events']:>13,}{bare['seconds']:>10.1f}{bare['reading']:>9.1f}"
                  f"{scan['seconds']:>9.1f}{scan['cold']:>8.1f}{ratio:>7.2f}{scan['peak_gb']:>9.2f}"
                  f"{scan['strata']:>9,}{scan['pairs']:>11,}  {scan['peak']}", flush=True)  # fmt: skip
            if remine:
                print("mining again after 1 % more persons:",
                      {name: round(figure, 2) for name, figure in more.items() if name != "peak"})  # fmt: skip
    return figures


def main() -> int:
    """Every size, then long timelines; 1 when a promise falls short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sizes", type=lambda text: [int(each) for each in text.split(",")], default=[*SIZES]
    )
    parser.add_argument("--long", type=int, default=LONG_PERSONS, help="persons of 150 codes each; 0: none")
    parser.add_argument("--codes", type=int, default=CODES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument(
        "--short", action="store_true", help="a minute or two: what it prints promises nothing"
    )
    parser.add_argument("--home", type=Path)
    parser.add_argument("--persons", type=int)
    parser.add_argument("--busier", type=float, default=1.0)
    parser.add_argument("--even", action="store_true", help="persons of one age and sex use care alike")
    parser.add_argument("--step", choices=["prepare", "kernel", "ours", "again"])
    given = parser.parse_args()
    if given.step == "prepare":
        print(json.dumps(prepare(given.home, given.persons, given.codes, given.busier, given.even)))
    elif given.step == "kernel":
        print(json.dumps(kernel(given.home, given.codes)))
    elif given.step == "again":
        print(json.dumps(again(given.home, given.codes)))
    elif given.step == "ours":
        print(json.dumps(ours(given.home, given.rounds)))
    elif given.short:
        return judge([20_000, 100_000], 2_000, given.codes, 2)
    else:
        return judge(given.sizes, given.long, given.codes, given.rounds)
    return 0


def judge(sizes: list[int], long: int, codes: int, rounds: int) -> int:
    """Run everything and hold it against what is promised."""
    print(f"{os.cpu_count()} cores, {codes:,} codes")
    figures = compare(sizes, codes, USUAL, rounds, True)
    first, last = figures[0], figures[-1]
    promises = [
        (f"scan / bare kernel at {last['persons']:,}", last["ratio"], KERNEL),
        (f"memory of all processes at {last['persons']:,}, GB", last["peak_gb"], MEMORY_GB),
    ]
    promises.append(("mining again after 1 % more persons / full scan", last["again"], AGAIN))
    if len(figures) > 1:
        times = [math.log(each["seconds"]) for each in (first, last)]
        sizes_log = [math.log(each["persons"]) for each in (first, last)]
        growth = float(np.diff(times)[0] / np.diff(sizes_log)[0])
        promises.append((f"exponent of growth from {first['persons']:,}", growth, GROWTH))
    if long:
        print("\ntimelines of about 150 distinct codes a person, of even use")
        figures = compare([long], codes, LONGER, 2, False, even=True)
        print(f"{figures[0]['exposures'] / long:.0f} distinct codes a person; it runs")
    print()
    short = 0
    for title, figure, bound in promises:
        short += figure > bound
        print(f"{'ok   ' if figure <= bound else 'SHORT'} {title:<48} {figure:6.2f}   promised <= {bound:g}")
    size = f"{', '.join(map(str, sizes))} persons, {codes} codes"
    record("pair scan, a country", size, {title: figure for title, figure, _ in promises})
    return 1 if short else 0


if __name__ == "__main__":
    raise SystemExit(main())
