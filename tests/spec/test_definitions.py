"""Definition files: what is read is what was meant, every fault is named, and the hash is of the content alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import date
from enum import Enum
from pathlib import Path
from random import Random
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lakehouse.definitions import Definition, Reference, Text, load
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


@dataclass(frozen=True)
class Free:
    """Every kind of value but references, whose files would have to be there."""

    family: ClassVar[str] = "free"
    owner: str
    began: date
    band: Band
    kind: Literal["calendar", "event"] = "calendar"
    better: Better = Better.LOWER
    washout: Literal["ever"] | int = "ever"
    steps: tuple[int, ...] = (0, 365)
    span: tuple[float, float] | None = None
    bands: tuple[Band, ...] = ()
    late_days: dict[str, int] = field(default_factory=dict)
    reviewed: bool = False
    words: Text | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


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


def test_all_faults_of_a_file_are_told_at_once_with_the_nearest_known_key(settings: Settings) -> None:
    wrong = (
        TASK.replace("owner =", "ownr =")
        .replace("reviewed = true", "reviewed = 1")
        .replace("[0, 90]", '[0, "x"]')
    )
    settings.write_definition("tasks", "kidney", wrong.replace("high = 0.2", "hihg = 0.2"))
    with pytest.raises(ConfigurationError) as refused:
        load(settings, Task, "kidney")
    assert "kidney.toml has 5 faults" in refused.value.what
    for told in (
        "ownr: there is no such key (the nearest known one is 'owner')",
        "owner: is missing; expected text",
        "reviewed: expected true or false, found 1",
        "steps[1]: expected a whole number, found text 'x'",
        "bands[1].hihg: there is no such key (the nearest known one is 'high')",
    ):
        assert told in refused.value.what
    assert refused.value.next_step == "Correct ownr, owner, steps[1], bands[1].hihg, reviewed in that file."


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("low = 0 }", "low = nan }", "band.low: expected a number, found nan"),
        ("span = [1, 2.5]", "span = [1, inf]", "span[1]: expected a number, found inf"),
        ("low = 0 }", "low = true }", "band.low: expected a number, found true"),
        ("steps = [0, 90]", "steps = [0, true]", "steps[1]: expected a whole number, found true"),
        ("steps = [0, 90]", "steps = [0, 1.0]", "steps[1]: expected a whole number, found 1.0"),
        ("ICD10 = 35", "ICD10 = true", "late_days.ICD10: expected a whole number, found true"),
        ('kind = "event"', 'kind = "evnt"', "found text 'evnt' (the nearest known one is 'event')"),
        ('better = "higher"', 'better = "more"', "better: expected one of 'lower', 'higher', found text 'more'"),
        ("washout = 30", "washout = true", "washout: expected one of 'ever' or a whole number, found true"),
        ("span = [1, 2.5]", "span = [1]", "span: expected a list of 2: a number, a number, found 1 of them"),
        ("began = 2026-01-31", "began = 2026-01-31T10:00:00", "began: expected a date (2026-01-31), found 2026"),
        ("band = { low = 0 }", "band = { low = 3 }", "band: low 3.0 is above high 1.0"),
        ("band = { low = 0 }", "band = 3", "band: expected a table, found 3"),
        ('owner = "unit"', 'owner = ["unit"]', "owner: expected text, found a list"),
        ('id = "kidney"', 'id = ""', "id: expected 1 to 63 of a-z"),
        ('id = "kidney"', 'id = "heart"', "the file calls itself 'heart'"),
        ("version = 3", "version = 0", "version: expected 1 or more, found 0"),
        ("version = 3", "", "version: is missing; expected a whole number"),
        ('title = { da = "Titel", en = "Title" }', 'title = { da = "Titel" }', "title.en: is missing"),
        ('en = "Title" }', 'en = " " }', "title: the text is empty in en"),
        ('"asthma@2"', '"asthma"', 'outcome: expected a definition of codelists, written "id@version", found'),
        ('"asthma@2"', '"asthma@1"', "outcome: codelists/asthma is version 2, not 1"),
        ('"asthma@2"', '"astma@2"', "There is no definition 'astma' in codelists (the nearest known one is 'asthma')"),
    ],
)  # fmt: skip
def test_what_is_not_what_was_declared_is_refused_by_its_key(
    settings: Settings, old: str, new: str, told: str
) -> None:
    assert told in refusal(settings, old, new)


def test_a_definition_that_leads_back_to_itself_is_refused(settings: Settings) -> None:
    settings.write_definition("codelists", "asthma", LIST + 'include = ["copd@1"]\n')
    settings.write_definition(
        "codelists", "copd", HEAD.format("copd", 1) + 'codes = ["J44"]\ninclude = ["asthma@2"]\n'
    )
    with pytest.raises(ConfigurationError, match="leads back to itself"):
        load(settings, CodeList, "copd")


def test_the_home_outranks_the_project_and_no_id_leaves_the_folder(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATTERNLAKE_CONF", str(tmp_path / "project"))
    for id in ("asthma", "copd"):
        path = tmp_path / "project" / "codelists" / f"{id}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEAD.format(id, 9) + "codes = []\n")
    (tmp_path / "secret.toml").write_text(LIST)
    assert ids(settings, "codelists") == ["asthma", "copd"]
    assert (load(settings, CodeList, "asthma").version, load(settings, CodeList, "copd").version) == (2, 9)
    with pytest.raises(ConfigurationError, match="There is no definition"):
        load(settings, CodeList, "../../secret")


def test_a_change_of_what_is_referred_to_changes_the_hash_of_whatever_refers_to_it(
    settings: Settings,
) -> None:
    before = load(settings, Task, "kidney").hash
    settings.write_definition("codelists", "asthma", LIST.replace("J45", "J46"))
    assert load(settings, Task, "kidney").hash != before


def test_a_class_that_is_no_frozen_dataclass_with_a_folder_is_no_family(settings: Settings) -> None:
    for each in (Better, Band, dataclass(type("Loose", (), {"family": "loose"}))):
        with pytest.raises(TypeError, match="is no family"):
            load(settings, each, "x")


# What a file says survives the way through TOML, and the hash is of the content alone.

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
BANDS = st.tuples(NUMBERS, NUMBERS).map(lambda pair: Band(min(pair), max(pair)))
TASKS = st.builds(
    Free,
    owner=TEXTS,
    began=st.dates(),
    band=BANDS,
    kind=st.sampled_from(["calendar", "event"]),
    better=st.sampled_from(Better),
    washout=st.just("ever") | st.integers(),
    steps=st.lists(st.integers(), max_size=4).map(tuple),
    span=st.none() | st.tuples(NUMBERS, NUMBERS),
    bands=st.lists(BANDS, max_size=3).map(tuple),
    late_days=st.dictionaries(TEXTS, st.integers(), max_size=3),
    reviewed=st.booleans(),
    words=st.none() | st.builds(Text, TEXTS.filter(str.strip), TEXTS.filter(str.strip)),
    parameters=st.dictionaries(
        TEXTS, st.booleans() | st.integers() | NUMBERS | TEXTS | st.dates(), max_size=3
    ),
)


def inline(value: Any) -> str:
    """A value in TOML, tables inline; the oracle of the way back."""
    if isinstance(value, Enum):
        return inline(value.value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(inline, value)) + "]"
    if is_dataclass(value) or isinstance(value, dict):
        return "{" + ", ".join(entries_of(value)) + "}"
    return value.isoformat() if isinstance(value, date) else repr(value)


def entries_of(value: Any) -> list[str]:
    pairs = (
        value.items()
        if isinstance(value, dict)
        else [(each.name, getattr(value, each.name)) for each in fields(value)]
    )
    return [f"{inline(name)} = {inline(each)}" for name, each in pairs if each is not None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(tmp_path_factory.mktemp("home"), "test")


def written(settings: Settings, lines: list[str], version: int = 1, between: str = "\n") -> Definition[Free]:
    """The definition that a file of these lines is read as."""
    head = HEAD.format("any", version).strip().splitlines()
    settings.write_definition("free", "any", between.join([*head, *lines]) + "\n")
    return load(settings, Free, "any")


@given(task=TASKS, random=st.randoms())
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_content_comes_back_from_its_file_and_formatting_does_not_change_its_hash(
    folder: Settings, task: Free, random: Random
) -> None:
    lines = entries_of(task)
    made = written(folder, lines)
    assert made.content == task
    random.shuffle(lines)
    assert written(folder, [*lines, "# a remark"], between="  # said\n\n").hash == made.hash
    whole = {name: value for name, value in vars(task).items() if value is not None}
    spelt = {"steps": "[\n" + "".join(f"  {each:+},\n" for each in task.steps) + "]"}
    assert (
        written(folder, [f"'{name}'\t=  {spelt.get(name) or inline(whole[name])}" for name in whole]).hash
        == made.hash
    )


@given(task=TASKS, other=TASKS)
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_change_of_one_key_changes_the_hash(folder: Settings, task: Free, other: Free) -> None:
    before = written(folder, entries_of(task)).hash
    for each in fields(task):
        changed = replace(task, **{each.name: getattr(other, each.name)})
        same = (
            inline(getattr(task, each.name) or 0) == inline(getattr(other, each.name) or 0)
            and changed == task
        )
        assert (written(folder, entries_of(changed)).hash == before) == same, each.name
    assert written(folder, entries_of(task), version=2).hash != before


def test_values_that_look_alike_are_told_apart(folder: Settings) -> None:
    base = ['"owner" = "x"', "began = 2026-01-31", "band = { low = 0 }"]
    alike = [
        "1",
        "1.0",
        "true",
        '"1"',
        '"true"',
        "2026-01-31",
        '"2026-01-31"',
        '{ "$date" = "2026-01-31" }',
        "[1]",
        "{}",
    ]
    hashes = [written(folder, [*base, f"parameters = {{ a = {each} }}"]).hash for each in alike]
    assert len(set(hashes)) == len(alike)


def test_a_default_that_is_written_out_is_the_same_content(folder: Settings) -> None:
    base = ['"owner" = "x"', "began = 2026-01-31", "band = { low = 0 }"]
    spelt = ['kind = "calendar"', "steps = [0, 365]", "reviewed = false", "late_days = {}"]
    assert written(folder, base).hash == written(folder, [*base, *spelt]).hash
    assert written(folder, base).hash == written(folder, [*base[:2], "band = { low = 0.0, high = 1 }"]).hash
