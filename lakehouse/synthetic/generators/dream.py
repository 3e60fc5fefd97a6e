"""Benefits week by week: one wide row a person, blank where people support themselves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lakehouse.declarations.helpers import codelist
from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.drawing import age_at, monday, pick, yyww
from lakehouse.synthetic.generator import Generator, Planter, Rows
from lakehouse.synthetic.layout import FileKind
from lakehouse.synthetic.population import Calendar
from lakehouse.synthetic.rates import Ints
from lakehouse.synthetic.registers import choose, text

SPELLS, MEAN_WEEKS = 1.6, 22
ABROAD, PENSION, DEAD = "997", "998", "999"
PENSION_AGE = 67
YEARS = (2017, 2024)
"""Weeks the file has columns for; a region of other years leaves those outside blank."""


def weeks(calendar: Calendar) -> Ints:
    """Every Monday of the period."""
    return np.arange(monday(np.array([calendar.first]))[0] + 7, calendar.last - 6, 7)


FILE = FileKind(
    "dream",
    "dream",
    "utf-8",
    ("PNR", *(f"y_{week}" for week in yyww(weeks(Calendar(YEARS))).to_pylist())),
)


def codes_by_week(block: Block, world: World, rng: np.random.Generator) -> Ints:
    """(persons, weeks): position of the code in the list, -1 where there is none; later spells overwrite."""
    people, mondays = block.people, weeks(Calendar(YEARS))
    listed = codelist("dream")
    position = {row["code"]: k for k, row in enumerate(listed)}
    found = np.full((people.count, len(mondays)), -1)
    everybody = np.arange(people.count)
    age = age_at(people, everybody, np.full(people.count, world.calendar.first))
    able = np.flatnonzero((age >= 10) & (age < PENSION_AGE))
    person = np.repeat(able, rng.poisson(SPELLS, len(able)))
    begin = rng.integers(0, len(mondays), len(person))
    length = rng.geometric(1 / MEAN_WEEKS, len(person))
    usable = [k for k, row in enumerate(listed) if float(row["weight"]) > 0 and row["code"] != PENSION]
    code = np.array(usable)[pick(rng, [float(listed[k]["weight"]) for k in usable], len(person))]
    for p, b, n, c in zip(person.tolist(), begin.tolist(), length.tolist(), code.tolist(), strict=True):
        found[p, b : b + n] = c
    day = mondays[None, :]
    years = (day - people.birth[:, None]) / 365.25
    found[years < 18] = -1
    found[years >= PENSION_AGE] = position[PENSION]
    away = (day >= people.emigrated[:, None]) & (day < people.returned[:, None])
    found[away] = position[ABROAD]
    found[day > people.death[:, None]] = position[DEAD]
    return found


def rows(block: Block, world: World, planter: Planter) -> Iterator[Rows]:
    """Everybody who ever has a code."""
    found = codes_by_week(block, world, planter.rng)
    person = np.flatnonzero((found >= 0).any(axis=1))
    names = [row["code"] for row in codelist("dream")]
    content = {"PNR": text(block.people.cpr[person])}
    for column, name in enumerate(FILE.columns[1:]):
        week = found[person, column]
        content[name] = choose(names, np.maximum(week, 0), week < 0)
    yield Rows(FILE, content)


GENERATOR = Generator("dream", (FILE,), rows)
