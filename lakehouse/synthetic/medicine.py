"""Dispensings of a block: short courses, long-term treatment with refills, and treatment of lasting diseases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lakehouse.synthetic.catalogue import Catalogue, number
from lakehouse.synthetic.hospital import day_in_year
from lakehouse.synthetic.intensity import (
    DISEASE_THERAPY_YEARS,
    THERAPY_YEARS,
    WINTER_SWING,
    Draw,
    Intensity,
    cell_of,
    long_term,
)
from lakehouse.synthetic.population import NEVER, Calendar, People
from lakehouse.synthetic.rates import Bools, Floats, Ints, Rates


@dataclass(frozen=True)
class Dispensings:
    """One line a dispensing: person, day, position of the medicine, packages."""

    person: Ints
    day: Ints
    medicine: Ints
    packages: Ints


@dataclass(frozen=True)
class MedicineTables:
    """What a worker builds once."""

    intensity: Intensity
    starts: Draw
    short: Ints
    starts_total: Floats
    interval: Floats
    refills: Floats
    winter: Bools
    group: Ints
    groups: int
    indications: tuple[tuple[int, int, float], ...]


def build_tables(catalogue: Catalogue, intensity: Intensity, rates: Rates) -> MedicineTables:
    """Draw tables and the days between dispensings of each medicine."""
    fills = np.array([number(row["fills"]) for row in catalogue.medicines.extra]) * rates.refills
    winter = catalogue.medicines.winter
    names, group = catalogue.groups
    column = {int(code): position for position, code in enumerate(catalogue.chronic)}
    return MedicineTables(
        intensity=intensity,
        starts=Draw(intensity.starts.reshape(-1, len(fills))),
        short=np.flatnonzero(~long_term(catalogue)),
        starts_total=intensity.starts.sum(axis=-1),
        interval=365.25 / np.maximum(fills * 1.35, 0.1),
        refills=np.maximum(fills - 1, 0) * 0.5,
        winter=winter,
        group=group,
        groups=len(names),
        indications=tuple((column[d], m, share) for d, m, share in catalogue.indications),
    )


def yearly_events(
    rng: np.random.Generator, people: People, total: Floats, draw: Draw, calendar: Calendar
) -> tuple[Ints, Ints, Ints]:
    """Person, day and medicine of a Poisson process with (years, bands, 2) totals times frailty."""
    band = np.maximum(people.band, 0)
    years = np.arange(calendar.count)[None, :]
    rate = np.where(people.band >= 0, total[years, band, people.sex[:, None]], 0.0) * people.frailty[:, None]
    count = rng.poisson(rate)
    flat = np.repeat(np.arange(count.size), count.ravel())
    person, year = flat // calendar.count, flat % calendar.count
    day = calendar.starts[year] + (rng.random(len(flat)) * calendar.lengths[year]).astype(np.int64)
    cell = cell_of(people.band[person, year], people.sex[person], year, calendar.count)
    return person, day, draw.codes(cell, rng.random(len(flat)))


def dispense(
    rng: np.random.Generator,
    people: People,
    onset: Ints,
    first: Ints,
    tables: MedicineTables,
    calendar: Calendar,
) -> Dispensings:
    """All dispensings. ``onset`` and ``first`` are the lasting diseases' days, (persons, chronic codes)."""
    person, day, medicine = short_courses(rng, people, tables, calendar)
    again = rng.poisson(tables.refills[medicine])
    row = np.repeat(np.arange(len(day)), again)
    later = day[row] + rng.integers(20, 200, len(row))
    courses = (np.concatenate([person, person[row]]), np.concatenate([day, later]))
    course_medicine = np.concatenate([medicine, medicine[row]])
    spells = [
        long_term_at_start(rng, people, tables, calendar),
        long_term_starts(rng, people, tables, calendar),
        treatments(rng, onset, first, tables, calendar),
    ]
    who, begin, what = (np.concatenate([spell[k] for spell in spells]) for k in range(3))
    sizes = [len(spell[0]) for spell in spells]
    years = np.repeat([THERAPY_YEARS, THERAPY_YEARS, DISEASE_THERAPY_YEARS], sizes)
    filler, fill_day, fill_medicine = refill(rng, who, begin, what, years, tables, calendar)
    person = np.concatenate([courses[0], filler])
    day = np.concatenate([courses[1], fill_day])
    medicine = np.concatenate([course_medicine, fill_medicine])
    here = np.flatnonzero(people.present(person, day) & (day >= calendar.first) & (day <= calendar.last))
    once = np.unique((person[here] * 100_000 + day[here]) * 1000 + medicine[here], return_index=True)[1]
    here = here[np.sort(once)]
    packages = 1 + (rng.random(len(here)) < 0.18) + (rng.random(len(here)) < 0.04)
    return Dispensings(person[here], day[here], medicine[here], packages)


