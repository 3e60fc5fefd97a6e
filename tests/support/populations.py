"""Who lives in a test world, how often they go to care, and what is coded there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.persons import Persons

FIRST_DAY = 17_167
"""2017-01-01."""
DAYS = 2_922
"""Eight years."""
QUARTERS = 32
BREAK = 9
"""Quarter in which codes are replaced by others: the second of 2019."""
AGE_BINS = 52
HORIZON = 1_826
SETTINGS = 6
INPATIENT, OUTPATIENT, EMERGENCY, PRIMARY, PHARMACY, LABORATORY = range(SETTINGS)
REGISTER = 7
_VISITS_A_YEAR = (0.0, 0.50, 0.10, 0.28, 0.34, 0.18)
_STAYS_A_YEAR = 0.10
_LARGEST_SHARE = 0.01
"""Of what is coded in one setting at one age and sex."""


class Slots(NamedTuple):
    """Every occasion on which one code is written down: by whom, when, where, among which codes, which."""

    person: NDArray[np.int32]
    day: NDArray[np.int32]
    setting: NDArray[np.int8]
    cell: NDArray[np.int32]
    code: NDArray[np.int32]


class People(NamedTuple):
    """Persons by number, ordered by sex and birth year; days count from the first of the world."""

    sex: NDArray[np.int8]
    birth_year: NDArray[np.int16]
    half: NDArray[np.int8]
    frailty: NDArray[np.float64]
    last_day: NDArray[np.int32]
    dies: NDArray[np.bool_]


class Coding(NamedTuple):
    """Chance of each code by cell (setting, sex, age, quarter), and what makes codes alike."""

    chance: NDArray[np.float64]
    age_slope: NDArray[np.float64]
    sex_lean: NDArray[np.float64]
    drift: NDArray[np.float64]
    stay_lean: NDArray[np.float64]
    recoded: NDArray[np.int64]


def simulate(
    rng: np.random.Generator, persons: int, codes: int, bursts: bool, busier: float = 1.0
) -> tuple[People, Coding, Slots]:
    """Persons, what codes depend on, and every occasion on which a code was written down before death.

    ``busier`` multiplies how often everybody goes to care: 1 gives about 18 events a person, 10 a region's 200.
    """
    people = _people(rng, persons)
    people = people._replace(frailty=people.frailty * busier)
    coding = _coding(rng, codes)
    return people, coding, _occasions(rng, people, coding, np.cumsum(coding.chance, axis=1), bursts)


def in_blocks(
    seed: int, persons: int, codes: int, block: int = 200_000, busier: float = 1.0, even: bool = False
) -> Iterator[Persons]:
    """A null world with stays, in order of sex and birth year, of which no more than a block is ever in memory.

    ``busier`` multiplies how often everybody goes to care; in an ``even`` world persons of one age and sex go equally
    often. Otherwise frailty makes every two codes alike once they are common enough, and thousands of pairs are significant.
    """
    rng = np.random.default_rng(seed)
    people, coding = _people(rng, persons), _coding(rng, codes)
    people = people._replace(frailty=(np.ones(persons) if even else people.frailty) * busier)
    cumulative = np.cumsum(coding.chance, axis=1)
    for start in range(0, persons, block):
        part = People(*(column[start : start + block] for column in people))
        yield as_persons(part, _occasions(rng, part, coding, cumulative, bursts=True), codes)


def _occasions(
    rng: np.random.Generator, people: People, coding: Coding, cumulative: NDArray[np.float64], bursts: bool
) -> Slots:
    """Every occasion on which a code was written down; ``cumulative`` sums up the chances of each cell."""
    person, day, setting = _visits(rng, people)
    if bursts:
        stays = _stays(rng, people)
        person, day, setting = (
            np.concatenate(both) for both in zip((person, day, setting), stays, strict=True)
        )
    alive = day <= people.last_day[person]
    person, day, setting = person[alive], day[alive], setting[alive]
    age = 2017 + day // 365.25 - people.birth_year[person]
    cell = _cell(setting, people.sex[person], age, np.minimum(day * QUARTERS // DAYS, QUARTERS - 1))
    code = np.empty(len(cell), np.int32)
    _draw(cumulative, cell, rng.random(len(cell)), code)
    return Slots(person, day, setting, cell, code)


def _people(rng: np.random.Generator, persons: int) -> People:
    sex = rng.integers(1, 3, persons).astype(np.int8)
    birth_year = (2016 - 95 * rng.beta(1.15, 1.5, persons)).astype(np.int16)
    order = np.lexsort((birth_year, sex))
    sex, birth_year = sex[order], birth_year[order]
    frailty = rng.gamma(2.0, 0.5, persons)
    age = 2017.0 - birth_year
    start = 4e-5 * np.exp(0.09 * age) * np.sqrt(frailty) * np.where(sex == 2, 1.3, 1.0)
    years = np.log1p(0.09 * rng.exponential(size=persons) / start) / 0.09
    dies = years < DAYS / 365.25
    last_day = np.where(dies, years * 365.25, DAYS - 1).astype(np.int32)
    return People(sex, birth_year, rng.integers(0, 2, persons).astype(np.int8), frailty, last_day, dies)


def _use(people: People) -> NDArray[np.float64]:
    """How much more than the average a person uses care."""
    age = 2021.0 - people.birth_year
    use: NDArray[np.float64] = (
        people.frailty * np.exp(0.018 * (age - 45)) * np.where(people.sex == 1, 1.1, 0.9)
    )
    return use


def _visits(rng: np.random.Generator, people: People) -> tuple[NDArray[np.generic], ...]:
    persons, days, settings = [], [], []
    for setting, rate in enumerate(_VISITS_A_YEAR):
        visits = rng.poisson(rate * DAYS / 365.25 * _use(people))
        person = np.repeat(np.arange(len(visits), dtype=np.int32), visits)
        day = rng.integers(0, DAYS, len(person)).astype(np.int32)
        codes = 1 + rng.poisson(0.35, len(person))
        persons.append(np.repeat(person, codes))
        days.append(np.repeat(day, codes))
        settings.append(np.full(codes.sum(), setting, np.int8))
    return np.concatenate(persons), np.concatenate(days), np.concatenate(settings)


def _stays(rng: np.random.Generator, people: People) -> tuple[NDArray[np.generic], ...]:
    """Stays come to those who use much, and to some more than their use tells; codes fall on days of the stay."""
    own = rng.gamma(2.0, 0.5, len(people.sex))
    stays = rng.poisson(_STAYS_A_YEAR * DAYS / 365.25 * _use(people) * own)
    person = np.repeat(np.arange(len(stays), dtype=np.int32), stays)
    start = rng.integers(0, DAYS, len(person)).astype(np.int32)
    length = rng.geometric(0.25, len(person))
    codes = 2 + rng.poisson(4, len(person))
    offset = (rng.random(codes.sum()) * np.repeat(length, codes)).astype(np.int32)
    day = np.minimum(np.repeat(start, codes) + offset, DAYS - 1)
    return np.repeat(person, codes), day.astype(np.int32), np.full(codes.sum(), INPATIENT, np.int8)


def _cell(
    setting: NDArray[np.int8], sex: NDArray[np.int8], age: NDArray[np.float64], quarter: NDArray[np.int32]
) -> NDArray[np.int32]:
    age_bin = np.clip(age // 2, 0, AGE_BINS - 1).astype(np.int32)
    cell: NDArray[np.int32] = (
        (setting.astype(np.int32) * 2 + sex - 1) * AGE_BINS + age_bin
    ) * QUARTERS + quarter
    return cell


def _coding(rng: np.random.Generator, codes: int) -> Coding:
    """Popularity falls off with rank; slopes per decade of age, leans to a sex, drifts per year, settings."""
    popularity = -np.log(rng.permutation(codes) + 150.0)
    age_slope = rng.normal(0, 0.25, codes)
    sex_lean = np.where(rng.random(codes) < 0.15, rng.normal(0, 1.2, codes), rng.normal(0, 0.2, codes))
    drift = np.where(rng.random(codes) < 0.3, rng.normal(0, 0.15, codes), 0.0)
    setting_lean = rng.normal(0, 0.6, (SETTINGS, codes))
    recoded = rng.permutation(codes)[: 2 * (codes // 80)].reshape(-1, 2)
    popularity[recoded[:, 1]] = popularity[recoded[:, 0]]
    by_time = np.outer(np.arange(QUARTERS) / 4 - 4, drift)
    by_time[BREAK:, recoded[:, 0]] = by_time[:BREAK, recoded[:, 1]] = -np.inf
    by_age = np.outer((np.arange(AGE_BINS) * 2 + 1 - 45) / 10, age_slope)
    by_sex = np.array([0.5, -0.5])[:, None] * sex_lean
    weight = np.exp(
        popularity
        + setting_lean[:, None, None, None, :]
        + by_sex[None, :, None, None, :]
        + by_age[None, None, :, None, :]
        + by_time[None, None, None, :, :]
    ).reshape(-1, codes)
    weight /= weight.sum(axis=1, keepdims=True)
    np.minimum(weight, _LARGEST_SHARE, out=weight)
    weight /= weight.sum(axis=1, keepdims=True)
    return Coding(weight, age_slope, sex_lean, drift, setting_lean[INPATIENT], recoded)


@compiled
def _draw(
    cumulative: NDArray[np.float64],
    cells: NDArray[np.int32],
    uniform: NDArray[np.float64],
    codes: NDArray[np.int32],
) -> None:
    """Code of each slot by inversion of its cell's distribution."""
    last = cumulative.shape[1] - 1
    for at in range(len(cells)):
        low, high = 0, last
        wanted = uniform[at] * cumulative[cells[at], last]
        while low < high:
            middle = (low + high) // 2
            if cumulative[cells[at], middle] > wanted:
                high = middle
            else:
                low = middle + 1
        codes[at] = low


def as_persons(people: People, slots: Slots, codes: int) -> Persons:
    """Distinct (day, code) of every person in order, with death as one more code."""
    dead = np.flatnonzero(people.dies).astype(np.int32)
    person = np.concatenate([slots.person, dead]).astype(np.int64)
    day = np.concatenate([slots.day, people.last_day[dead]]).astype(np.int64)
    code = np.concatenate([slots.code, np.full(len(dead), codes, np.int32)]).astype(np.int64)
    setting = np.concatenate([slots.setting, np.full(len(dead), REGISTER, np.int8)]).astype(np.int64)
    key = ((person * DAYS + day) * (codes + 1) + code) * 8 + setting
    key.sort()
    event, setting = key >> 3, (key & 7).astype(np.int8)
    kept = np.concatenate([[True], event[1:] != event[:-1]])
    event, setting = event[kept], setting[kept]
    rest, code = np.divmod(event, codes + 1)
    person, day = np.divmod(rest, DAYS)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(person, minlength=len(people.sex)))])
    return Persons(
        offsets.astype(np.int64),
        code.astype(np.int32),
        (day + FIRST_DAY).astype(np.int32),
        setting,
        people.sex,
        people.birth_year,
        people.half,
    )
