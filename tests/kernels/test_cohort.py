"""The cohort of new users: equal to the oracle, whatever the order and cutting of persons."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.kernels.cohort import CohortPass, CohortRows, EverybodyPass
from experiments.kernels.passes import OverPersons
from tests.oracles.cohort import Row, cohort
from tests.oracles.pair_scan import year_of
from tests.support.small_worlds import as_persons, small_world


def listed(rows: CohortRows) -> list[Row]:
    spans = zip(rows.offsets[:-1], rows.offsets[1:], strict=True)
    codes = [tuple(rows.codes[a:b].tolist()) for a, b in spans]
    return [(*facts, known) for facts, known in zip(rows.facts.tolist(), codes, strict=True)]


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**40), st.integers(1, 4), st.sampled_from([1, 50, 800]))
def test_cohort__equals_the_oracle_in_any_cut_and_order(seed: int, pieces: int, horizon: int) -> None:
    people, n_codes = small_world(seed)
    arguments = {
        "n_codes": n_codes,
        "treated": 0,
        "control": 1,
        "outcomes": list(range(2, n_codes)[-1:]),
        "horizon_days": horizon,
    }
    rows = OverPersons(as_persons(people, n_codes), pieces)(CohortPass, arguments)
    assert sorted(listed(rows)) == cohort(people, 0, 1, set(arguments["outcomes"]), horizon)
    shuffled = OverPersons(as_persons(people[::-1], n_codes), 2)(CohortPass, arguments)
    assert np.array_equal(shuffled.facts, rows.facts)
    assert listed(shuffled) == listed(rows)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**40), st.integers(1, 4))
def test_everybody__has_their_distinct_codes_in_any_cut(seed: int, pieces: int) -> None:
    people, n_codes = small_world(seed)
    rows = OverPersons(as_persons(people, n_codes), pieces)(EverybodyPass, {"n_codes": n_codes})
    wanted = []
    for person in people:
        known = tuple(sorted({code for _, code, _ in person.records}))
        last = max((day for day, _, _ in person.records), default=None)
        year = year_of(last) if last is not None else 0
        age = max(year - person.birth_year, 0) if last is not None else 0
        wanted.append((0, 0, person.sex, age, year, len(known), person.half, known))
    assert sorted(listed(rows)) == sorted(wanted)
