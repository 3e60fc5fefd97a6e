"""The operational side of the municipal record: visits, medicine given, measurements, nursing homes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.drawing import age_at, comma, municipal_unit, texts
from lakehouse.synthetic.generator import Generator, Planter, Rows
from lakehouse.synthetic.generators.eoj import HELP, receives_care
from lakehouse.synthetic.identity import numbers
from lakehouse.synthetic.layout import FileKind, columns
from lakehouse.synthetic.rates import Ints
from lakehouse.synthetic.registers import choose, dates, text

VISITS = FileKind(
    "eoj",
    "besog",
    "cp1252",
    columns("pnr sor planlagt_start faktisk_start minutter personalegruppe ydelse status"),
    yearly=True,
)
GIVEN = FileKind(
    "eoj", "medicingivning", "cp1252", columns("pnr sor ordination tidspunkt atc status"), yearly=True
)
MEASURED = FileKind(
    "eoj", "maaling", "cp1252", columns("pnr sor tidspunkt npu vaerdi enhed_maal"), yearly=True
)
HOUSING = FileKind("eoj", "bolig", "cp1252", columns("pnr sor boligtype fra til"))
MEDICINES = ("C10AA05", "C08CA01", "B01AC06", "N02BE01", "A02BC02")
ANALYSES = (("NPU03804", "kg", 74, 14), ("DNK05472", "mm Hg", 138, 16), ("NPU21692", "1/min", 74, 10))


def moments(minute: Ints) -> list[str]:
    """Minutes since 1970 as ISO moments."""
    return [f"{each.replace('T', ' ')}:00" for each in np.datetime_as_string(minute.astype("datetime64[m]"))]


def in_order(person: Ints, minute: Ints) -> tuple[Ints, Ints]:
    """Persons and minutes by time."""
    order = np.argsort(minute, kind="stable")
    return person[order], minute[order]


def spread(
    rng: np.random.Generator, block: Block, world: World, began: tuple[Ints, Ints], mean: float
) -> tuple[Ints, Ints]:
    """Persons and minutes of daytime happenings after care began, in order of time."""
    persons, days = began
    number = rng.poisson(mean, len(persons))
    person = np.repeat(persons, number)
    day = np.repeat(days, number) + rng.integers(0, 400, number.sum())
    fits = block.people.present(person, day) & (day <= world.calendar.last)
    minute = day[fits] * 1440 + 420 + rng.integers(0, 900, int(fits.sum()))
    return in_order(person[fits], minute)


def rows(block: Block, world: World, planter: Planter) -> Iterator[Rows]:
    """Visits, doses and measurements of those who receive care, and who moved into a nursing home."""
    rng = planter.rng
    began = receives_care(rng, block, world)
    yield visits(rng, block, *spread(rng, block, world, began, 12))
    yield doses(rng, block, *spread(rng, block, world, began, 8))
    yield measurements(rng, block, *spread(rng, block, world, began, 4))
    yield housing(rng, block, world, *began)


def visits(rng: np.random.Generator, block: Block, person: Ints, minute: Ints) -> Rows:
    """Visits; one that was called off never began."""
    count = len(person)
    done = pick_status(rng, count)
    began = moments(minute + rng.integers(-10, 40, count))
    return Rows(
        VISITS,
        {
            "pnr": numbers(block.people, person, minute // 1440),
            "sor": texts(municipal_unit(block, person)),
            "planlagt_start": texts(moments(minute)),
            "faktisk_start": texts(t if d == 0 else None for t, d in zip(began, done, strict=True)),
            "minutter": text(rng.integers(5, 60, count)),
            "personalegruppe": choose(("SSA", "SSH", "SPL"), rng.integers(0, 3, count)),
            "ydelse": choose(HELP, rng.integers(0, len(HELP), count)),
            "status": choose(("UDFØRT", "AFLYST", "IKKE_HJEMME"), done),
        },
        day=minute // 1440,
    )


def doses(rng: np.random.Generator, block: Block, person: Ints, minute: Ints) -> Rows:
    """Medicine given, not given, or refused."""
    return Rows(
        GIVEN,
        {
            "pnr": numbers(block.people, person, minute // 1440),
            "sor": texts(municipal_unit(block, person)),
            "ordination": text(7_000_000 + block.number * 10_000 + person),
            "tidspunkt": texts(moments(minute)),
            "atc": choose(MEDICINES, rng.integers(0, len(MEDICINES), len(person))),
            "status": choose(("GIVET", "IKKE_GIVET", "AFVIST"), pick_status(rng, len(person))),
        },
        day=minute // 1440,
    )


def measurements(rng: np.random.Generator, block: Block, person: Ints, minute: Ints) -> Rows:
    """Weight, blood pressure and pulse."""
    which = rng.integers(0, len(ANALYSES), len(person))
    mean, deviation = np.array([(a[2], a[3]) for a in ANALYSES], float)[which].T
    return Rows(
        MEASURED,
        {
            "pnr": numbers(block.people, person, minute // 1440),
            "sor": texts(municipal_unit(block, person)),
            "tidspunkt": texts(moments(minute)),
            "npu": choose([a[0] for a in ANALYSES], which),
            "vaerdi": comma(np.abs(mean + deviation * rng.normal(size=len(which))), 1),
            "enhed_maal": choose([a[1] for a in ANALYSES], which),
        },
        day=minute // 1440,
    )


def housing(rng: np.random.Generator, block: Block, world: World, persons: Ints, days: Ints) -> Rows:
    """Nursing homes of the old, until death."""
    people = block.people
    old = (age_at(people, persons, days) >= 80) & (rng.random(len(persons)) < 0.4)
    persons, days = persons[old], days[old]
    until = people.death[persons]
    return Rows(
        HOUSING,
        {
            "pnr": numbers(people, persons, days),
            "sor": texts(municipal_unit(block, persons)),
            "boligtype": choose(("PLEJEHJEM", "PLEJEBOLIG"), rng.integers(0, 2, len(persons))),
            "fra": dates(days),
            "til": dates(until, until > world.calendar.last),
        },
    )


def pick_status(rng: np.random.Generator, count: int) -> Ints:
    """Done, called off, or not possible."""
    return rng.choice(3, count, p=(0.92, 0.05, 0.03))


GENERATOR = Generator("eoj_operations", (VISITS, GIVEN, MEASURED, HOUSING), rows)
