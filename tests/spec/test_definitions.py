"""Definition files: what is read is what was meant, every fault is named, and the hash is of the content alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from lakehouse.definitions import Reference, load
from lakehouse.definitions.loader import ids
from lakehouse.errors import ConfigurationError
from lakehouse.settings import Settings, load_settings


class Better(Enum):
    LOWER = "lower"
    HIGHER = "higher"


@dataclass(frozen=True)
class CodeList:
    family: ClassVar[str] = "codelists"
    codes: tuple[str, ...]
    include: tuple[Reference[CodeList], ...] = ()


@dataclass(frozen=True)
class Band:
    low: float
    high: float = 1.0

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")


@dataclass(frozen=True)
class Task:
    """A family nobody thought of: every kind of value that a definition may hold."""

    family: ClassVar[str] = "tasks"
    owner: str
    began: date
    band: Band
    outcome: Reference[CodeList]
    kind: Literal["calendar", "event"] = "calendar"
    better: Better = Better.LOWER
    washout: Literal["ever"] | int = "ever"
    steps: tuple[int, ...] = (0, 365)
    span: tuple[float, float] | None = None
    bands: tuple[Band, ...] = ()
    late_days: dict[str, int] = field(default_factory=dict)
    reviewed: bool = False


HEAD = 'id = "{}"\nversion = {}\ntitle = {{ da = "Titel", en = "Title" }}\n'
LIST = HEAD.format("asthma", 2) + 'codes = ["J45"]\n'
TASK = (
    HEAD.format("kidney", 3)
    + 'owner = "unit"\nbegan = 2026-01-31\noutcome = "asthma@2"\nband = { low = 0 }\n'
    + 'kind = "event"\nbetter = "higher"\nwashout = 30\nsteps = [0, 90]\nspan = [1, 2.5]\nreviewed = true\n'
    + "[late_days]\nICD10 = 35\n[[bands]]\nlow = 0.5\n[[bands]]\nlow = 0.1\nhigh = 0.2\n"
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = load_settings(tmp_path / "home", "test")
    made.write_definition("codelists", "asthma", LIST)
    made.write_definition("tasks", "kidney", TASK)
    return made


def refusal(settings: Settings, old: str, new: str) -> str:
    """Words about the task after one change of its file."""
    assert old in TASK
    settings.write_definition("tasks", "kidney", TASK.replace(old, new))
    with pytest.raises(ConfigurationError) as refused:
        load(settings, Task, "kidney")
    assert refused.value.exit_code == 10
    return refused.value.what


def test_a_family_nobody_thought_of_is_read_without_touching_the_loader(settings: Settings) -> None:
    made = load(settings, Task, "kidney")
    asthma = load(settings, CodeList, "asthma")
    reference = Reference[CodeList]("codelists", "asthma", 2, asthma.hash)
    assert made.content == Task(
        owner="unit", began=date(2026, 1, 31), band=Band(0.0), outcome=reference, kind="event", better=Better.HIGHER,
        washout=30, steps=(0, 90), span=(1.0, 2.5), bands=(Band(0.5), Band(0.1, 0.2)), late_days={"ICD10": 35},
        reviewed=True,
    )  # fmt: skip
    assert (made.family, made.id, made.version, made.name) == ("tasks", "kidney", 3, "tasks/kidney@3")
    assert (made.title.told("da"), made.title.told("en"), made.title.told("fr")) == (
        "Titel",
        "Title",
        "Title",
    )
    assert made.path == settings.home / "conf" / "tasks" / "kidney.toml"
    assert made.referred(made.content.outcome) == asthma
    assert made.hashes == {made.name: made.hash, asthma.name: asthma.hash}
    assert ids(settings, "tasks") == ["kidney"]
