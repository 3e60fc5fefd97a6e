"""Pathways on Spark: equal to the oracle on random logs, and to what is known of a foreign one."""

from __future__ import annotations

import csv
import gzip
import random
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from experiments.analyses.pathways import counts as pathways
from experiments.analyses.pathways.cases import Frame, cases, in_bands
from tests.oracles import pathways as definition
from tests.oracles.pair_scan import even_cuts as definition_of_bands

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DDL = "case STRING, activity STRING, time DOUBLE, tie INT"


def agree(spark: SparkSession, log: definition.Log) -> None:
    """Every table of the log equals the oracle's."""
    stepped = pathways.steps(spark.createDataFrame(log, DDL)).cache()
    edges = {
        (row["first"], row["then"]): (row["cases"], row["times"], row["waits"][2])
        for row in pathways.directly_follows(stepped).collect()
    }
    wanted = definition.directly_follows(log)
    assert edges.keys() == wanted.keys()
    for pair, (found, times, wait) in wanted.items():
        assert edges[pair] == (found, times, pytest.approx(wait)), pair
    seen = {
        row["activity"]: tuple(row[name] for name in ("cases", "times", "begin", "end", "again", "repeats"))
        for row in pathways.activities(stepped).collect()
    }
    assert seen == definition.activities(log)
    course = pathways.courses(stepped)
    assert {r["course"]: r["cases"] for r in pathways.variants(course).collect()} == definition.variants(log)
    stepped.unpersist()


@pytest.mark.parametrize("seed", [1, 2])
def test_pathways__equal_the_oracle_on_random_logs(spark: SparkSession, seed: int) -> None:
    rng = random.Random(f"{seed}-{random.random()}")
    log = [
        (f"case {case}", rng.choice("ABCDE"), float(rng.randrange(12)), rng.randrange(2))
        for case in range(40)
        for _ in range(rng.randint(1, 9))
    ]
    agree(spark, log)


def sepsis(path: Path) -> definition.Log:
    """The hospital log: hours since the first event; of events at one second, the order of the file decides.

    One case has an empty name ("NA" in the original): it is a case like the others.
    """
    with gzip.open(path, "rt", encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    start = datetime(2013, 1, 1)
    return [
        (
            row["case_id"] or "NA",
            row["activity"],
            (datetime.fromisoformat(row["timestamp"]) - start).total_seconds() / 3600,
            int(row[".order"]),
        )
        for row in rows
    ]


def test_sepsis_log__has_the_known_size_and_variants(spark: SparkSession, foreign_data: Path) -> None:
    log = sepsis(foreign_data / "sepsis_log" / "sepsis.csv.gz")
    assert (len(log), len({case for case, *_ in log}), len({row[1] for row in log})) == (15214, 1050, 16)
    agree(spark, log)
    assert len(definition.variants(log)) == 846
    first = definition.activities(log)["ER Registration"]
    assert (first[0], first[2]) == (1050, 995)


def test_pathways__are_compared_in_bands_that_their_own_earlier_events_cut(spark: SparkSession) -> None:
    """Four hundred persons with 0 to 399 events before the start: no band holds more than its share, however many events."""
    start = 7
    rows = [
        (
            f"p{earlier}",
            earlier % 1000,
            1,
            1960,
            20_000,
            [1] * earlier + [start],
            [*range(15_000 - earlier, 15_000), 15_000],
        )
        for earlier in range(400)
    ]
    ddl = (
        "person_id STRING, split INT, sex INT, birth_year INT, last_day INT, code ARRAY<INT>, day ARRAY<INT>"
    )
    frame = Frame([start], [], [], 100, 100, 20_000)
    found = in_bands(cases(spark.createDataFrame(rows, ddl), frame)).groupBy("stratum").count().collect()
    cuts = definition_of_bands([*range(400)], 6, 0)
    assert len(found) == len(cuts) == 6
    assert {row["count"] for row in found} <= {66, 67}
