"""The persons of one block: sex, birth, frailty, residence, death and an unissuable CPR number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lakehouse.synthetic.catalogue import Catalogue
from lakehouse.synthetic.rates import (
    BANDS,
    BIRTHS_PER_1000,
    DEATHS_PER_1000,
    EMIGRANTS_PER_1000,
    IMMIGRANTS_PER_1000,
    Bools,
    Floats,
    Ints,
    Rates,
    population_by_band,
)

HOME_REGION = "1082"
NEVER = 10**6
"""A day after all days."""

CPR_SLOTS = 1999
"""Serial numbers for each birth date and sex; a block uses one of them, so numbers never clash."""


@dataclass(frozen=True)
class Calendar:
    """Days (since 1970-01-01) of the first and last day of the period and of every 1 January."""

    years: tuple[int, int]

    @property
    def starts(self) -> Ints:
        """1 January of each year of the period."""
        return np.array([day_of(year, 1, 1) for year in range(self.years[0], self.years[1] + 1)])

    @property
    def lengths(self) -> Ints:
        """Days in each year of the period."""
        return np.diff(np.append(self.starts, day_of(self.years[1] + 1, 1, 1)))

    @property
    def first(self) -> int:
        """First day."""
        return day_of(self.years[0], 1, 1)

    @property
    def last(self) -> int:
        """Last day."""
        return day_of(self.years[1], 12, 31)

    @property
    def count(self) -> int:
        """Number of years."""
        return self.years[1] - self.years[0] + 1


def day_of(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01."""
    return int((np.datetime64(f"{year:04d}-{month:02d}-{day:02d}") - np.datetime64("1970-01-01")).astype(int))


@dataclass(frozen=True)
class People:
    """Persons of one block; days are since 1970-01-01, ``NEVER`` where nothing happened.

    ``band`` is (persons, years): the age band in each year, -1 before birth. ``sex`` is 0 female, 1 male.
    ``former`` is the number a person went by before the day ``changed``; None in a region where nobody's changed.
    """

    cpr: Ints
    sex: Ints
    birth: Ints
    birth_year: Ints
    band: Ints
    frailty: Floats
    municipality: Ints
    moved: Ints
    immigrated: Ints
    emigrated: Ints
    returned: Ints
    death: Ints
    mother: Ints
    former: Ints | None = None
    changed: Ints | None = None

    @property
    def count(self) -> int:
        """Number of persons."""
        return len(self.cpr)

    def present(self, person: Ints, day: Ints) -> Bools:
        """Whether each (person, day) falls into a time of residence before death, within the period."""
        away = (day >= self.emigrated[person]) & (day < self.returned[person])
        start = np.maximum(self.birth, self.immigrated)
        return (day >= start[person]) & (day <= self.death[person]) & ~away


