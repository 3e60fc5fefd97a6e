"""The words a further source is made in: its files, its rows of a block, and the traps it can plant, with the books."""

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
"""Share of the fitting rows a trap spoils when it is named without a rate."""
BOOK = "traps"
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
    """Plants traps in one block of one source and keeps the books.

    ``rates`` holds the share of fitting rows for each trap that is switched on. What is planted must be
    :meth:`expected <expect>` somewhere: a lake table and an SQL condition under which exactly so many rows lie
    once everything is ingested, whether they were planted or would have been there anyway.
    """

    rates: Mapping[str, float]
    rng: np.random.Generator
    planted: Counter[str] = field(default_factory=Counter)
    expected: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    taken: dict[str, Bools] = field(default_factory=dict)

    def rate(self, trap: str) -> float:
        """Share of rows to spoil, 0 when the trap is off."""
        return self.rates.get(trap, 0.0)

    def choose(self, trap: str, fitting: Bools, file: str = "") -> Ints:
        """Rows to spoil among the fitting ones; rows of one ``file`` are chosen once, so that traps never meet."""
        if not self.rate(trap):
            return np.zeros(0, np.int64)
        free = fitting & ~self.taken[file] if file in self.taken else fitting
        rows = np.flatnonzero(free & (self.rng.random(len(fitting)) < self.rate(trap)))
        if file:
            mask = self.taken.setdefault(file, np.zeros(len(fitting), bool))
            mask[rows] = True
        self.planted[trap] += len(rows)
        return rows

    def plant(self, trap: str, rows: int) -> None:
        """So many rows were spoiled without :meth:`choose`."""
        self.planted[trap] += rows

    def expect(self, trap: str, table: str, where: str, rows: int) -> None:
        """After the ingest, ``rows`` more rows of a lake table fulfil ``where``. Booked only for a trap that is on."""
        if trap in self.rates:
            self.expected[trap, table, where] += int(rows)

    def tallies(self) -> list[tuple[str, str, int]]:
        """The books as (path, what, number), to be added up over blocks."""
        planted = [(BOOK, trap, number) for trap, number in self.planted.items()]
        return planted + [(BOOK, "\t".join(key), number) for key, number in self.expected.items()]


@dataclass(frozen=True)
class Feed:
    """A further source. ``rows`` are its files' rows of one block, ``once`` those that belong to no person.

    ``traps`` are the numbers (``T22``, two digits) of the traps it can plant. ``replaces`` are kinds of files of the default
    sources (keys of ``layout.KINDS``) that it delivers itself, in a wider form. Its random stream is its own, so
    that adding a feed moves no other source.
    """

    name: str
    files: tuple[FileKind, ...]
    rows: Callable[[Block, World, Planter], Iterator[Rows]] | None = None
    once: Callable[[World, Planter], Iterator[Rows]] | None = None
    traps: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()

    def planter(self, seed: int, block: int, rates: Mapping[str, float]) -> Planter:
        """Random stream and empty books for a block (-1: for what is made once)."""
        on = {trap: rate for trap, rate in rates.items() if trap in self.traps}
        return Planter(on, np.random.default_rng([seed, block + 1, 200, crc32(self.name.encode())]))


@cache
def all_feeds() -> dict[str, Feed]:
    """Every feed by name."""
    import lakehouse.synthetic.feeds as package

    modules = sorted(each.name for each in pkgutil.iter_modules(package.__path__))
    found: list[Feed] = [import_module(f"{package.__name__}.{module}").FEED for module in modules]
    return {feed.name: feed for feed in found}


def chosen_feeds(sources: str) -> tuple[Feed, ...]:
    """Feeds by ``default`` (none), ``all``, or their names with commas between."""
    known = all_feeds()
    names = {"default": (), "all": tuple(known)}.get(sources, tuple(sources.split(",")))
    if unknown := [name for name in names if name not in known]:
        raise UsageError(
            f"There is no synthetic source '{unknown[0]}'.", "", f"Known: all, default, {', '.join(known)}."
        )
    return tuple(known[name] for name in names)


def trap_rates(named: str, defects: float, feeds: Sequence[Feed]) -> dict[str, float]:
    """Share of rows by trap: those ``named`` (``T14,T23=0.05``), and at the rate of ``defects`` all others."""
    known = {trap for feed in feeds for trap in feed.traps}
    rates = dict.fromkeys(sorted(known), defects) if defects > 0 else {}
    for part in filter(None, named.split(",")):
        trap, _, share = part.strip().upper().partition("=")
        trap = re.sub(r"^T(\d)$", r"T0\1", trap)
        if trap not in known or not re.fullmatch(r"(0?\.\d+|0|1)?", share):
            raise UsageError(
                f"'{part}' names no trap of the chosen sources, or no share of rows.",
                "Traps belong to the sources they occur in.",
                f"Known here: {', '.join(sorted(known)) or 'none: choose sources with --sources'}; as T14 or T14=0.05.",
            )
        rates[trap] = float(share) if share else NAMED_RATE
    return rates


def trap_book(tallies: Sequence[tuple[str, str, int]], rates: Mapping[str, float]) -> dict[str, object]:
    """The books of all blocks as they stand in the truth: rows planted by trap and where they must be found."""
    book: dict[str, dict[str, object]] = {trap: {"planted": 0, "expected": []} for trap in sorted(rates)}
    for path, what, number in sorted(tallies):
        if path != BOOK:
            continue
        trap, *place = what.split("\t")
        if not place:
            book[trap]["planted"] = number
        else:
            expected = book[trap]["expected"]
            assert isinstance(expected, list)
            expected.append({"table": place[0], "where": place[1], "rows": number})
    return dict(book)
