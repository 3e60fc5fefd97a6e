"""One block of persons with everything that happened to them: a pure function of (seed, block)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lakehouse.synthetic import hospital, laboratory, medicine
from lakehouse.synthetic import lasting as recurring
from lakehouse.synthetic.catalogue import Catalogue
from lakehouse.synthetic.effects import apply_effects
from lakehouse.synthetic.hospital import Contacts, Records, join_contacts
from lakehouse.synthetic.intensity import STAY, VISIT, Draw, Intensity, build_intensity, cell_of
from lakehouse.synthetic.laboratory import Results
from lakehouse.synthetic.lasting import LastingDiseases
from lakehouse.synthetic.medicine import Dispensings
from lakehouse.synthetic.plan import Plan, draw_plan
from lakehouse.synthetic.population import Calendar, People, make_people
from lakehouse.synthetic.rates import Bools, Ints, Rates

PROCEDURES_AT = np.array([0.9, 1.1, 1.8])
"""Relative number of procedures at visits, emergency contacts and ward contacts of a stay."""
KNOWN_DISEASE_AT = np.array([0.55, 0.5, 0.9])
"""Chance that a lasting disease already known is listed as a secondary diagnosis."""


SHORTEST_STAY = 14 * 60
"""Minutes."""
KNOWN_TRIES = 16
"""Lasting diseases looked at in search of one the person has."""


@dataclass(frozen=True)
class World:
    """What every block is made from; built once in each worker."""

    seed: int
    catalogue: Catalogue
    rates: Rates
    intensity: Intensity
    plan: Plan
    hospital: hospital.HospitalTables
    medicine: medicine.MedicineTables
    laboratory: laboratory.LaboratoryTables
    procedures: tuple[Draw, Draw, Draw]

    @property
    def calendar(self) -> Calendar:
        """The period."""
        return Calendar(self.catalogue.years)


@dataclass(frozen=True)
class Procedures:
    """Procedures: position of the contact and of the code, minute of the start."""

    contact: Ints
    code: Ints
    minute: Ints


@dataclass(frozen=True)
class Block:
    """Persons and their events. ``records`` starts with each contact's main diagnosis where ``main`` is true."""

    number: int
    people: People
    contacts: Contacts
    records: Records
    main: Bools
    procedures: Procedures
    dispensings: Dispensings
    results: Results
    lasting: LastingDiseases


def build_world(catalogue: Catalogue, rates: Rates, seed: int, plan: Plan | None = None) -> World:
    """All tables of a region; ``plan`` replaces the drawn truth (an empty one gives a null world)."""
    intensity = build_intensity(catalogue, rates)
    chosen = draw_plan(catalogue, intensity, rates, seed) if plan is None else plan
    return World(
        seed=seed,
        catalogue=catalogue,
        rates=rates,
        intensity=intensity,
        plan=chosen,
        hospital=hospital.build_tables(
            catalogue, intensity, chosen.largest_ratio(len(catalogue.diagnoses.code))
        ),
        medicine=medicine.build_tables(catalogue, intensity, rates),
        laboratory=laboratory.build_tables(catalogue, intensity.sampling),
        procedures=procedure_draws(catalogue),
    )


def procedure_draws(catalogue: Catalogue) -> tuple[Draw, Draw, Draw]:
    """Draw tables of procedures by setting and (band, sex)."""
    table = catalogue.procedures
    weights = np.einsum("c,cb,cx,cs->sbxc", table.weight, table.age, table.sex, table.lean)
    flat = weights.reshape(3, -1, weights.shape[-1])
    return Draw(flat[0]), Draw(flat[1]), Draw(flat[2])


def make_block(world: World, number: int, count: int) -> Block:
    """Simulate one block; every part has its own random stream, so that one part's size moves no other."""
    streams = [np.random.default_rng([world.seed, number, part]) for part in range(8)]
    calendar = world.calendar
    people = make_people(streams[0], number, count, world.catalogue, world.rates)
    lasting = recurring.lasting(streams[1], people, world.hospital, calendar)
    lines = medicine.dispense(streams[2], people, lasting.onset, lasting.first, world.medicine, calendar)
    contacts, candidates, uniform = hospital.episodic(streams[3], people, world.hospital, calendar)
    kept = apply_effects(
        world.plan,
        people.count,
        contacts,
        candidates,
        uniform,
        world.hospital.keep,
        {int(code): lasting.first[:, k] for k, code in enumerate(world.hospital.chronic)},
        medicine.first_by_group(lines, people.count, world.medicine),
    )
    contacts, records = settle(people, contacts, Records(candidates.contact[kept], candidates.code[kept]))
    own = len(contacts.person)
    visits, repeats = recurring.controls(streams[4], people, contacts, records, world.rates, calendar)
    table = join_contacts([contacts, shift_course(lasting.contacts, 1), shift_course(visits, 2, contacts)])
    visit, control = own, own + len(lasting.contacts.person)
    listed = join_records([(records, 0), (lasting.records, visit), (repeats, control)])
    second = known_diseases(streams[5], table, listed, lasting, world)
    all_records = distinct(join_records([(listed, 0), (second, 0)]))
    table, all_records, number_of = in_time(table, all_records)
    main = np.zeros(len(all_records.code), bool)
    main[np.unique(all_records.contact, return_index=True)[1]] = True
    results = laboratory.measure(streams[6], people, lasting.onset, world.laboratory, calendar)
    done = make_procedures(streams[7], people, contacts, world)
    procedures = Procedures(number_of[done.contact], done.code, done.minute)
    return Block(number, people, table, all_records, main, procedures, lines, results, lasting)


