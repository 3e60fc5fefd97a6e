"""The pair scan as its definition reads, in plain Python: slow, obvious, and the judge of the fast one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta

PRIOR_CUTS = (0, 1, 2, 4, 7, 11, 18, 30)
BUSY_CUTS = (1, 2, 3, 4, 6, 8, 11, 16)
"""Fixed bands, for tests of what follows from bands however they were cut."""
HORIZON = 1826

Stratum = tuple[int, int, int, int, int]
Cuts = tuple[tuple[int, ...], tuple[int, ...], int]
FIXED_CUTS: Cuts = (PRIOR_CUTS, BUSY_CUTS, 12)


@dataclass
class Person:
    """One person: raw records (day, code, setting), -1 where unknown, in any order, repeats allowed."""

    sex: int
    birth_year: int
    half: int
    records: list[tuple[int, int, int]]


@dataclass
class Exposure:
    """A person's first day of a code, with the stratum it falls into."""

    person: int
    code: int
    day: int
    stratum: Stratum


@dataclass
class Answer:
    """Everything the definition names, by pair or by stratum and code."""

    at_risk: dict[tuple[Stratum, int], int] = field(default_factory=lambda: defaultdict(int))
    outcomes: dict[tuple[Stratum, int], int] = field(default_factory=lambda: defaultdict(int))
    observed: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))
    expected: dict[tuple[int, int], float] = field(default_factory=lambda: defaultdict(float))
    variance: dict[tuple[int, int], float] = field(default_factory=lambda: defaultdict(float))
    same_day: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))
    persons_with: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    own: dict[int, tuple[float, float]] = field(default_factory=dict)


def year_of(day: int) -> int:
    """Calendar year of a day counted from 1970-01-01."""
    return (date(1970, 1, 1) + timedelta(days=day)).year


def band(cuts: tuple[int, ...], number: int) -> int:
    """Which band a number falls into: the last whose cut it reaches."""
    found = 0
    for place, cut in enumerate(cuts):
        if number >= cut:
            found = place
    return found


def first_days(person: Person) -> dict[int, int]:
    """t(code) of every code the person has."""
    days: dict[int, int] = {}
    for day, code, _ in person.records:
        days[code] = min(day, days.get(code, day))
    return days


def cuts_of(persons: list[Person], washout: int = 0) -> Cuts:
    """Where bands begin of events on earlier days, and of events of the day where the setting is unknown.

    Of the first there are so many that 5 million exposures have 16, by the fourth root, 8 to 63; of the second four. The
    third is how many months make a period: 12 below 4 million exposures, 6 below 64 million, 3 from there on.
    """
    prior, busy = [], []
    for person in persons:
        for code, day in first_days(person).items():
            if day - min(when for when, _, _ in person.records) < washout:
                continue
            events = {(when, what) for when, what, _ in person.records}
            prior.append(len([event for event in events if event[0] < day]))
            if not any((when, what) == (day, code) and s >= 0 for when, what, s in person.records):
                busy.append(len([event for event in events if event[0] == day]))
    bands = min(max(round(16 * (len(prior) / 5e6) ** 0.25), 8), 63)
    months = 12 if len(prior) < 4e6 else 6 if len(prior) < 64e6 else 3
    return even_cuts(prior, bands, 0), even_cuts(busy, 4, 1), months


def even_cuts(numbers: list[int], bands: int, first: int) -> tuple[int, ...]:
    """Band i begins at the smallest number that more than i / bands of all do not exceed; a number begins one band only."""
    cuts, numbers = [first], sorted(numbers)
    for band_number in range(1, bands):
        found = [each for at, each in enumerate(numbers) if (at + 1) * bands > band_number * len(numbers)]
        if found and found[0] > cuts[-1]:
            cuts.append(found[0])
    return tuple(cuts)


