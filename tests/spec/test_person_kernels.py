"""Timelines, exposure periods and courses from arrays, held against their definitions read literally."""

from __future__ import annotations

import random
import secrets
from collections import defaultdict

import numpy as np

from lakehouse.gold.chaining import chain_starts
from lakehouse.gold.courses import SECTORS, courses, named
from lakehouse.gold.exposure_periods import exposure_periods
from lakehouse.gold.timeline import DAY_OFFSET, NO_CODE, NO_SETTING, timelines
from tests.oracles.courses import courses as courses_by_definition
from tests.oracles.exposure import periods
from tests.oracles.timeline import timeline

WORLDS = 60


def whole(values: list[int]) -> np.ndarray:
    return np.array(values, np.int64)


def test_courses__from_arrays() -> None:
    numbers = random.Random(secrets.randbits(40))
    sectors = list(SECTORS)
    for _ in range(WORLDS):
        rows = [
            (
                numbers.randrange(6),
                numbers.randrange(3),
                day,
                day + numbers.choice([0, 0, numbers.randrange(60)]),
            )
            for day in (numbers.randrange(-300, 900) for _ in range(numbers.choice([0, 1, 7, 120])))
        ]
        met = defaultdict(list)
        for person, sector, day, until in rows:
            met[person].append((sectors[sector], day, until))
        found = courses(*(whole([row[at] for row in rows]) for at in range(4)))
        assert [
            (who, start, end, named(all_), sectors[first], sectors[last], contacts, over)
            for who, start, end, all_, first, last, contacts, over in zip(
                *map(np.ndarray.tolist, found), strict=True
            )
        ] == [(person, *course) for person in sorted(met) for course in courses_by_definition(met[person])]


def test_exposure_periods__from_arrays() -> None:
    numbers = random.Random(secrets.randbits(40))
    for _ in range(WORLDS):
        rows = [
            (
                numbers.randrange(5),
                numbers.randrange(4),
                numbers.randrange(-200, 700),
                numbers.choice([0.25, 1.0, 10.5, 100.0, 2000.0]),
            )
            for _ in range(numbers.choice([0, 1, 5, 150]))
        ]
        taken = defaultdict(list)
        for person, medicine, day, doses in rows:
            taken[person, medicine].append((day, doses))
        found = exposure_periods(
            *(whole([int(row[at]) for row in rows]) for at in range(3)),
            np.array([row[3] for row in rows], float),
        )
        assert list(zip(*map(np.ndarray.tolist, found), strict=True)) == [
            (*key, *period) for key in sorted(taken) for period in periods(taken[key])
        ]


def test_timelines__from_packed_events() -> None:
    numbers = random.Random(secrets.randbits(40))
    for _ in range(WORLDS):
        rows = [
            (
                numbers.randrange(5),
                numbers.randrange(-50, 50),
                numbers.choice([None, 0, 1, 70_000]),
                numbers.randrange(-1, 8),
            )
            for _ in range(numbers.choice([0, 1, 6, 200]))
        ]
        packed = [
            ((day + DAY_OFFSET) << 40)
            + ((NO_CODE if code is None else code) << 8)
            + (NO_SETTING if setting < 0 else setting)
            for _, day, code, setting in rows
        ]
        coded: dict[int, list[tuple[int, str, int]]] = defaultdict(list)
        for person, day, code, setting in rows:
            if code is not None:
                coded[person].append((day, f"{code:06}", setting))
        found = timelines(whole([row[0] for row in rows]), whole(packed))
        lists = {
            int(person): [
                (int(found.day[at]), f"{found.code[at]:06}", int(found.setting[at]))
                for at in range(found.offsets[number], found.offsets[number + 1])
            ]
            for number, person in enumerate(found.person)
        }
        assert lists == {person: timeline(each) for person, each in coded.items()}


def test_chains__far_days_stay_within_their_group() -> None:
    far = 3_000_000
    group, start = whole([0, 0, 1, 1, 2]), whole([-700_000, far, -700_000, -699_990, 0])
    end = whole([far - 31, far, -700_000, far, 0])
    assert chain_starts(group, start, end, 30).tolist() == [0, 1, 2, 4]
    assert chain_starts(group, start, end, 31).tolist() == [0, 2, 4]
