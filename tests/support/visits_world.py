"""A world without effects in which visits open stays that hold diagnoses, with the vocabulary a source would declare."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from experiments.execution.codes import MinedCodes, mined_codes
from experiments.kernels.persons import Persons
from tests.oracles.pair_scan import Person
from tests.support.small_worlds import as_persons

VISITS = ("Visit//9201", "Visit//9202", "Visit//9203")
CONDITIONS = tuple(f"SNOMED//{number}" for number in range(30))


def mined(words: Sequence[tuple[str, str]], level: str = "full") -> MinedCodes:
    """Codes of a vocabulary of (code, domain)."""
    codes = [code for code, _ in words]
    columns = {
        "code_id": list(range(len(words))),
        "code": codes,
        "domain": [domain for _, domain in words],
        "text": [""] * len(words),
        "level": codes,
    }
    return mined_codes(pa.table(columns), level)


def visits_world(seed: int, persons: int = 3000) -> tuple[Persons, MinedCodes]:
    """Visits at random moments, each with one diagnosis some days into its stay: nothing has an effect on anything."""
    rng = np.random.default_rng(seed)
    codes = mined([(code, "contact") for code in VISITS] + [(code, "condition") for code in CONDITIONS])
    number = {name: place for place, name in enumerate(codes.names)}
    people = []
    for place in range(persons):
        records = []
        for day in rng.integers(14_000, 17_650, rng.poisson(5)):
            visit, condition = VISITS[rng.integers(3)], CONDITIONS[rng.integers(len(CONDITIONS))]
            records.append((int(day), number[visit], 0))
            records.append((int(day + rng.integers(1, 8)), number[condition], 0))
        people.append(Person(1 + place % 2, 1950 + place % 3, place // 2 % 2, records))
    return as_persons(people, len(codes.names)), codes