def short_courses(
    rng: np.random.Generator, people: People, tables: MedicineTables, calendar: Calendar
) -> tuple[Ints, Ints, Ints]:
    """First dispensing of each short course. Whether a person takes a medicine at all is fixed for life."""
    bar = rng.random((people.count, len(tables.short)))
    found = []
    for year in range(calendar.count):
        band = people.band[:, year]
        share = tables.intensity.prone[year][:, :, tables.short][np.maximum(band, 0), people.sex]
        takes = bar < share * people.frailty[:, None] * (band >= 0)[:, None]
        person, column = np.nonzero(takes)
        medicine = tables.short[column]
        again = rng.poisson(
            tables.intensity.courses[medicine] * np.where(tables.winter[medicine], 1 + WINTER_SWING, 1)
        )
        row = np.repeat(np.arange(len(person)), again)
        day = calendar.starts[year] + (rng.random(len(row)) * calendar.lengths[year]).astype(np.int64)
        season = (1 + WINTER_SWING * np.cos(2 * np.pi * day_in_year(day) / 365.25)) / (1 + WINTER_SWING)
        kept = ~tables.winter[medicine[row]] | (rng.random(len(row)) < season)
        found.append((person[row][kept], day[kept], medicine[row][kept]))
    person, day, medicine = (np.concatenate([part[k] for part in found]) for k in range(3))
    return person, day, medicine


def long_term_at_start(
    rng: np.random.Generator, people: People, tables: MedicineTables, calendar: Calendar
) -> tuple[Ints, Ints, Ints]:
    """Treatments running on the first day (or on arrival).

    The next dispensing falls somewhere into its interval, or, for one in two, somewhere into the year: many
    pause. Without pauses all long-term medicines would be first seen in the first weeks of the period, when
    nobody has a history yet, and would look different from all others.
    """
    arrived = np.maximum(people.immigrated, calendar.first)
    share = tables.intensity.using[np.maximum(people.band[:, 0], 0), people.sex] * people.frailty[:, None]
    users = rng.random(share.shape) < np.where(people.band[:, :1] >= 0, share, 0.0)
    person, medicine = np.nonzero(users)
    return person, arrived[person] + resume(rng, tables.interval[medicine]), medicine


def resume(rng: np.random.Generator, interval: Floats) -> Ints:
    """Days until the next dispensing of a treatment that runs already."""
    span = np.where(rng.random(len(interval)) < 0.5, interval, 365.0)
    result: Ints = (rng.random(len(interval)) * span).astype(np.int64)
    return result


def long_term_starts(
    rng: np.random.Generator, people: People, tables: MedicineTables, calendar: Calendar
) -> tuple[Ints, Ints, Ints]:
    """New long-term treatments during the period."""
    person, day, medicine = yearly_events(rng, people, tables.starts_total, tables.starts, calendar)
    return person, day, medicine


def treatments(
    rng: np.random.Generator, onset: Ints, first: Ints, tables: MedicineTables, calendar: Calendar
) -> tuple[Ints, Ints, Ints]:
    """Medicines of lasting diseases: running already when the disease is older than the period, else after it."""
    who, begin, what = [], [], []
    for column, medicine, share in tables.indications:
        person = np.flatnonzero((onset[:, column] < NEVER) & (rng.random(len(onset)) < share))
        old = onset[person, column] < calendar.first
        wait = resume(rng, np.full(len(person), tables.interval[medicine]))
        start = np.where(
            old, calendar.first + wait, first[person, column] + 1 + rng.integers(0, 60, len(person))
        )
        who.append(person[start < NEVER])
        begin.append(start[start < NEVER])
        what.append(np.full(int((start < NEVER).sum()), medicine))
    return np.concatenate(who), np.concatenate(begin), np.concatenate(what)


def refill(
    rng: np.random.Generator,
    person: Ints,
    begin: Ints,
    medicine: Ints,
    years: Floats,
    tables: MedicineTables,
    calendar: Calendar,
) -> tuple[Ints, Ints, Ints]:
    """Dispensings of long-term treatments: at even intervals with some days' play until the treatment ends."""
    length = rng.exponential(years * 365.25)
    length = np.minimum(length, np.maximum(calendar.last - begin, 0))
    interval = tables.interval[medicine]
    count = 1 + (length / interval).astype(np.int64)
    row = np.repeat(np.arange(len(person)), count)
    position = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    play = np.where(position > 0, (rng.random(len(row)) - 0.5) * 0.3 * interval[row], 0.0)
    day = begin[row] + (position * interval[row] + play).astype(np.int64)
    return person[row], day, medicine[row]


def first_by_group(dispensings: Dispensings, persons: int, tables: MedicineTables) -> Ints:
    """First dispensing of each medicine group, (groups, persons), ``NEVER`` when there is none."""
    first = np.full(tables.groups * persons, NEVER)
    np.minimum.at(first, tables.group[dispensings.medicine] * persons + dispensings.person, dispensings.day)
    return first.reshape(tables.groups, persons)
