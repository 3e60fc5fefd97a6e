"""A small share of the attack suite and of the legitimate jobs; 'make attack' runs all of both, at every level."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from lakehouse.settings import Settings, load_settings
from tests.attacks.group_a import ATTACKS
from tests.attacks.lab import attack_guarded, make_lake
from tests.attacks.legitimate import ENDS, STARTS, refused
from tests.support.study_lab import Lab

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SHARE = [
    "A7 filter-only column through the order",
    "A18 function opening a file in the worker",
    "A18 Arrow function opening a file in the worker",
    "A19 Arrow in the driver",
    "A19 delta-rs in the driver",
    "A20 Hadoop's file system through the JVM",
    "A20 Java method called from SQL over a granted table",
    "A21 file handed to the workers",
    "A24 ADD JAR in a script",
    "A23 TRANSFORM",
    "A26 recorder replaced",
    "A26 another process",
    "A29 link to a table",
    "A30 permit expired in the middle",
    "A32 person opted out in the middle",
    "A34 person outside the population",
    "A35 another table in a table's place",
    "A36 artefact of another study as a data channel",
]


@pytest.fixture(scope="module")
def attacked(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The lake the attacks run on."""
    settings = load_settings(tmp_path_factory.mktemp("attacked") / "home", "test")
    make_lake(spark, settings)
    yield settings


@pytest.mark.parametrize("name", SHARE)
def test_attack__is_stopped_or_marked(spark: SparkSession, attacked: Settings, name: str) -> None:
    result = attack_guarded(spark, attacked, name)
    assert result.outcome in ("stopped", "marked"), result.how


def test_the_suite_has_every_number_of_the_group() -> None:
    numbers = {int(name.split()[0][1:]) for name in ATTACKS}
    assert numbers == set(range(1, 37)) - {31}, (
        "A31, an account the permit does not name, is in test_study.py"
    )


@pytest.mark.parametrize("end", ["arrow function", "pandas on Spark", "file", "mistake"])
def test_legitimate_job__is_neither_refused_nor_marked(lab: Lab, end: str) -> None:
    assert len(STARTS) * len(ENDS) >= 200
    assert refused(lab, ["a join"], [end]) == []