def stratum_of(person: Person, code: int, day: int, cuts: Cuts = FIXED_CUTS) -> Stratum:
    """Sex, age band, calendar year and period of it, prior-event band, setting (or busyness of the day)."""
    events = {(when, what) for when, what, _ in person.records}
    prior = len([event for event in events if event[0] < day])
    busy = len([event for event in events if event[0] == day])
    known = [s for when, what, s in person.records if (when, what) == (day, code) and s >= 0]
    age = max(year_of(day) - person.birth_year, 0)
    setting = min(known) if known else 8 + band(cuts[1], busy)
    month = (date(1970, 1, 1) + timedelta(days=day)).month - 1
    period = 100 * year_of(day) + month // cuts[2] * cuts[2]
    return (person.sex, min(age // 5, 19), period, band(cuts[0], prior), setting)


def exposures_of(persons: list[Person], washout: int = 0, cuts: Cuts = FIXED_CUTS) -> list[Exposure]:
    """All exposures of all persons: first days at least ``washout`` days after the person's first event."""
    return [
        Exposure(number, code, day, stratum_of(person, code, day, cuts))
        for number, person in enumerate(persons)
        for code, day in first_days(person).items()
        if day - min(when for when, _, _ in person.records) >= washout
    ]


def scan(persons: list[Person], horizon: int = HORIZON, washout: int = 0, cuts: Cuts = FIXED_CUTS) -> Answer:
    """N, M, O, E, V and same-day counts of every pair, and own shares, read off the definition."""
    answer = Answer()
    first = [first_days(person) for person in persons]
    codes = sorted({code for days in first for code in days})
    exposures = exposures_of(persons, washout, cuts)
    answer.own |= own_shares(first, exposures)
    for exposure in exposures:
        answer.persons_with[exposure.code] += 1
        for b in codes:
            when = first[exposure.person].get(b)
            if when is not None and when <= exposure.day:
                if when == exposure.day and b != exposure.code:
                    answer.same_day[exposure.code, b] += 1
                continue
            outcome = when is not None and when <= exposure.day + horizon
            answer.at_risk[exposure.stratum, b] += 1
            answer.outcomes[exposure.stratum, b] += outcome
            answer.observed[exposure.code, b] += outcome
    for exposure in exposures:
        for b in codes:
            when = first[exposure.person].get(b)
            if when is not None and when <= exposure.day:
                continue
            p = answer.outcomes[exposure.stratum, b] / answer.at_risk[exposure.stratum, b]
            answer.expected[exposure.code, b] += p
            answer.variance[exposure.code, b] += p * (1 - p)
    return answer


def own_shares(first: list[dict[int, int]], exposures: list[Exposure]) -> dict[int, tuple[float, float]]:
    """Share of a code's reference that is of persons who have it: the mean over its exposures of that in their stratum.

    The second is the share of what is left of the stratum without the person of a random exposure of it, whoever it is.

    Of a stratum these are all exposures, of any code, by persons who have had the code by that day, or whose exposure of
    the code lies in the stratum.
    """
    members: dict[Stratum, list[Exposure]] = defaultdict(list)
    for exposure in exposures:
        members[exposure.stratum].append(exposure)
    shares: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for exposure in exposures:
        code, stratum = exposure.code, exposure.stratum
        here = {each.person for each in members[stratum] if each.code == code}
        own = [
            each
            for each in members[stratum]
            if each.person in here or first[each.person].get(code, each.day + 1) <= each.day
        ]
        persons = [each.person for each in members[stratum]]
        own_share = len(own) / len(persons)
        one = sum(persons.count(person) for person in persons) / len(persons) ** 2
        beyond = max(own_share - one, 0) / (1 - one) if one < 1 else 0.0
        shares[code].append((own_share, beyond))
    return {
        code: (sum(own for own, _ in found) / len(found), sum(more for _, more in found) / len(found))
        for code, found in shares.items()
    }


@dataclass
class SignificantAnswer:
    """What is reported of a significant pair (a, b) beyond the screen; ``lags`` in days, ascending."""

    observed: int
    before: float
    after: float
    variance: float
    uncertainty: float
    lags: list[int]


def significant(
    persons: list[Person],
    a: int,
    b: int,
    horizon: int = HORIZON,
    washout: int = 0,
    cuts: Cuts = FIXED_CUTS,
) -> SignificantAnswer:
    """O, E and V of one pair with the exposed of a taken out of the reference, stratum by stratum.

    The reference is every exposure, of any code, by a person at risk of b who has not had a by that day. The
    part of E owed to persons who got a later, and b after it, is ``after``. ``uncertainty`` is the variance of
    E from the finite reference. Strata without reference count neither in O nor in E.
    """
    first = [first_days(person) for person in persons]
    exposed: dict[Stratum, list[bool]] = defaultdict(list)
    others: dict[Stratum, list[bool]] = defaultdict(list)
    later: dict[Stratum, int] = defaultdict(int)
    lags = []
    for exposure in exposures_of(persons, washout, cuts):
        when_a, when = first[exposure.person].get(a), first[exposure.person].get(b)
        if when is not None and when <= exposure.day:
            continue
        outcome = when is not None and when <= exposure.day + horizon
        if exposure.code == a:
            exposed[exposure.stratum].append(outcome)
            if outcome and when is not None:
                lags.append(when - exposure.day)
        elif when_a is None or when_a > exposure.day:
            others[exposure.stratum].append(outcome)
            later[exposure.stratum] += bool(
                outcome and when_a is not None and when is not None and when_a < when
            )
    observed, before, after, variance, uncertainty = 0, 0.0, 0.0, 0.0, 0.0
    for stratum, outcomes in exposed.items():
        if not others[stratum]:
            continue
        p = sum(others[stratum]) / len(others[stratum])
        observed += sum(outcomes)
        before += len(outcomes) * (p - later[stratum] / len(others[stratum]))
        after += len(outcomes) * later[stratum] / len(others[stratum])
        variance += len(outcomes) * p * (1 - p)
        uncertainty += len(outcomes) ** 2 * p * (1 - p) / len(others[stratum])
    return SignificantAnswer(observed, before, after, variance, uncertainty, sorted(lags))


def null_effect_ratio(persons: list[Person], a: int, b: int, window: int, washout: int = 0) -> float:
    """Order that calendar trends alone would give: ΣI F / ΣI B over days with first a, same day excluded."""
    exposures = exposures_of(persons, washout)
    days_a = [exposure.day for exposure in exposures if exposure.code == a]
    days_b = [exposure.day for exposure in exposures if exposure.code == b]
    after = sum(1 for day in days_a for other in days_b if day < other <= day + window)
    before = sum(1 for day in days_a for other in days_b if day - window <= other < day)
    return after / before if before else float("inf") if after else float("nan")


def roll_up(person: Person, code_map: list[int]) -> list[tuple[int, int, int]]:
    """Distinct (day, new code) with the smallest known setting, by day then code; -1 drops a record."""
    settings: dict[tuple[int, int], list[int]] = defaultdict(list)
    for day, code, setting in person.records:
        if code_map[code] >= 0:
            settings[day, code_map[code]].append(setting)
    return [
        (day, code, min([s for s in found if s >= 0], default=-1))
        for (day, code), found in sorted(settings.items())
    ]
