"""The words a further source is made in: its files, its rows of a block, and the known defects it can plant."""

from __future__ import annotations

import pkgutil
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from lakehouse.errors import UsageError
from lakehouse.synthetic.layout import FileKind
from lakehouse.synthetic.rates import Bools, Ints

if TYPE_CHECKING:
    from lakehouse.synthetic.block import Block, World
    from lakehouse.synthetic.registers import Columns

NAMED_RATE = 0.02
"""Share of the fitting rows a known defect spoils when it is named without a rate."""
PLANTED = "traps"
"""Stands for the path in the tallies of what was planted."""


@dataclass(frozen=True)
class Rows:
    """Rows of one file: Arrow columns by name, or bytes as they are (``count`` rows) for a ``raw`` file.

    A yearly file gives either ``day`` (of each row, ascending, days since 1970) to be cut by, or ``year``.
    """

    kind: FileKind
    content: Columns | bytes
    day: Ints | None = None
    year: int | None = None
    count: int = 0


@dataclass
class Planter:
    """Plants known defects in one block of one source and keeps the planted truth.

    ``rates`` holds the share of fitting rows for each known defect that is switched on. What is planted must be
    :meth:`expected <expect>` somewhere: a lake table and an SQL condition under which exactly so many rows lie
    once everything is ingested, whether they were planted or would have been there anyway.
    """

    rates: Mapping[str, float]
    rng: np.random.Generator
    planted: Counter[str] = field(default_factory=Counter)
    expected: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    taken: dict[str, Bools] = field(default_factory=dict)

    def rate(self, defect: str) -> float:
        """Share of rows to spoil, 0 when the known defect is off."""
        return self.rates.get(defect, 0.0)

    def choose(self, defect: str, fitting: Bools, file: str = "") -> Ints:
        """Rows to spoil among the fitting ones; rows of one ``file`` are chosen once, so that known defects never meet."""
        if not self.rate(defect):
            return np.zeros(0, np.int64)
        free = fitting & ~self.taken[file] if file in self.taken else fitting
        rows = np.flatnonzero(free & (self.rng.random(len(fitting)) < self.rate(defect)))
        if file:
            mask = self.taken.setdefault(file, np.zeros(len(fitting), bool))
            mask[rows] = True
        self.planted[defect] += len(rows)
        return rows

    def plant(self, defect: str, rows: int) -> None:
        """So many rows were spoiled without :meth:`choose`."""
        self.planted[defect] += rows

    def expect(self, defect: str, table: str, where: str, rows: int) -> None:
        """After the ingest, ``rows`` more rows of a lake table fulfil ``where``. Kept only for a known defect that is on."""
        if defect in self.rates:
            self.expected[defect, table, where] += int(rows)

    def tallies(self) -> list[tuple[str, str, int]]:
        """The planted truth as (path, what, number), to be added up over blocks."""
        planted = [(PLANTED, defect, number) for defect, number in self.planted.items()]
        return planted + [(PLANTED, "\t".join(key), number) for key, number in self.expected.items()]


@dataclass(frozen=True)
class Generator:
    """A further source. ``rows`` are its files' rows of one block, ``once`` those that belong to no person.

    ``known_defects`` are the numbers (``T22``, two digits) of those it can plant. ``replaces`` are kinds of files of
    the default sources (keys of ``layout.KINDS``) that it delivers itself, in a wider form. Its random stream is its
    own, so that adding a generator moves no other source.
    """

    name: str
    files: tuple[FileKind, ...]
    rows: Callable[[Block, World, Planter], Iterator[Rows]] | None = None
    once: Callable[[World, Planter], Iterator[Rows]] | None = None
    known_defects: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()

    def planter(self, seed: int, block: int, rates: Mapping[str, float]) -> Planter:
        """Random stream and empty planted truth for a block (-1: for what is made once)."""
        on = {defect: rate for defect, rate in rates.items() if defect in self.known_defects}
        return Planter(on, np.random.default_rng([seed, block + 1, 200, crc32(self.name.encode())]))


@cache
def all_generators() -> dict[str, Generator]:
    """Every generator by name."""
    import lakehouse.synthetic.generators as package

    modules = sorted(each.name for each in pkgutil.iter_modules(package.__path__))
    found: list[Generator] = [import_module(f"{package.__name__}.{module}").GENERATOR for module in modules]
    return {generator.name: generator for generator in found}


def chosen_generators(sources: str) -> tuple[Generator, ...]:
    """Generators by ``default`` (none), ``all``, or their names with commas between.

    Raises :class:`UsageError` for a name that no generator has.
    """
    known = all_generators()
    names = {"default": (), "all": tuple(known)}.get(sources, tuple(sources.split(",")))
    if unknown := [name for name in names if name not in known]:
        raise UsageError(
            f"There is no synthetic source '{unknown[0]}'.", "", f"Known: all, default, {', '.join(known)}."
        )
    return tuple(known[name] for name in names)


def known_defect_rates(named: str, defects: float, generators: Sequence[Generator]) -> dict[str, float]:
    """Share of rows by defect: those ``named`` (``T14,T23=0.05``), and at the rate of ``defects`` all others.

    Raises :class:`UsageError` for a number that none of the generators can plant, and for what is no share.
    """
    known = {defect for generator in generators for defect in generator.known_defects}
    rates = dict.fromkeys(sorted(known), defects) if defects > 0 else {}
    for part in filter(None, named.split(",")):
        defect, _, share = part.strip().upper().partition("=")
        defect = re.sub(r"^T(\d)$", r"T0\1", defect)
        if defect not in known or not re.fullmatch(r"(0?\.\d+|0|1)?", share):
            raise UsageError(
                f"'{part}' names no known defect of the chosen sources, or no share of rows.",
                "Known defects belong to the sources they occur in.",
                f"Known here: {', '.join(sorted(known)) or 'none: choose sources with --sources'}; as T14 or T14=0.05.",
            )
        rates[defect] = float(share) if share else NAMED_RATE
    return rates


def planted_defects(tallies: Sequence[tuple[str, str, int]], rates: Mapping[str, float]) -> dict[str, object]:
    """What all blocks planted, as it stands in the truth: rows by known defect and where they must be found."""
    truth: dict[str, dict[str, object]] = {defect: {"planted": 0, "expected": []} for defect in sorted(rates)}
    for path, what, number in sorted(tallies):
        if path != PLANTED:
            continue
        defect, *place = what.split("\t")
        if not place:
            truth[defect]["planted"] = number
        else:
            expected = truth[defect]["expected"]
            assert isinstance(expected, list)
            expected.append({"table": place[0], "where": place[1], "rows": number})
    return dict(truth)
