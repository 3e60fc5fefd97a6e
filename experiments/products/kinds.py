"""Kinds of pattern, one module each, found by looking: what a row is, how it is checked, told, drawn and used.

A module has ``KIND`` (a :class:`Kind`). The name of the kind is the word in the result table's column ``kind``;
a job says ``@job(..., kind="pair")`` and makes its table with ``Patterns.from_scan(..., kind="pair")``. Everything
else (result table, disclosure check, MLflow run, report, model) follows from here.
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

from experiments.products.columns import COLUMNS, PatternColumn, counts_persons
from lakehouse.errors import DataError
from lakehouse.governance.suppression.disclosure import DisclosureRecord, Fact, Thresholds
from lakehouse.governance.suppression.row_cells import check_rows

Check = Callable[[pa.Table, Mapping[str, Fact], Thresholds], tuple[pa.Table, DisclosureRecord]]
"""Raw table, what each column lets a reader know, thresholds: the table that may be shown, and the record."""

Draw = Callable[..., dict[str, bytes]]
"""``(checked, called, z, null)``: pictures as PNG by file name, made of checked tables alone."""


@dataclass(frozen=True)
class Shown:
    """A column of the report's table: ``text`` gives the words of a checked row; ``key`` sorts where it can."""

    key: str
    label: str
    about: str
    text: Callable[[Mapping[str, Any]], str]
    number: bool = False


@dataclass(frozen=True)
class ModelSpec:
    """How checked, called patterns are used as an MLflow model.

    ``module`` is a file of this package that stands alone (pandas and pyarrow only) with ``_load_pyfunc``;
    ``columns`` are stored with it, rows with a null in ``needs`` left out; ``example`` makes up an input.
    """

    module: str
    name: str
    about: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    columns: tuple[str, ...]
    needs: tuple[str, ...]
    example: Callable[[pa.Table], Mapping[str, list[Any]]]


def by_interval(called: pa.Table) -> NDArray[np.int64]:
    """Strongest first: by the end of the interval nearest to 1.

    That end is what the data vouch for, so a large but uncertain relative risk does not lead the list.
    """
    low, high = (np.asarray(called.column(name), dtype=float) for name in ("rr_low", "rr_high"))
    with np.errstate(divide="ignore", invalid="ignore"):
        strength = np.nan_to_num(np.fmax(low, 1 / high), nan=0.0)
    return np.argsort(-strength, kind="stable")


def no_pictures(*given: object) -> dict[str, bytes]:
    """A kind that draws nothing."""
    return {}


@dataclass(frozen=True)
class Kind:
    """One kind of pattern.

    ``one`` and ``many`` name a row in sentences; ``columns`` come after the shared ones; ``required`` must be
    in a job's table; ``asked`` completes "… were tested for whether"; ``sentence`` says a checked row in words;
    ``needs`` are columns a sentence cannot do without; ``tests`` tells a dry run how much is tested among so many
    codes; ``captions`` title and explain pictures.
    """

    name: str
    one: str
    many: str
    asked: str
    required: frozenset[str]
    sentence: Callable[[Mapping[str, Any]], str]
    tests: Callable[[int], str]
    needs: tuple[str, ...] = ("rr",)
    shown: tuple[Shown, ...] = ()
    about: str = ""
    limits: tuple[str, ...] = ()
    columns: tuple[PatternColumn, ...] = ()
    check: Check = check_rows
    order: Callable[[pa.Table], NDArray[np.int64]] = by_interval
    draw: Draw = no_pictures
    captions: Mapping[str, tuple[str, str]] = field(default_factory=dict)
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
    """The kind of that name."""
    found = kinds()
    if name not in found:
        raise DataError(
            f"There is no kind of pattern called '{name}'.",
            "A kind says how its rows are checked before they leave.",
            f"Known: {', '.join(sorted(found))}; a new one is a module in experiments/analyses/<analysis>.",
        )
    return found[name]
