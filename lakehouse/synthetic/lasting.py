"""Lasting diseases with their visits, and out-patient controls after any diagnosis: what happens again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lakehouse.synthetic.hospital import (
    Contacts,
    HospitalTables,
    Records,
    pandemic,
    simple_contacts,
    weekday,
)
from lakehouse.synthetic.intensity import VISIT
from lakehouse.synthetic.population import NEVER, Calendar, People, day_of
from lakehouse.synthetic.rates import BANDS, Ints, Rates

REGISTER_CHANGE = day_of(2019, 3, 1)
"""From this day out-patient controls are contacts of their own; before, one diagnosis stood for the course."""
CHRONIC_YEARLY = 0.5
"""Visits a year for each lasting disease."""


@dataclass(frozen=True)
class LastingDiseases:
    """Lasting diseases: day of onset and of the first record, (persons, chronic codes), ``NEVER`` when absent."""

    onset: Ints
    first: Ints
    contacts: Contacts
    records: Records


def lasting(
    rng: np.random.Generator, people: People, tables: HospitalTables, calendar: Calendar
) -> LastingDiseases:
    """Onset by prevalence at the start and hazards afterwards; visits from then on; the first is the record."""
    onset = onsets(rng, people, tables, calendar)
    since = np.maximum(onset, calendar.first)
    span = np.maximum(calendar.last - since, 0)
    number = np.where(onset < NEVER, rng.poisson(CHRONIC_YEARLY * span / 365.25), 0)
    flat = np.repeat(np.arange(number.size), number.ravel())
    visit = since.ravel()[flat] + 1 + (rng.random(len(flat)) * span.ravel()[flat]).astype(np.int64)
    held = ((visit >= REGISTER_CHANGE) | (rng.random(len(flat)) < 0.6)) & pandemic(rng, visit)
    flat, visit = flat[held], visit[held]
    new = np.flatnonzero((onset >= calendar.first) & (onset < NEVER))
    flat, visit = np.concatenate([new, flat]), np.concatenate([onset.ravel()[new], weekday(visit)])
    width = len(tables.chronic)
    person = flat // width
    fits = people.present(person, visit) & (visit >= calendar.first) & (visit <= calendar.last)
    flat, person, visit = flat[fits], person[fits], visit[fits]
    first = np.full(onset.size, NEVER)
    np.minimum.at(first, flat, visit)
    contacts = simple_contacts(rng, person, visit, VISIT, flat)
    records = Records(np.arange(len(flat)), tables.chronic[flat % width])
    return LastingDiseases(onset, first.reshape(onset.shape), contacts, records)


def onsets(rng: np.random.Generator, people: People, tables: HospitalTables, calendar: Calendar) -> Ints:
    """Day of onset of every lasting disease, (persons, chronic codes).

    A disease present on the first day lies before the period. The chance is linear in frailty, as every
    other rate is, so that who has a disease differs from others by age, sex and frailty alone.
    """
    start_band = np.maximum(people.band[:, 0], 0)
    present = tables.prevalence[:, start_band, people.sex].T * people.frailty[:, None]
    before = rng.random(present.shape) < np.where(people.band[:, :1] >= 0, present, 0.0)
    growth = np.maximum(np.diff(tables.prevalence, axis=1, append=tables.prevalence[:, -1:]), 0) / 5
    hazard = growth + 0.012 * tables.prevalence
    onset = np.where(before, calendar.first - 1, NEVER)
    for year in range(calendar.count):
        band = people.band[:, year]
        rate = hazard[:, np.minimum(np.maximum(band, 0), BANDS - 1), people.sex].T * people.frailty[:, None]
        rate = rate * tables.chronic_drift[:, year][None, :] * (band >= 0)[:, None]
        day = calendar.starts[year] + (rng.random(rate.shape) * calendar.lengths[year]).astype(np.int64)
        begins = (onset == NEVER) & (rng.random(rate.shape) < 1 - np.exp(-rate))
        onset = np.where(begins, weekday(day), onset)
    return onset


def controls(
    rng: np.random.Generator,
    people: People,
    source: Contacts,
    records: Records,
    rates: Rates,
    calendar: Calendar,
) -> tuple[Contacts, Records]:
    """Out-patient controls of the same code in the half year after; delivered from the register change on."""
    number = rng.poisson(rates.controls, len(records.code))
    origin = np.repeat(np.arange(len(records.code)), number)
    contact = records.contact[origin]
    day = weekday(source.day[contact] + rng.integers(14, 180, len(origin)))
    person = source.person[contact]
    fits = people.present(person, day) & (day >= REGISTER_CHANGE) & (day <= calendar.last)
    origin, contact = origin[fits], contact[fits]
    table = simple_contacts(rng, person[fits], day[fits], VISIT, source.course[contact])
    return table, Records(np.arange(len(origin)), records.code[origin])
