"""What scope accounting costs: one job through the study and on bare Spark, and the fixed cost of opening and closing."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lakehouse.delta.tables import read_version, table_path
from lakehouse.governance.permits.files import grant_all
from lakehouse.session import spark_session
from lakehouse.settings import Settings, load_settings
from lakehouse.study.session import open_data
from tests.support.lakes import write_lake
from tests.support.populations import as_persons, simulate
from tests.support.ratios import record

SHARE, FIXED = 0.05, 0.5
"""Promised: at most this share of a long job, and this many seconds fixed."""


def work(frame: Any, rounds: int) -> None:
    """A job of several queries over the timelines, the same on both ways."""
    for number in range(rounds):
        events = frame.selectExpr("split", "explode(code) AS c", "day").where(f"c % 7 <> {number % 7}")
        by_split = events.groupBy("c", "split").agg({"day": "max", "c": "count"})
        by_split.groupBy("c").agg({"max(day)": "max", "count(c)": "sum"}).collect()


def timed(run: Callable[[], None]) -> float:
    """Seconds of one run."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def measure(settings: Settings, rounds: int, repeats: int) -> tuple[float, float, float]:
    """Median seconds of the bare job, of the job in a study, and of an empty study."""
    spark = spark_session(settings, "cost of scope")

    def bare() -> None:
        columns = ["split", "code", "day"]
        work(read_version(spark, table_path(settings, "gold.timeline"), 1).select(*columns), rounds)

    def gated() -> None:
        with open_data(spark, settings, "cost") as study:
            work(study.table("gold.timeline", ["split", "code", "day"]), rounds)
        study.scope()

    def empty() -> None:
        with open_data(spark, settings, "cost") as study:
            pass
        study.scope()

    bare(), gated()
    pairs = [(timed(bare), timed(gated), timed(empty)) for _ in range(repeats)]
    spark.stop()
    one, two, three = np.median(np.array(pairs), axis=0)
    return float(one), float(two), float(three)


def main() -> int:
    """Print the figures beside what was promised; 1 when one falls short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="patternlake-cost-") as place:
        settings = load_settings(Path(place) / "home", "test")
        spark = spark_session(settings, "cost of scope")
        names = [f"ICD10//X{number:03d}" for number in range(400)]
        people, _, slots = simulate(np.random.default_rng(5), given.persons, len(names), bursts=False)
        write_lake(spark, settings, as_persons(people, slots, len(names)), names)
        grant_all(settings, "cost")
        bare, gated, empty = measure(settings, given.rounds, given.repeats)
    share = (gated - bare - empty) / bare
    print(f"bare Spark       {bare:8.2f} s")
    print(f"in a study       {gated:8.2f} s")
    print(f"a query costs    {(gated - bare - empty) / given.rounds * 1000:8.0f} ms more")
    print(f"share            {share:8.1%}    (promised at most {SHARE:.0%} of a job of a minute or more)")
    print(f"fixed            {empty:8.2f} s  (promised at most {FIXED} s)")
    size = f"{given.persons} persons, {given.rounds} rounds"
    record("scope accounting", size, {"study / bare": gated / bare, "fixed, seconds": empty})
    return 0 if share <= SHARE and empty <= FIXED else 1


if __name__ == "__main__":
    sys.exit(main())
