"""The lake the attacks run on, its permit, and the outcome of an attack at each level."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.data_model import GOLD
from lakehouse.delta.tables import create_table, table_path
from lakehouse.governance.guard import plan_check
from lakehouse.governance.scope.scope import State
from lakehouse.settings import Settings
from lakehouse.study.session import open_data
from tests.attacks.group_a import ATTACKS, OPTED_OUT, PERMITTED, World
from tests.support.small_lake import PERSONS, write_small_lake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


TODAY = date(2025, 6, 1)
PERMIT = f"""
permit_id = "attack"
title = "What an attacker was granted"
legal_basis = "46(2)"
authority = "the Region"
valid_from = 2025-01-01
valid_to = 2099-12-31
responsible = "A. Researcher"
users = ["anna", "job"]
purpose = "Attacks"
population = "{PERMITTED}"
opt_outs = "gone.txt"
[period]
to = 2018-12-31
[tables."gold.event"]
direct = ["person_id", "day", "code", "domain"]
filter_only = ["place"]
join_only = ["setting"]
[tables."gold.timeline"]
direct = ["code", "day"]
[tables."gold.person"]
direct = ["person_id", "birth_year"]
[tables."gold.vocabulary"]
direct = ["code_id", "code"]
"""


@dataclass(frozen=True)
class Result:
    """What became of an attack, and how.

    ``stopped``: it got nothing, whether or not the attempt was recorded too; ``marked``: it got something, and the
    run is withheld for it; ``got``: it got something unseen.
    """

    name: str
    outcome: str
    how: str


def make_lake(spark: SparkSession, settings: Settings) -> None:
    """Ten persons, a permit over five of them less one who opted out, and another study's results beside."""
    write_small_lake(spark, settings)
    settings.write_definition("permits", "attack", PERMIT)
    settings.write_definition("studies", "attack", 'id = "attack"\npermit = "attack"\n')
    listed(settings).write_text(f"{PERSONS[OPTED_OUT - 1]}\n")
    other = settings.results / "another" / "run" / "patterns.json"
    other.parent.mkdir(parents=True)
    other.write_text(json.dumps({"rows": [1, 2, 3]}))
    (settings.home / "own").mkdir()


def listed(settings: Settings) -> Path:
    """The permit's opt-out list."""
    return settings.home / "conf" / "permits" / "gone.txt"


@contextlib.contextmanager
def exchangeable(spark: SparkSession, settings: Settings) -> Iterator[Any]:
    """A function that puts another vocabulary in the vocabulary's place; the old one comes back afterwards."""
    path = table_path(settings, "gold.vocabulary")
    kept, other = path.with_name("vocabulary.kept"), path.with_name("vocabulary.other")

    def swap() -> None:
        create_table(spark, other, GOLD["gold.vocabulary"].ddl)
        spark.createDataFrame([(0, "S//ecret")], "code_id int, code string").write.format("delta").mode(
            "append"
        ).save(str(other))
        path.rename(kept)
        other.rename(path)

    try:
        yield swap
    finally:
        shutil.rmtree(other, ignore_errors=True)
        if kept.exists():
            shutil.rmtree(path)
            kept.rename(path)


def attack_plain(spark: SparkSession, settings: Settings, name: str) -> Result:
    """The attack against Spark as it is, with nobody between."""
    gold = settings.lake / "gold"

    def table(named: str, columns: list[str] | None = None) -> Any:
        frame = spark.read.format("delta").load(str(table_path(settings, named.strip("`"))))
        return frame.select(*columns) if columns else frame

    with exchangeable(spark, settings) as swap:
        world = World(spark, table, gold, settings.home / "own", swap=swap)
        return judged(name, *tried(name, world), None)


def attack_guarded(spark: SparkSession, settings: Settings, name: str) -> Result:
    """The attack from inside an open study."""
    day = [TODAY]
    content = listed(settings).read_text()
    checks = plan_check._checks
    with exchangeable(spark, settings) as swap:
        study = open_data(spark, settings, "attack", actor="anna", today=lambda: day[0])
        world = World(
            spark, study.table, settings.lake / "gold", settings.home / "own", study, swap,
            opt_out=lambda: listed(settings).write_text(content + f"{PERSONS[1]}\n") and None,
            expire=lambda: day.__setitem__(0, date(2199, 1, 1)),
        )  # fmt: skip
        try:
            with study:
                got, error = tried(name, world)
            scope = study.scope()
        finally:
            listed(settings).write_text(content)
            plan_check._checks = checks
            world.notes.get("undo", lambda: None)()
    return judged(name, got, error, scope)


def tried(name: str, world: World) -> tuple[Any, BaseException | None]:
    """What an attack got, or the error it ended in."""
    try:
        return ATTACKS[name](world), None
    except Exception as error:
        return None, error


def judged(name: str, got: Any, error: BaseException | None, scope: Any) -> Result:
    """The outcome of an attack, from what it got and what the record says."""
    if error is not None:
        words = str(error).strip().splitlines() or [""]
        return Result(name, "stopped", f"{type(error).__name__}: {words[0]}"[:160])
    if not got:
        return Result(name, "stopped", "nothing there")
    if scope is not None and scope.state is not State.ACCOUNTED:
        return Result(name, "marked", f"{scope.state}: {scope.reasons[0]}"[:160])
    return Result(name, "got", f"{len(got) if hasattr(got, '__len__') else got} rows or bytes")
