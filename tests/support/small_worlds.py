"""Small random worlds for the oracle: few persons, few codes, everything that can happen happens often."""

from __future__ import annotations

import random

import numpy as np

from experiments.kernels.design import PairScanSettings
from experiments.kernels.persons import Persons
from tests.oracles.pair_scan import BUSY_CUTS, PRIOR_CUTS, Person, roll_up

WASHOUTS = (0, 1, 20, 365)
"""Wash-outs, in days, that take nobody, few, many, or everybody of a world."""


def small_world(seed: int) -> tuple[list[Person], int]:
    """Persons and the number of codes; shapes vary with the seed: crowded days, long spans, no setting."""
    rng = random.Random(seed)
    n_codes = rng.choice([2, 4, 7, 12])
    first_day = rng.choice([-20_000, 10_957, 17_167])
    span = rng.choice([3, 60, 900, 4_000])
    known = rng.choice([0.0, 0.7, 1.0])
    busiest = rng.choice([3, 12, 45])
    few_years = rng.random() < 0.6
    people = []
    for _ in range(rng.randint(1, 40)):
        records = [
            (
                first_day + rng.randrange(span),
                min(rng.randrange(n_codes), rng.randrange(n_codes)),
                rng.randrange(8) if rng.random() < known else -1,
            )
            for _ in range(rng.randint(0, busiest))
        ]
        birth_year = rng.choice([1950, 1951]) if few_years else rng.randint(1850, 2030)
        people.append(Person(rng.choice([1, 2]), birth_year, rng.randint(0, 1), records))
    return people, n_codes


def as_persons(people: list[Person], n_codes: int) -> Persons:
    """The same persons as flat arrays."""
    identity = list(range(n_codes))
    events = [roll_up(person, identity) for person in people]
    flat = [event for person in events for event in person]
    columns = list(zip(*flat, strict=True)) if flat else [(), (), ()]
    return Persons(
        np.concatenate([[0], np.cumsum([len(person) for person in events])]).astype(np.int64),
        np.array(columns[1], np.int32),
        np.array(columns[0], np.int32),
        np.array(columns[2], np.int8),
        np.array([person.sex for person in people], np.int8),
        np.array([person.birth_year for person in people], np.int16),
        np.array([person.half for person in people], np.int8),
    )


def with_bands(n_codes: int, horizon_days: int = 1826, washout_days: int = 0) -> PairScanSettings:
    """Settings for a pass that is run by itself, with the oracle's fixed bands."""
    return PairScanSettings(n_codes, horizon_days, PRIOR_CUTS, BUSY_CUTS, washout_days=washout_days)
