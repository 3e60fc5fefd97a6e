"""A world in which one code stands at the beginning of timelines alone, as what is written since before the data does."""

from __future__ import annotations

import numpy as np

from tests.oracles.pair_scan import Person

OLD, DRUG, HARM, NOISE = range(4)
"""What people come into the data with; what they are given later; what follows both; the first of many other codes."""

CODES = NOISE + 30
NAMES = [f"ICD10//K{code:02d}" for code in range(CODES)]


def prevalent_world(seed: int, persons: int = 4_000) -> list[Person]:
    """Two in five have OLD within a week of their first event, and HARM often soon after; later DRUG leads to HARM too."""
    rng = np.random.default_rng(seed)
    people = []
    for _ in range(persons):
        start = 17_167 + int(rng.integers(0, 300))
        noise = rng.integers([0, HARM], [2_400, CODES], (6, 2))
        events = [(start, NOISE, 1), *((start + int(day), int(code), 1) for day, code in noise)]
        if rng.random() < 0.4:
            events += [(start + 3, OLD, 1)] + [(start + 60, HARM, 1)] * (rng.random() < 0.6)
        elif rng.random() < 0.4:
            late = start + 500 + int(rng.integers(0, 900))
            events += [(late, DRUG, 1)] + [(late + 40, HARM, 1)] * (rng.random() < 0.5)
        people.append(Person(int(rng.integers(1, 3)), 1960, int(rng.integers(0, 2)), events))
    return people
