"""Pathways of a study: every number of the table equals the one read off the persons one by one."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from experiments.analyses.pathways.study import scan_pathways
from lakehouse.errors import UsageError
from lakehouse.settings import load_settings
from lakehouse.study.session import Study
from tests.oracles import pathways as definition
from tests.support.small_lake import write_small_lake
from tests.support.study_lab import TABLES, Lab
from tests.support.timelines import add_timelines

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CODES = ("LPR//ADMISSION", "ICD10//A", "ICD10//B", "ICD10//C", "CPR//DEATH")


@dataclass(frozen=True)
class Params:
    start: str = "LPR"
    outcome: str = "CPR//DEATH"
    window_days: int = 60
    outcome_days: int = 100
    activities: int = 10
    min_persons: int = 5
    level: str = "full"
    q_level: float = 0.05


def persons(rng: random.Random) -> list[list[tuple[int, int]]]:
    """Distinct (day, code) of each person; some never start, some die within the window."""
    people = []
    for _ in range(250):
        events = {
            (18_000 + rng.randrange(200), rng.choice([0, 0, 1, 2, 3])) for _ in range(rng.randint(1, 7))
        }
        if rng.random() < 0.3:
            last = max(day for day, _ in events)
            events = {*events, (last + rng.randrange(300), 4)}
        people.append(sorted(events))
    return people


@pytest.fixture
def study(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Study:
    settings = load_settings(tmp_path_factory.mktemp("ways") / "home", "test")
    write_small_lake(spark, settings)
    lab = Lab(spark, settings)
    lab.permit(
        "ways", tables=TABLES.replace('["code_id", "code"]', '["code_id", "code", "domain", "text", "level"]')
    )
    people = persons(random.Random())
    add_timelines(spark, settings, people, CODES, deaths=("CPR//DEATH",))
    opened = lab.open("ways")
    opened.people = people  # type: ignore[attr-defined]
    return opened


def test_pathways_of_a_study__equal_the_oracle(study: Study) -> None:
    people = study.people  # type: ignore[attr-defined]
    with study:
        table = scan_pathways(study, Params()).patterns.table
    log: definition.Log = []
    for number, events in enumerate(people):
        starts = [day for day, code in events if code == 0]
        if starts:
            log += [
                (str(number), CODES[code], float(day - starts[0]), 0)
                for day, code in events
                if starts[0] <= day <= starts[0] + 60 and code != 4
            ]
    edges = definition.directly_follows(log)
    follows = {tuple(row["items"]): row for row in rows(table, "follows")}
    assert follows.keys() == edges.keys()
    for pair, (cases, times, wait) in edges.items():
        row = follows[pair]
        assert (row["n_person"], row["times"], row["lag_q50"]) == (cases, times, pytest.approx(wait))
    again = {row["items"][0]: (row["n_person"], row["times"]) for row in rows(table, "again")}
    known = definition.activities(log)
    assert again == {name: (row[4], row[5]) for name, row in known.items() if row[4]}
    courses = sorted(row["n_person"] for row in rows(table, "course"))
    assert courses == sorted(n for n in definition.variants(log).values() if n >= 5)
    last = max(day for events in people for day, _ in events)
    for row in rows(table, "follows"):
        n, met = compared(people, row["items"], last)
        assert row["n_compared"] == n
        assert row["O"] <= met, "strata without a pathway that lacks the feature do not count"


def rows(table: pa.Table, what: str) -> list[dict[str, object]]:
    return [row for row in table.to_pylist() if row["feature"] == what]


def compared(people: list[list[tuple[int, int]]], items: list[str], last: int) -> tuple[int, int]:
    """Pathways with the edge that were followed to the end, and of them those that met the outcome."""
    n = met = 0
    for events in people:
        starts = [day for day, code in events if code == 0]
        if not starts:
            continue
        landmark = starts[0] + 60
        died = [day for day, code in events if code == 4]
        if landmark + 100 > last or (died and died[0] <= landmark):
            continue
        log = [("x", CODES[c], float(d), 0) for d, c in events if starts[0] <= d <= landmark and c != 4]
        if tuple(items) in definition.directly_follows(log):
            n += 1
            met += bool(died and died[0] <= landmark + 100)
    return n, met


@pytest.mark.parametrize("change", [{"start": "NOWHERE"}, {"min_persons": 1}, {"window_days": 0}])
def test_parameters_without_meaning__are_refused(study: Study, change: dict[str, object]) -> None:
    with study, pytest.raises(UsageError):
        scan_pathways(study, Params(**change))  # type: ignore[arg-type]
