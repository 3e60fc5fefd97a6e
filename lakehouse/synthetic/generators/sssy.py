"""Fees of general practice and specialists as lines by provider and week."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from lakehouse.declarations.helpers import codelist
from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.catalogue import number
from lakehouse.synthetic.drawing import (
    age_at,
    comma,
    mask_of,
    monday,
    months_before,
    occasions,
    pick,
    provider,
    replaced,
    year_of,
    yyww,
)
from lakehouse.synthetic.generator import Generator, Planter, Rows
from lakehouse.synthetic.identity import numbers
from lakehouse.synthetic.layout import FileKind, columns
from lakehouse.synthetic.rates import Ints
from lakehouse.synthetic.registers import choose, dates, text

LINES = 3.0
"""A person-year; a fifth of what a region has, since most lines say the same."""
RARE = "809999"
"""A service that nobody has but the three persons who are planted with it."""
DAYS_KNOWN_FROM = 2021
FILE = FileKind(
    "sssy",
    "sssy",
    "cp1252",
    columns(
        "pnr ydernr speciale ydlant ydtyp ydltid afrper honuge bruhon barnmak kontakt patgrp sikgrup "
        "koenimp alderimp behandlingsdato"
    ),
    yearly=True,
)


def children_in_week(block: Block, person: Ints, day: Ints, known: np.ndarray) -> Ints:
    """How many children under 18 a parent has in the week of a service, as the declaration counts them.

    All arrays are [service]: ``day`` in days since 1970, ``known`` whether that day is known.
    """
    people = block.people
    week = monday(day)
    until = np.where(known, day, week + 6)
    since = months_before(week, 216)
    count = np.zeros(len(person), np.int64)
    born = np.flatnonzero(people.mother >= 0)
    for child in born.tolist():
        of = person == people.mother[child]
        count[of] += (people.birth[child] <= until[of]) & (people.birth[child] > since[of])
    return count


def rows(block: Block, world: World, planter: Planter) -> Iterator[Rows]:
    """Lines of all years, older people more; a child's service under its parent where that is planted."""
    rng, people = planter.rng, block.people
    services = codelist("sssy")
    age = age_at(people, np.arange(people.count), np.full(people.count, world.calendar.first))
    person, day = occasions(rng, block, world, LINES * (0.5 + np.clip(age, 0, 90) / 60))
    count = len(person)
    service = pick(rng, [number(row["weight"]) for row in services], count)
    amount = 1 + (rng.random(count) < 0.08).astype(np.int64)
    fees = np.array([number(row["fee"]) for row in services], float)
    fee = fees[service] * amount.astype(float)
    known = year_of(day) >= DAYS_KNOWN_FROM
    codes = choose([row["code"] for row in services], service)
    week = yyww(day)
    of_child = np.zeros(count, np.int64)
    parents = mask_of(np.unique(people.mother[people.mother >= 0]), people.count)
    spoiled = planter.choose("T35", parents[person], "sssy")
    if len(spoiled):
        of_child[spoiled] = 1
        linkable = children_in_week(block, person[spoiled], day[spoiled], known[spoiled]) == 1
        for role, rows_there in (("child", linkable.sum()), ("for_child", (~linkable).sum())):
            planter.expect("T35", "gold.event", f"source = 'sssy' AND code_role = '{role}'", rows_there)
    wrong = planter.choose("T09", np.ones(count, bool), "sssy")
    week = replaced(week, wrong, ["2060"] * len(wrong))
    planter.expect("T09", "quarantine.sssy_services", "reason = 'bad_week'", len(wrong))
    if planter.rate("T40") and block.number == 0:
        free = ~mask_of(np.concatenate([spoiled, wrong]), count)
        rare = np.unique(person[free], return_index=True)[1][:3]
        rare = np.flatnonzero(free)[rare]
        codes = replaced(codes, rare, [RARE] * len(rare))
        planter.plant("T40", len(rare))
        planter.expect("T40", "gold.event", f"code = 'SSSY//{RARE}'", len(rare))
    yield Rows(
        FILE,
        {
            "pnr": numbers(people, person, day),
            "ydernr": text(provider(block, world, person)),
            "speciale": codes,
            "ydlant": text(amount),
            "ydtyp": choose(("1", "2"), rng.integers(0, 2, count)),
            "ydltid": choose(("1", "2", "3"), pick(rng, (80, 12, 8), count)),
            "afrper": text(year_of(day) * 100 + 1 + rng.integers(0, 12, count)),
            "honuge": week,
            "bruhon": comma(fee),
            "barnmak": text(of_child),
            "kontakt": choose(("1", "0"), pick(rng, (7, 3), count)),
            "patgrp": pa.repeat(pa.scalar("1"), count),
            "sikgrup": choose(("1", "2"), pick(rng, (98, 2), count)),
            "koenimp": pa.repeat(pa.scalar("0"), count),
            "alderimp": pa.repeat(pa.scalar("0"), count),
            "behandlingsdato": dates(day, ~known),
        },
        day=day,
    )


GENERATOR = Generator("sssy", (FILE,), rows, known_defects=("T09", "T35", "T40"))