def in_time(contacts: Contacts, records: Records) -> tuple[Contacts, Records, Ints]:
    """Contacts in the order of their start, records moved along, and the new position of each contact."""
    order = np.argsort(contacts.start, kind="stable")
    position = np.empty_like(order)
    position[order] = np.arange(len(order))
    return contacts.take(order), Records(position[records.contact], records.code), position


def shift_course(contacts: Contacts, kind: int, source: Contacts | None = None) -> Contacts:
    """Keep the course numbers of different kinds apart: 10 million each; controls stay in their source's course."""
    if source is not None:
        return contacts
    return Contacts(**{**contacts.__dict__, "course": contacts.course + kind * 10_000_000})


def settle(people: People, contacts: Contacts, records: Records) -> tuple[Contacts, Records]:
    """Drop contacts without a diagnosis; a stay keeps its length, its remaining ward contacts close the gaps."""
    has = np.zeros(len(contacts.person), bool)
    has[records.contact] = True
    stop = contacts.stop.copy()
    ward = np.flatnonzero(contacts.setting == STAY)
    if len(ward):
        stays = int(contacts.stay[ward].max()) + 1
        leaving = np.zeros(stays, np.int64)
        np.maximum.at(leaving, contacts.stay[ward], contacts.stop[ward])
        kept = ward[has[ward]]
        entering = np.full(stays, np.iinfo(np.int64).max)
        np.minimum.at(entering, contacts.stay[kept], contacts.start[kept])
        leaving = np.maximum(leaving, np.minimum(entering, leaving) + SHORTEST_STAY)
        same = np.append(contacts.stay[kept][1:] == contacts.stay[kept][:-1], False)
        following = np.append(contacts.start[kept][1:], 0)
        gapless = np.maximum(stop[kept], following - 120)
        stop[kept] = np.where(same, gapless, leaving[contacts.stay[kept]])
    stop = np.minimum(stop, np.maximum(people.death[contacts.person] * 1440 + 1439, contacts.start + 1))
    number = np.cumsum(has) - 1
    course = unique_courses(contacts)
    table = Contacts(**{**contacts.__dict__, "stop": stop, "course": course}).take(has)
    return table, Records(number[records.contact], records.code)


def unique_courses(contacts: Contacts) -> Ints:
    """A course number for each occasion: settings apart by 2.5 million."""
    numbers: Ints = contacts.course + contacts.setting * 2_500_000
    return numbers


def join_records(parts: list[tuple[Records, int]]) -> Records:
    """One table out of several, each with the position of its first contact."""
    return Records(
        np.concatenate([records.contact + offset for records, offset in parts]),
        np.concatenate([records.code for records, _ in parts]),
    )


def distinct(records: Records) -> Records:
    """Each code once a contact, the first of them in its place."""
    once = np.sort(np.unique(records.contact * 10_000 + records.code, return_index=True)[1])
    return Records(records.contact[once], records.code[once])


def known_diseases(
    rng: np.random.Generator, contacts: Contacts, listed: Records, lasting: LastingDiseases, world: World
) -> Records:
    """Lasting diseases recorded before, listed again as secondary diagnoses (never a first record)."""
    main = np.full(len(contacts.person), -1)
    main[listed.contact[::-1]] = listed.code[::-1]
    wanted = np.flatnonzero(rng.random(len(contacts.person)) < KNOWN_DISEASE_AT[contacts.setting])
    column = rng.integers(0, len(world.hospital.chronic), (len(wanted), KNOWN_TRIES))
    known = lasting.first[contacts.person[wanted][:, None], column] < contacts.day[wanted][:, None]
    known &= world.hospital.chronic[column] != main[wanted][:, None]
    rows = np.flatnonzero(known.any(axis=1))
    pick = column[rows, np.argmax(known[rows], axis=1)]
    return Records(wanted[rows], world.hospital.chronic[pick])


def make_procedures(rng: np.random.Generator, people: People, contacts: Contacts, world: World) -> Procedures:
    """Procedures of contacts, by age and sex alone (no diagnosis brings its own), many done more than once."""
    mean = PROCEDURES_AT[contacts.setting] * world.rates.procedures
    contact = np.repeat(np.arange(len(contacts.person)), rng.poisson(mean))
    original = len(contact)
    again = np.repeat(np.arange(original), rng.poisson(world.rates.repeated, original))
    year = contacts.day[contact].astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    person = contacts.person[contact]
    band = people.band[person, year - world.calendar.years[0]]
    cell = cell_of(band, people.sex[person], np.zeros_like(band), 1)
    code = np.zeros(len(contact), np.int64)
    for setting in (VISIT, 1, STAY):
        rows = contacts.setting[contact] == setting
        code[rows] = world.procedures[setting].codes(cell[rows], rng.random(int(rows.sum())))
    contact, code = np.concatenate([contact, contact[again]]), np.concatenate([code, code[again]])
    return Procedures(contact, code, contacts.start[contact] + rng.integers(0, 15, len(contact)))
