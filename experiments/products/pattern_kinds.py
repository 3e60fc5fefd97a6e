"""Kinds of pattern, found by looking: what a row is, how it is checked, put into words, drawn and used as a model.

A module of an analysis has ``KIND`` (a :class:`Kind`). The name of the kind is the word in the result table's column
``kind``; a job says ``@job(..., gives=patterns("pair"))`` and makes its table with ``Patterns.from_scan(..., kind="pair")``.
Everything else (result table, disclosure check, MLflow run, report, model) follows from here.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.products.base import Calibration, ModelSpec, PageTable, Picture, Section, TableColumn
from experiments.products.columns import COLUMNS, PatternColumn, counts_persons
from lakehouse.errors import DataError
from lakehouse.governance.suppression.disclosure import DisclosureRecord, Fact, Thresholds
from lakehouse.governance.suppression.row_cells import check_rows

Check = Callable[[pa.Table, Mapping[str, Fact], Thresholds], tuple[pa.Table, DisclosureRecord]]
"""Raw table, what each column lets a reader know, thresholds: the table that may be shown, and the record."""

Draw = Callable[..., dict[str, bytes]]
"""``(checked, significant, z, calibration)``: pictures as PNG by file name, made of checked tables alone."""

MOST_ROWS = 2_000
"""Rows of a table that the page holds, the strongest first."""


@dataclass(frozen=True)
class ReportColumn:
    """A column of the report's table: ``text`` gives the words of a checked row; ``key`` sorts where it can."""

    key: str
    label: str
    about: str
    text: Callable[[Mapping[str, Any]], str]
    number: bool = False


NOT_A_CAUSE = (
    "A pattern is an order of events that is more (or less) frequent than among comparable persons. It is not a cause: why "
    "a treatment was given (indication), what was not recorded, and who was looked at more closely can all make one."
)
COMPARABLE = (
    "Comparable persons share sex, age group, calendar time, number of earlier events and kind of place of treatment; not "
    "smoking, income, severity or anything else that is not in the tables above."
)
FIRST_TIMES = "Only the first time of each code counts. Persons who die or move away can no longer have the second code."
RECORDED = (
    "Codes say what was recorded, not what a person had; coding habits and registers change over the years."
)
REPLICATION = (
    "A finding that was not replicated is a suggestion. One that was replicated here still comes from the same health "
    "service and the same registers."
)
CONTACTS = (
    "What is recorded at a contact with health care belongs to it and does not follow it. Codes that their source declares "
    "as contacts (hospital stays, visits, practice contacts) are therefore never tested as the first of a pair; they "
    "count as what follows and among the earlier events. A source that declares no contacts is not protected."
)
PAIR_LIMITS = (NOT_A_CAUSE, COMPARABLE, FIRST_TIMES, CONTACTS, RECORDED, REPLICATION)
"""What no search can show that compares days after a first code with comparable persons' comparable days."""


def by_interval(significant: pa.Table) -> NDArray[np.int64]:
    """Strongest first: by the end of the interval nearest to 1.

    That end is what the data vouch for, so a large but uncertain relative risk does not lead the list.

    Returns numbers of rows [row] of ``significant``.
    """
    low, high = (np.asarray(significant.column(name), dtype=float) for name in ("rr_low", "rr_high"))
    with np.errstate(divide="ignore", invalid="ignore"):
        strength = np.nan_to_num(np.fmax(low, 1 / high), nan=0.0)
    return np.argsort(-strength, kind="stable")


@dataclass(frozen=True)
class View:
    """What the sections of a kind are made from, checked alone: ``significant`` rows, strongest first."""

    kind: Kind
    significant: pa.Table
    calibration: Calibration | None
    threshold: int
    window: str
    pictures: Mapping[str, bytes]