def make_people(
    rng: np.random.Generator, block: int, count: int, catalogue: Catalogue, rates: Rates
) -> People:
    """Draw ``count`` persons: residents on the first day, those born later, and immigrants, in no order."""
    calendar = Calendar(catalogue.years)
    span = calendar.count
    born_later = BIRTHS_PER_1000 / 1000 * span
    moved_in = IMMIGRANTS_PER_1000 / 1000 * span
    kind = rng.choice(3, count, p=np.array([1, born_later, moved_in]) / (1 + born_later + moved_in))
    sex = (rng.random(count) >= np.where(kind == 1, 0.487, 0.503)).astype(np.int64)
    band = rng.choice(BANDS, count, p=population_by_band() / population_by_band().sum())
    band = np.where(
        kind == 2, rng.choice([0, 3, 4, 5, 6, 7, 9], count, p=[0.1, 0.1, 0.25, 0.25, 0.15, 0.1, 0.05]), band
    )
    age = band * 5 + rng.integers(0, 5, count)
    birth = calendar.first - (age * 365.25 + rng.random(count) * 365.25).astype(np.int64) - 1
    birth = np.where(kind == 1, calendar.first + rng.integers(0, int(calendar.lengths.sum()), count), birth)
    birth = unique_births(birth, sex)
    birth_year = birth.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    years = np.arange(catalogue.years[0], catalogue.years[1] + 1)
    bands = np.minimum((years[None, :] - birth_year[:, None]) // 5, BANDS - 1)
    bands = np.where(years[None, :] < birth_year[:, None], -1, bands)
    frailty = rng.gamma(rates.frailty_shape, 1 / rates.frailty_shape, count)
    immigrated = np.where(
        kind == 2, calendar.first + rng.integers(0, int(calendar.lengths.sum()), count), -NEVER
    )
    death = first_day(rng, bands, sex, frailty, mortality(), calendar)
    death = np.where(death >= np.maximum(birth, immigrated), death, NEVER)
    emigrated = first_day(
        rng, bands, sex, np.ones(count), np.repeat(EMIGRANTS_PER_1000[:, None], 2, 1), calendar
    )
    emigrated = np.where(
        (emigrated > np.maximum(birth, immigrated) + 30) & (emigrated < death), emigrated, NEVER
    )
    back = emigrated + rng.integers(90, 1500, count)
    returned = np.where(
        (rng.random(count) < 0.35) & (emigrated < NEVER) & (back < calendar.last), back, NEVER + 1
    )
    death = np.where((death > emigrated) & (death < returned), NEVER, death)
    place, moved = residence(rng, count, catalogue, rates, np.maximum(birth, immigrated), calendar)
    return People(
        cpr=cpr_numbers(birth, birth_year, sex, block),
        sex=sex,
        birth=birth,
        birth_year=birth_year,
        band=bands,
        frailty=frailty,
        municipality=place,
        moved=moved,
        immigrated=immigrated,
        emigrated=emigrated,
        returned=returned,
        death=death,
        mother=mothers(rng, sex, birth, kind == 1),
    )


def mortality() -> Floats:
    """Deaths per 1,000 person-years, (bands, 2); men die at a higher rate in every band."""
    return np.stack([DEATHS_PER_1000 * 0.84, DEATHS_PER_1000 * 1.22], axis=1)


def first_day(
    rng: np.random.Generator, bands: Ints, sex: Ints, factor: Floats, per_1000: Floats, calendar: Calendar
) -> Ints:
    """Day of the first event of a process with yearly hazards by band and sex, ``NEVER`` when it stays away."""
    hazard = np.where(bands >= 0, per_1000[np.maximum(bands, 0), sex[:, None]] / 1000, 0.0) * factor[:, None]
    cumulated = np.cumsum(hazard, axis=1)
    draw = rng.exponential(1.0, len(sex))
    year = (cumulated <= draw[:, None]).sum(axis=1)
    inside = year < calendar.count
    year = np.minimum(year, calendar.count - 1)
    rows = np.arange(len(sex))
    rest = draw - (cumulated[rows, year] - hazard[rows, year])
    share = np.divide(rest, hazard[rows, year], out=np.zeros(len(sex)), where=hazard[rows, year] > 0)
    day = calendar.starts[year] + np.minimum(share, 0.9999) * calendar.lengths[year]
    return np.where(inside, day.astype(np.int64), NEVER)


def residence(
    rng: np.random.Generator, count: int, catalogue: Catalogue, rates: Rates, since: Ints, calendar: Calendar
) -> tuple[Ints, Ints]:
    """Municipality of each person, mostly of the home region, and the day of moving there."""
    size = np.array([float(row["population"]) for row in catalogue.municipalities])
    home = np.array([row["region"] == HOME_REGION for row in catalogue.municipalities])
    share = np.where(
        home, rates.home_share * size / size[home].sum(), (1 - rates.home_share) * size / size[~home].sum()
    )
    place = rng.choice(len(size), count, p=share)
    return place, np.maximum(since, calendar.last - rng.integers(0, 9000, count))


def unique_births(birth: Ints, sex: Ints) -> Ints:
    """Shift a birth by a few days where two persons of one block share date and sex (one CPR slot a block)."""
    taken: set[tuple[int, int]] = set()
    shifted = birth.copy()
    for row, (day, kind) in enumerate(zip(birth.tolist(), sex.tolist(), strict=True)):
        step = 0
        while (day - step, kind) in taken:
            step += 1
        taken.add((day - step, kind))
        shifted[row] = day - step
    return shifted


def cpr_numbers(birth: Ints, birth_year: Ints, sex: Ints, block: int) -> Ints:
    """Ten-digit numbers with 60 added to the day, so that no authority can ever have issued them.

    The seventh digit fits the century (0 to 3 before 2000, 4 to 7 from 2000), the last is odd for men.
    """
    date = birth.astype("datetime64[D]")
    month = date.astype("datetime64[M]").astype(np.int64) % 12 + 1
    day = (date - date.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1
    slot = 1 + (block * 1117 + birth * 733) % CPR_SLOTS
    serial = np.where(birth_year >= 2000, 4000, 0) + 2 * slot + sex
    number: Ints = (((day + 60) * 100 + month) * 100 + birth_year % 100) * 10_000 + serial
    return number


def mothers(rng: np.random.Generator, sex: Ints, birth: Ints, newborn: Bools) -> Ints:
    """Position of a mother aged 20 to 40 in the same block for those born in the period, -1 otherwise."""
    mother = np.full(len(sex), -1)
    women = np.flatnonzero((sex == 0) & ~newborn)
    if len(women) == 0:
        return mother
    for child in np.flatnonzero(newborn):
        candidate = women[rng.integers(0, len(women), 8)]
        age = (birth[child] - birth[candidate]) / 365.25
        fitting = candidate[(age > 20) & (age < 40)]
        mother[child] = fitting[0] if len(fitting) else -1
    return mother
