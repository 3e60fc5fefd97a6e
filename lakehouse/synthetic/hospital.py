"""Hospital contacts of a block: occasions, chained stays and their candidate diagnoses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lakehouse.synthetic.catalogue import Catalogue, prevalence_by_band
from lakehouse.synthetic.intensity import (
    CODES_PER_CONTACT,
    EMERGENCY,
    STAY,
    VISIT,
    WINTER_SWING,
    Draw,
    Intensity,
    cell_of,
)
from lakehouse.synthetic.population import Calendar, People, day_of
from lakehouse.synthetic.rates import Bools, Floats, Ints


@dataclass(frozen=True)
class Contacts:
    """Contacts of a block. ``start`` and ``stop`` are minutes since 1970; ``stay`` numbers hospital stays, -1 else.

    ``course`` groups contacts of one course; ``acute`` marks emergency contacts and acute admissions.
    """

    person: Ints
    start: Ints
    stop: Ints
    setting: Ints
    stay: Ints
    course: Ints
    acute: Bools

    @property
    def day(self) -> Ints:
        """Day of the start."""
        return self.start // 1440

    def take(self, rows: Ints | Bools) -> Contacts:
        """The chosen contacts, in the order given."""
        return Contacts(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def join_contacts(parts: list[Contacts]) -> Contacts:
    """One table out of several."""
    return Contacts(
        *(np.concatenate([getattr(p, name) for p in parts]) for name in Contacts.__dataclass_fields__)
    )


@dataclass(frozen=True)
class Records:
    """Diagnoses: position of the contact and of the code."""

    contact: Ints
    code: Ints


@dataclass(frozen=True)
class HospitalTables:
    """What a worker builds once: candidate draws by setting and how many candidates a contact gets."""

    intensity: Intensity
    draws: tuple[Draw, Draw, Draw]
    inflation: Floats
    keep: Floats
    winter: Bools
    prevalence: Floats
    chronic: Ints
    chronic_drift: Floats


def build_tables(catalogue: Catalogue, intensity: Intensity, largest: Floats) -> HospitalTables:
    """Candidate tables: each code at its largest possible hazard, to be thinned to the true one.

    Thinning makes a planted hazard ratio exact whatever else shapes the hazard: age, season, frailty, bursts.
    """
    winter = catalogue.diagnoses.winter
    most = largest * np.where(winter, 1 + WINTER_SWING, 1.0)
    candidates = intensity.diagnoses * most
    flat = candidates.reshape(3, -1, candidates.shape[-1])
    plain = intensity.diagnoses.reshape(flat.shape).sum(axis=-1)
    return HospitalTables(
        intensity=intensity,
        draws=(Draw(flat[0]), Draw(flat[1]), Draw(flat[2])),
        inflation=np.divide(flat.sum(axis=-1), plain, out=np.ones_like(plain), where=plain > 0),
        keep=1 / largest,
        winter=winter,
        prevalence=np.stack([prevalence_by_band(catalogue, int(code)) for code in catalogue.chronic]),
        chronic=catalogue.chronic,
        chronic_drift=catalogue.diagnoses.drift[catalogue.chronic],
    )


def occasions(
    rng: np.random.Generator, people: People, per_year: Floats, calendar: Calendar
) -> tuple[Ints, Ints, Ints]:
    """Person, year and day of a Poisson process with (bands, 2) yearly rates times frailty; absences removed."""
    rate = np.where(people.band >= 0, per_year[np.maximum(people.band, 0), people.sex[:, None]], 0.0)
    number = rng.poisson(rate * people.frailty[:, None])
    flat = np.repeat(np.arange(number.size), number.ravel())
    person, year = flat // calendar.count, flat % calendar.count
    day = calendar.starts[year] + (rng.random(len(flat)) * calendar.lengths[year]).astype(np.int64)
    here = people.present(person, day)
    return person[here], year[here], day[here]


def pandemic(rng: np.random.Generator, day: Ints) -> Bools:
    """Which contacts took place in spite of the closures of 2020 and 2021."""
    spring = (day >= day_of(2020, 3, 12)) & (day < day_of(2020, 6, 1))
    winter = (day >= day_of(2020, 12, 15)) & (day < day_of(2021, 3, 1))
    kept: Bools = rng.random(len(day)) < np.where(spring, 0.6, np.where(winter, 0.85, 1.0))
    return kept


def weekday(day: Ints) -> Ints:
    """Move Saturdays to Friday and Sundays to Monday (1970-01-01 was a Thursday)."""
    position = (day + 3) % 7
    moved: Ints = day - (position == 5) + (position == 6)
    return moved


def simple_contacts(
    rng: np.random.Generator, person: Ints, day: Ints, setting: int, course: Ints
) -> Contacts:
    """Visits of about half an hour on working days, or emergency contacts of a few hours round the clock."""
    if setting == VISIT:
        minute = 480 + 15 * rng.integers(0, 28, len(day))
        length = 15 * rng.integers(1, 5, len(day))
    else:
        minute = rng.integers(30, 1410, len(day))
        length = rng.integers(40, 420, len(day))
    start = day * 1440 + minute
    acute = np.full(len(day), setting == EMERGENCY)
    return Contacts(
        person, start, start + length, np.full(len(day), setting), np.full(len(day), -1), course, acute
    )


def stay_contacts(rng: np.random.Generator, person: Ints, day: Ints) -> Contacts:
    """Hospital stays cut into ward contacts that follow one another within four hours."""
    count = len(day)
    nights = 1 + rng.geometric(0.28, count)
    segments = np.minimum(1 + rng.poisson(0.7, count), nights)
    stay = np.repeat(np.arange(count), segments)
    first = np.append(True, stay[1:] != stay[:-1]) if len(stay) else np.zeros(0, bool)
    begin = day * 1440 + rng.integers(7 * 60, 21 * 60, count)
    end = begin + nights * 1440 - rng.integers(0, 600, count)
    share = np.where(first, 0.0, rng.random(len(stay)))
    start = begin[stay] + (share * (end - begin)[stay]).astype(np.int64)
    order = np.lexsort((start, stay))
    start, stay = start[order], stay[order]
    stop = close_segments(rng, stay, start, end)
    acute = (rng.random(count) < 0.68)[stay]
    setting = np.full(len(stay), STAY)
    return Contacts(person[stay], start, stop, setting, stay, stay, acute)


def close_segments(rng: np.random.Generator, stay: Ints, start: Ints, end: Ints) -> Ints:
    """Each ward contact ends up to three hours before the next one begins, the last with the stay."""
    if len(stay) == 0:
        return start
    following = np.append(start[1:], 0)
    last = np.append(stay[1:] != stay[:-1], True)
    gap = rng.integers(0, 180, len(stay))
    result: Ints = np.where(last, np.maximum(end[stay], start + 30), np.maximum(following - gap, start + 5))
    return result


def episodic(
    rng: np.random.Generator, people: People, tables: HospitalTables, calendar: Calendar
) -> tuple[Contacts, Records, Floats]:
    """All occasions with their candidate diagnoses, and a uniform number for each candidate to be thinned by.

    Season is applied here; what remains to apply is the planted effect (``tables.keep`` when there is none).
    """
    contacts: list[Contacts] = []
    records: list[Records] = []
    offset = 0
    for setting in (VISIT, EMERGENCY, STAY):
        person, year, day = occasions(rng, people, tables.intensity.contacts[setting], calendar)
        open_door = pandemic(rng, day)
        person, year, day = person[open_door], year[open_door], day[open_door]
        cell = cell_of(people.band[person, year], people.sex[person], year, calendar.count)
        marks = rng.poisson(CODES_PER_CONTACT[setting] * tables.inflation[setting][cell])
        occasion = np.repeat(np.arange(len(day)), marks)
        code = tables.draws[setting].codes(cell[occasion], rng.random(len(occasion)))
        if setting == STAY:
            part = stay_contacts(rng, person, day)
            sizes = np.bincount(part.stay, minlength=len(day))
            begins = np.cumsum(sizes) - sizes
            contact = begins[occasion] + (rng.random(len(occasion)) * sizes[occasion]).astype(np.int64)
        else:
            shifted = weekday(day) if setting == VISIT else day
            part = simple_contacts(rng, person, shifted, setting, np.arange(len(day)))
            contact = occasion
        contacts.append(part)
        records.append(Records(contact + offset, code))
        offset += len(part.person)
    table = join_contacts(contacts)
    record = Records(np.concatenate([r.contact for r in records]), np.concatenate([r.code for r in records]))
    day = table.day[record.contact]
    season = (1 + WINTER_SWING * np.cos(2 * np.pi * day_in_year(day) / 365.25)) / (1 + WINTER_SWING)
    kept = ~tables.winter[record.code] | (rng.random(len(day)) < season)
    kept &= (
        people.present(table.person[record.contact], day) & (day >= calendar.first) & (day <= calendar.last)
    )
    record = Records(record.contact[kept], record.code[kept])
    return table, record, rng.random(len(record.code))


def day_in_year(day: Ints) -> Ints:
    """Days since 1 January of the same year."""
    date = day.astype("datetime64[D]")
    result: Ints = (date - date.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)
    return result