def table_section(view: View) -> Section:
    """The significant rows as a table of the kind's own columns, in words."""
    kind, rows = view.kind, view.significant.slice(0, MOST_ROWS).to_pylist()
    table = PageTable(
        columns=tuple(TableColumn(one.label, one.about, one.number) for one in kind.shown),
        rows=tuple(tuple(str(one.text(row)) for one in kind.shown) for row in rows),
        about=kind.about,
        total=view.significant.num_rows,
        file="patterns.parquet",
        empty=f"No {kind.one} is significant.",
    )
    return Section("patterns", "The strongest patterns", (table,))


def picture_sections(view: View) -> tuple[Section, ...]:
    """The kind's pictures with their captions, where it draws any."""
    parts = tuple(
        Picture(name, alt, caption, view.pictures[name], broad=name == "network.png")
        for name, (alt, caption) in view.kind.captions.items()
        if name in view.pictures
    )
    return (Section("pictures", "Pictures", parts),) if parts else ()


def plain_sections(view: View) -> tuple[Section, ...]:
    """Table and pictures: what a kind shows unless it says otherwise."""
    return (table_section(view), *picture_sections(view))


def no_pictures(*given: object) -> dict[str, bytes]:
    """A kind that draws nothing."""
    return {}


@dataclass(frozen=True)
class Kind:
    """One kind of pattern.

    ``one`` and ``many`` name a row in sentences; ``columns`` come after the shared ones; ``required`` must be
    in a job's table; ``asked`` completes "… were tested for whether"; ``sentence`` says a checked row in words;
    ``needs`` are columns a sentence cannot do without; ``tests`` says for a dry run how much is tested among so many
    codes; ``captions`` title and explain pictures; ``sections`` make the kind's part of the report; ``limits`` say all
    that a pattern of this kind cannot tell; ``ordered`` whether the items of a row stand in an order, which the output
    gate must know.
    """

    name: str
    one: str
    many: str
    asked: str
    required: frozenset[str]
    sentence: Callable[[Mapping[str, Any]], str]
    tests: Callable[[int], str]
    needs: tuple[str, ...] = ("rr",)
    shown: tuple[ReportColumn, ...] = ()
    about: str = ""
    limits: tuple[str, ...] = ()
    columns: tuple[PatternColumn, ...] = ()
    check: Check = check_rows
    order: Callable[[pa.Table], NDArray[np.int64]] = by_interval
    draw: Draw = no_pictures
    captions: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    sections: Callable[[View], tuple[Section, ...]] = plain_sections
    ordered: bool = True
    model: ModelSpec | None = None

    @property
    def all_columns(self) -> tuple[PatternColumn, ...]:
        """The shared columns and those of this kind."""
        return (*COLUMNS, *self.columns)

    @property
    def facts(self) -> dict[str, Fact]:
        """What each column lets a reader know."""
        return {each.name: each.fact for each in self.all_columns}

    @property
    def person_counts(self) -> tuple[str, ...]:
        """Columns that are whole numbers of persons."""
        return tuple(each.name for each in self.all_columns if counts_persons(each))


ANALYSES = "experiments.analyses"
"""Where kinds are found: in each folder, modules whose names end in ``kind``."""


@cache
def kinds() -> Mapping[str, Kind]:
    """All kinds by name."""
    analyses: Any = import_module(ANALYSES)
    folders = [each.name for each in pkgutil.iter_modules(analyses.__path__, f"{ANALYSES}.") if each.ispkg]
    modules: Sequence[Any] = [
        import_module(each.name)
        for folder in folders
        for each in pkgutil.iter_modules(import_module(folder).__path__, f"{folder}.")
        if each.name.endswith("kind")
    ]
    return {module.KIND.name: module.KIND for module in modules}


def kind_of(name: str) -> Kind:
    """The kind of that name.

    Raises :class:`DataError` where no analysis has a kind of that name.
    """
    found = kinds()
    if name not in found:
        raise DataError(
            f"There is no kind of pattern with the name '{name}'.",
            "A kind says how its rows are checked before they leave.",
            f"Known: {', '.join(sorted(found))}; a new one is a module in experiments/analyses/<analysis>.",
        )
    return found[name]
