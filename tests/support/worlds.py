"""Worlds of persons whose truth is known: null ones, where nothing causes anything, and planted ones.

A person goes to care more or less often (frailty, age, sex), in visits and, if wanted, in hospital stays that
bring many codes within days. What is coded there depends on setting, age, sex and calendar time alone, so no
code causes another, however strongly two of them go together. Effects are planted on top, one risk ratio each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
"""Of what is coded in one setting at one age and sex. A code that a large part of all persons has is compared
with persons most of whom have it: z then spreads less than 1, since V does not know of it."""


class Effect(NamedTuple):
    """One planted effect: b within the horizon after a is ``rr`` times as likely as it would be.

    ``expected`` is E without the effect, Σ of the persons' true risks over exposures of a at risk of b.
    """

    a: int
    b: int
    rr: float
    expected: float


@dataclass
class Truth:
    """What holds in a world: planted effects, pairs that follow from two of them, and pairs only alike."""

    planted: list[Effect] = field(default_factory=list)
    induced: list[tuple[int, int]] = field(default_factory=list)
    decoys: dict[str, list[tuple[int, int]]] = field(default_factory=dict)


@dataclass
class World:
    """Persons with the truth about them; the last code is death."""

    persons: Persons
    n_codes: int
    truth: Truth

    @property
    def death(self) -> int:
        """The code nothing can follow."""
        return self.n_codes - 1


class _Slots(NamedTuple):
    """Every occasion on which one code is written down: by whom, when, where, among which codes, which."""

    person: NDArray[np.int32]
    day: NDArray[np.int32]
    setting: NDArray[np.int8]
    cell: NDArray[np.int32]
    code: NDArray[np.int32]


class _People(NamedTuple):
    sex: NDArray[np.int8]
    birth_year: NDArray[np.int16]
    half: NDArray[np.int8]
    frailty: NDArray[np.float64]
    last_day: NDArray[np.int32]
    dies: NDArray[np.bool_]


class _Coding(NamedTuple):
    """Chance of each code by cell (setting, sex, age, quarter), and what makes codes alike."""

    chance: NDArray[np.float64]
    age_slope: NDArray[np.float64]
    sex_lean: NDArray[np.float64]
    drift: NDArray[np.float64]
    stay_lean: NDArray[np.float64]
    recoded: NDArray[np.int64]


def null_world(seed: int, *, bursts: bool, persons: int = 200_000, codes: int = 1200) -> World:
    """A world without any effect."""
    rng = np.random.default_rng(seed)
    people, coding, slots = _base(rng, persons, codes, bursts)
    return World(_as_persons(people, slots, codes), codes + 1, Truth(decoys=_decoys(rng, coding, set())))


def planted_world(
    seed: int,
    *,
    persons: int = 200_000,
    codes: int = 1200,
    harmful: int = 40,
    protective: int = 20,
    chains: int = 10,
) -> World:
    """A world with planted pairs (harmful RR 1.5-5, protective 0.3-0.7), three-step chains and decoys."""
    rng = np.random.default_rng(seed)
    people, coding, slots = _base(rng, persons, codes, bursts=True)
    truth = Truth()
    free = [
        int(code) for code in rng.permutation(_common(slots, codes)) if code not in set(coding.recoded.flat)
    ]
    for kind in ["harm"] * harmful + ["guard"] * protective:
        rr = (
            float(np.exp(rng.uniform(np.log(1.5), np.log(5))))
            if kind == "harm"
            else float(rng.uniform(0.3, 0.7))
        )
        slots = _plant(rng, people, coding, slots, free.pop(), free.pop(), rr, truth)
    for _ in range(chains):
        a, b, c = free.pop(), free.pop(), free.pop()
        for first, second in ((a, b), (b, c)):
            slots = _plant(rng, people, coding, slots, first, second, float(rng.uniform(2, 5)), truth)
        truth.induced.append((a, c))
    used = {code for effect in truth.planted for code in (effect.a, effect.b)}
    truth.decoys = _decoys(rng, coding, used)
    return World(_as_persons(people, slots, codes), codes + 1, truth)


def _base(
    rng: np.random.Generator, persons: int, codes: int, bursts: bool
) -> tuple[_People, _Coding, _Slots]:
    people = _people(rng, persons)
    coding = _coding(rng, codes)
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
    _draw(np.cumsum(coding.chance, axis=1), cell, rng.random(len(cell)), code)
    return people, coding, _Slots(person, day, setting, cell, code)


def _people(rng: np.random.Generator, persons: int) -> _People:
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
    return _People(sex, birth_year, rng.integers(0, 2, persons).astype(np.int8), frailty, last_day, dies)


def _use(people: _People) -> NDArray[np.float64]:
    """How much more than the average a person uses care."""
    age = 2021.0 - people.birth_year
    use: NDArray[np.float64] = (
        people.frailty * np.exp(0.018 * (age - 45)) * np.where(people.sex == 1, 1.1, 0.9)
    )
    return use


def _visits(rng: np.random.Generator, people: _People) -> tuple[NDArray[np.generic], ...]:
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


def _stays(rng: np.random.Generator, people: _People) -> tuple[NDArray[np.generic], ...]:
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


def _coding(rng: np.random.Generator, codes: int) -> _Coding:
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
    return _Coding(weight, age_slope, sex_lean, drift, setting_lean[INPATIENT], recoded)


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


def _common(slots: _Slots, codes: int) -> NDArray[np.int64]:
    """Codes frequent enough to carry an effect that could be seen."""
    return np.argsort(np.bincount(slots.code, minlength=codes))[codes // 3 :]


def _plant(
    rng: np.random.Generator,
    people: _People,
    coding: _Coding,
    slots: _Slots,
    a: int,
    b: int,
    rr: float,
    truth: Truth,
) -> _Slots:
    """Make b after a ``rr`` times as likely as its slots have it, for every exposed person at risk.

    A person's risk follows from the slots in the horizon: 1 - Π(1 - chance of b). Less risk: all b in the
    horizon are struck out with probability 1 - rr. More: a person without b gets one, at a slot drawn by its
    chance, with the probability that makes the risk ``rr`` times what it was, or certain where that is over 1:
    the truth says which ratio was reached over all exposed.
    """
    n = len(people.sex)
    first_a, first_b = (_first_days(slots, code, n) for code in (a, b))
    exposed = (first_a < DAYS) & (first_b > first_a)
    start = first_a[slots.person]
    inside = np.flatnonzero(exposed[slots.person] & (slots.day > start) & (slots.day <= start + HORIZON))
    chance = coding.chance[slots.cell[inside], b]
    risk = -np.expm1(np.bincount(slots.person[inside], weights=np.log1p(-chance), minlength=n))
    expected = float(risk[exposed].sum())
    reached = float(np.minimum(rr * risk[exposed], 1.0).sum()) / expected if expected > 0 else rr
    truth.planted.append(Effect(a, b, reached, expected))
    has = exposed & (first_b <= first_a + HORIZON)
    if rr < 1:
        struck = has & (rng.random(n) < 1 - rr)
        out = np.zeros(len(slots.code), bool)
        out[inside] = (slots.code[inside] == b) & struck[slots.person[inside]]
        return _Slots(*(column[~out] for column in slots))
    chosen = exposed & ~has & (rng.random(n) * (1 - risk) < (rr - 1) * risk)
    mine = inside[chosen[slots.person[inside]]]
    mine = mine[np.argsort(slots.person[mine], kind="stable")]
    weight = np.cumsum(coding.chance[slots.cell[mine], b])
    ends = np.cumsum(np.bincount(slots.person[mine], minlength=n)[chosen])
    base = np.concatenate([[0.0], weight[ends[:-1] - 1]]) if len(ends) else np.zeros(0)
    top = weight[ends - 1] if len(ends) else base
    drawn = mine[np.minimum(np.searchsorted(weight, base + rng.random(len(ends)) * (top - base)), ends - 1)]
    added = _Slots(*(column[drawn] for column in slots))._replace(code=np.full(len(drawn), b, np.int32))
    return _Slots(*(np.concatenate(both) for both in zip(slots, added, strict=True)))


def _first_days(slots: _Slots, code: int, persons: int) -> NDArray[np.int32]:
    first = np.full(persons, 10 * DAYS, np.int32)
    mine = slots.code == code
    np.minimum.at(first, slots.person[mine], slots.day[mine])
    return first


def _decoys(rng: np.random.Generator, coding: _Coding, used: set[int]) -> dict[str, list[tuple[int, int]]]:
    """Pairs that go together by age, sex, calendar time or use of hospital alone."""
    alike = {
        "age": np.argsort(coding.age_slope)[-40:],
        "sex": np.argsort(coding.sex_lean)[-40:],
        "calendar": np.argsort(coding.drift)[-40:],
        "utilisation": np.argsort(coding.stay_lean)[-40:],
    }
    decoys = {}
    for kind, codes in alike.items():
        left = [int(code) for code in rng.permutation(codes) if int(code) not in used]
        decoys[kind] = list(zip(left[0::2], left[1::2], strict=False))
    replaced = [(int(old), int(new)) for old, new in coding.recoded if not {int(old), int(new)} & used]
    decoys["calendar"] += replaced
    return decoys


def _as_persons(people: _People, slots: _Slots, codes: int) -> Persons:
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
