"""Follow-up ended by death or the end of observation: the kernel equals its oracle, adds up, and is calibrated."""

from __future__ import annotations

import secrets

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.kernels.pairs.competing import CompetingCounts, CompetingPass, FollowUp
from experiments.kernels.persons import Persons
from experiments.statistics.survival.time_to_event import cumulative_incidence
from tests.oracles.competing import Events, aalen_johansen, courses

CODES, DEATH, END, HORIZON = 6, 4, 5, 50
FOLLOW_UP = FollowUp(CODES, HORIZON, (DEATH,), END)
PERSONS = st.lists(
    st.lists(st.tuples(st.integers(100, 190), st.integers(0, 4)), max_size=7, unique=True),
    min_size=1,
    max_size=12,
)
ENDS = st.lists(st.one_of(st.none(), st.integers(120, 200)), min_size=12, max_size=12)
PAIRS = np.array([(0, 1), (1, 0), (2, 3), (0, DEATH), (3, DEATH), (1, 2)], np.int32)


def as_persons(people: list[Events]) -> Persons:
    flat = [event for events in people for event in sorted(events)]
    n = len(people)
    return Persons(
        np.concatenate([[0], np.cumsum([len(events) for events in people])]).astype(np.int64),
        np.array([code for _, code in flat], np.int32),
        np.array([day for day, _ in flat], np.int32),
        np.zeros(len(flat), np.int8),
        np.ones(n, np.int8),
        np.full(n, 1950, np.int16),
        np.zeros(n, np.int8),
    )


def counted(persons: Persons, washout: int = 0) -> CompetingCounts:
    counter = CompetingPass(FOLLOW_UP._replace(washout_days=washout), PAIRS)
    counter.add(persons)
    return counter.result()


def with_ends(people: list[Events], ends: list[int | None]) -> list[Events]:
    """One day at most is a person's end of observation, never before the last event."""
    return [
        [*events, (max(end, *(day for day, _ in events)) if events else end, END)]
        if end is not None
        else events
        for events, end in zip(people, ends, strict=False)
    ]


@settings(deadline=None, max_examples=150)
@given(PERSONS, ENDS, st.sampled_from([0, 0, 1, 20]))
def test_counts__give_the_oracles_incidence(
    people: list[Events], ends: list[int | None], washout: int
) -> None:
    world = with_ends(people, ends)
    counts = counted(as_persons(world), washout)
    for number, (a, b) in enumerate(PAIRS.tolist()):
        found = courses(world, a, b, HORIZON, {DEATH}, END, washout)
        at_risk, days = counts.by_day(number)
        assert at_risk == len(found)
        for place, by in enumerate(("outcome", "death", "end")):
            wanted = [sum(c.day == day and c.by == by for c in found) for day in range(HORIZON + 1)]
            assert days[:, place].tolist() == wanted, (a, b, by)
        if found:
            share, died = aalen_johansen(found)
            answer = cumulative_incidence(at_risk, days)
            assert answer.share == pytest.approx(share)
            assert answer.died_first == pytest.approx(died)


@settings(deadline=None, max_examples=60)
@given(PERSONS, ENDS, st.integers(0, 12))
def test_counts__add_up_in_any_cut_and_order(people: list[Events], ends: list[int | None], cut: int) -> None:
    world = with_ends(people, ends)
    whole = counted(as_persons(world))
    parts = [counted(as_persons(part)) for part in (world[cut:][::-1], world[:cut])]
    sent = [CompetingCounts.from_arrays(part.to_arrays()) for part in parts]
    merged = CompetingCounts.merge(sent)
    for name, array in whole.to_arrays().items():
        assert np.array_equal(array, merged.to_arrays()[name]), name


def test_interval__holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(secrets.randbits(64))
    hits = 0
    for _ in range(400):
        times = np.stack([rng.exponential(60, 150), rng.exponential(40, 150), rng.exponential(80, 150)])
        who, day = times.argmin(axis=0), np.ceil(times.min(axis=0)).astype(int)
        days = np.zeros((HORIZON + 1, 3), int)
        inside = day <= HORIZON
        np.add.at(days, (day[inside], who[inside]), 1)
        found = cumulative_incidence(150, days)
        total = 1 / 60 + 1 / 40
        truth = (1 / 60) / total * (1 - np.exp(-total * HORIZON))
        hits += found.low <= truth <= found.high
    assert 0.91 <= hits / 400 <= 0.985


def test_nobody_at_risk__has_no_incidence() -> None:
    assert np.isnan(cumulative_incidence(0, np.zeros((3, 3), int)).share)
    assert cumulative_incidence(5, np.zeros((3, 3), int)).share == 0.0
    assert cumulative_incidence(5, np.zeros((3, 3), int)).high == pytest.approx(1 - 0.025 ** (1 / 5))
    everybody = np.array([[0, 0, 0], [5, 0, 0]])
    assert cumulative_incidence(5, everybody).share == 1.0
