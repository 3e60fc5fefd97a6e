"""Counts around medicines equal the definition read literally, add up, and depend on no order and no epoch."""

from __future__ import annotations

import random

import numpy as np
import pytest

from experiments.kernels.cases import NEVER, CasePass
from experiments.kernels.passes import OverPersons
from experiments.kernels.reactions import ReactionCounts, ReactionPass, ReactionSettings
from tests.oracles import reactions as oracle
from tests.oracles.trajectories import first_days
from tests.support.small_worlds import as_persons, small_world

WINDOWS = ((1, 30), (1, 360), (-180, -1), (0, 0))


def settings_of(seed: int, codes: int, people: list) -> ReactionSettings:  # type: ignore[type-arg]
    days = [day for person in people for day, _, _ in person.records]
    medicines = tuple(range(0, codes, 2))
    events = tuple(range(codes)) if seed % 3 == 0 else tuple(range(1, codes, 2))
    return ReactionSettings(
        codes, medicines, events, WINDOWS, 365, (min(days, default=0), max(days, default=0)), (1,), 30
    )


@pytest.mark.parametrize("block", range(3))
def test_counts__equal_the_oracle(block: int) -> None:
    for seed in range(30 * block, 30 * block + 30):
        people, codes = small_world(seed)
        settings = settings_of(seed, codes, people)
        counts: ReactionCounts = OverPersons(as_persons(people, codes), 1 + seed % 3)(
            ReactionPass, {"settings": settings}
        )
        for row, medicine in enumerate(settings.medicines):
            starts = [first_days(person)[medicine] for person in people if medicine in first_days(person)]
            assert counts.started[row, 0] == len(starts)
            dated = np.bincount(
                np.array(starts, int) - settings.span[0], minlength=counts.first_medicine.shape[1]
            )
            np.testing.assert_array_equal(counts.first_medicine[row], dated)
            for place, window in enumerate(WINDOWS):
                wanted = oracle.starters_seen(people, medicine, window, settings.span, 1)
                assert counts.started[row, 1 + place] == wanted
            for column, event in enumerate(settings.events):
                if event == medicine:
                    continue
                assert tuple(counts.order[row, column]) == oracle.order(people, (medicine, event), 365)
                for place, window in enumerate(WINDOWS):
                    assert counts.near[row, column, place] == oracle.near(people, (medicine, event), window)


def test_counts__add_up_and_depend_on_no_order_and_no_epoch() -> None:
    for seed in range(15):
        people, codes = small_world(seed)
        settings, persons = settings_of(seed, codes, people), as_persons(people, codes)
        moved = persons._replace(days=persons.days + 1461)
        later = ReactionSettings(**{**vars(settings), "span": tuple(day + 1461 for day in settings.span)})
        order = np.random.default_rng(seed).permutation(persons.count)
        for redate in (0, 77):
            whole = OverPersons(persons)(ReactionPass, {"settings": settings, "redate": redate})
            others = [
                OverPersons(persons, 4)(ReactionPass, {"settings": settings, "redate": redate}),
                OverPersons(persons.take(order))(ReactionPass, {"settings": settings, "redate": redate}),
            ]
            if not redate:
                others.append(OverPersons(moved)(ReactionPass, {"settings": later}))
            for other in others:
                for name, array in whole.to_arrays().items():
                    np.testing.assert_array_equal(array, other.to_arrays()[name], err_msg=name)


def test_redating__keeps_the_year_and_loses_the_effect() -> None:
    rng = np.random.default_rng(3)
    people, codes = 4_000, 2
    start = rng.integers(0, 365 * 4, people)
    from experiments.kernels.persons import Persons

    persons = Persons(
        np.arange(0, 2 * people + 1, 2, dtype=np.int64), np.tile(np.array([0, 1], np.int32), people),
        np.stack([start, start + 7], axis=1).ravel().astype(np.int32), np.zeros(2 * people, np.int8),
        rng.integers(1, 3, people).astype(np.int8), rng.integers(1930, 2000, people).astype(np.int16),
        np.zeros(people, np.int8),
    )  # fmt: skip
    settings = ReactionSettings(codes, (0,), (1,), ((1, 30), (-30, -1)), 365, (0, 365 * 4 + 10))
    true = OverPersons(persons)(ReactionPass, {"settings": settings})
    moved = OverPersons(persons)(ReactionPass, {"settings": settings, "redate": 5})
    assert true.near[0, 0].tolist() == [people, 0]
    assert moved.near[0, 0].max() < 0.12 * people, "no longer together"
    per_year = [
        counts.first_medicine[0][: 365 * 4].reshape(4, 365).sum(axis=1).tolist() for counts in (true, moved)
    ]
    assert per_year[0] == per_year[1]
    spread = moved.first_medicine[0][: 365 * 4].reshape(4, 5, 73).sum(axis=(0, 2))
    assert spread.min() > 0.9 * people / 5, "every part of the year alike"


def test_cases__are_all_who_fell_ill_while_seen() -> None:
    for seed in range(20):
        people, codes = small_world(seed)
        rng = random.Random(seed)
        pairs = [(rng.randrange(codes), rng.randrange(codes)) for _ in range(3)]
        days = [day for person in people for day, _, _ in person.records]
        span = (min(days, default=0), max(days, default=0))
        given = {"n_codes": codes, "pairs": np.array(pairs, np.int32), "span": span, "terminal": (1,)}
        found = OverPersons(as_persons(people, codes), 1 + seed % 3)(CasePass, given).columns
        wanted = []
        for person in people:
            first = first_days(person)
            until = min(span[1], first.get(1, span[1]))
            for number, (medicine, event) in enumerate(pairs):
                if event in first and first[event] <= until:
                    row = (
                        number,
                        span[0],
                        until,
                        first[event],
                        first.get(medicine, NEVER),
                        person.birth_year,
                    )
                    wanted.append(row)
        assert sorted(map(tuple, found.T.tolist())) == sorted(wanted)
