"""A small world with something to find for every job of the toolbox: chains, a medicine's harm, a set before an outcome."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.persons import Persons

DIAGNOSES, MEDICINES = 30, 14
NAMES = [f"ICD10//{'ABCDEFGHIJ'[k % 10]}{10 + k:02d}" for k in range(DIAGNOSES)]
NAMES += [f"ATC//{'ABCDGHJLMN'[k % 10]}{1 + k:02d}AA" for k in range(MEDICINES)]
NAMES += ["CPR//DEATH"]
DEATH = len(NAMES) - 1
FIRST_DAY, DAYS = 17_167, 2_922
CHAIN = (0, 1, 2)
MEDICINE, HARM = DIAGNOSES, 5
"""Code of the medicine that harms, and of its harm."""
SET, OUTCOME = (7, 8), 9
"""Codes which together, not alone, lead to another."""


def toolbox_world(seed: int, persons: int = 12_000) -> Persons:
    """Random events with chains, a harm within weeks of a medicine, and an outcome after a set."""
    rng = np.random.default_rng(seed)
    rows: list[NDArray[np.int64]] = []

    def happen(who: NDArray[np.int64], day: NDArray[np.int64], code: int | NDArray[np.int64]) -> None:
        kept = (day >= 0) & (day < DAYS)
        codes = np.broadcast_to(np.asarray(code, np.int64), who.shape)
        setting = np.where(codes >= DIAGNOSES, 4, codes % 3)
        rows.append(np.stack([who, day, codes, setting], axis=1)[kept])

    events = rng.poisson(5 * rng.gamma(2, 0.5, persons))
    who = np.repeat(np.arange(persons), events)
    happen(who, rng.integers(0, DAYS, len(who)), rng.integers(0, DEATH, len(who)))
    for code, share in ((CHAIN[0], 0.12), (MEDICINE, 0.12), (SET[0], 0.25), (SET[1], 0.25)):
        some = np.flatnonzero(rng.random(persons) < share)
        start = rng.integers(0, DAYS - 700, len(some))
        happen(some, start, code)
        if code == CHAIN[0]:
            for following in CHAIN[1:]:
                on = rng.random(len(some)) < 0.5
                some, start = some[on], start[on] + rng.integers(5, 300, on.sum())
                happen(some, start, following)
        if code == MEDICINE:
            hit = rng.random(len(some)) < 0.2
            happen(some[hit], start[hit] + rng.integers(1, 30, hit.sum()), HARM)
    both = np.flatnonzero(rng.random(persons) < 0.08)
    for code in SET:
        happen(both, rng.integers(0, DAYS // 2, len(both)), code)
    hit = both[rng.random(len(both)) < 0.4]
    happen(hit, rng.integers(DAYS // 2, DAYS, len(hit)), OUTCOME)
    dead = np.flatnonzero(rng.random(persons) < 0.03)
    happen(dead, np.full(len(dead), DAYS - 1), DEATH)
    return _as_persons(np.concatenate(rows), persons, rng)


def _as_persons(rows: NDArray[np.int64], persons: int, rng: np.random.Generator) -> Persons:
    rows = rows[np.lexsort((rows[:, 3], rows[:, 2], rows[:, 1], rows[:, 0]))]
    rows = rows[np.append(True, (rows[1:, :3] != rows[:-1, :3]).any(axis=1))]
    return Persons(
        np.searchsorted(rows[:, 0], np.arange(persons + 1)).astype(np.int64),
        rows[:, 2].astype(np.int32),
        (rows[:, 1] + FIRST_DAY).astype(np.int32),
        rows[:, 3].astype(np.int8),
        rng.integers(1, 3, persons).astype(np.int8),
        np.sort(rng.integers(1930, 2000, persons)).astype(np.int16),
        rng.integers(0, 2, persons).astype(np.int8),
    )
