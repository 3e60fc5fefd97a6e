"""A world in which one code leads to another everywhere, and another pair does so in some places alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.oracles.pair_scan import Person

BOTH, LOCAL = (0, 1), (2, 3)
"""Pairs planted everywhere, and in the first places alone: in the others the second is a little rarer after the first."""
CODES = 24
NAMES = [f"ICD10//K{code:02d}" for code in range(CODES)]


def sites_world(seed: int, first: NDArray[np.bool_]) -> list[Person]:
    """One person for each entry of ``first``, which says who lives in one of the first places."""
    rng = np.random.default_rng(seed)
    people = []
    for here in first.tolist():
        noise = rng.integers(0, [2_900, CODES], (rng.poisson(8), 2))
        events = [(17_167 + int(day), int(code), 1) for day, code in noise]
        for (a, b), acts in ((BOTH, True), (LOCAL, here)):
            if rng.random() < 0.25:
                start = 17_167 + int(rng.integers(0, 1_500))
                events = [event for event in events if acts or event[1] != b or rng.random() < 0.6]
                events += [(start, a, 1)] + [(start + 30, b, 1)] * (acts and rng.random() < 0.6)
        people.append(Person(int(rng.integers(1, 3)), 1960, int(rng.integers(0, 2)), events))
    return people
