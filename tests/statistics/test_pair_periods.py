"""Replication in later years: equal to scanning those years' exposures by hand; real effects hold, chance does not."""

from __future__ import annotations

import secrets

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.analyses.pairs.scan import scan
from experiments.analyses.pairs.table import later_strata, middle_year
from experiments.kernels.design import PairScanSettings, describe_strata
from experiments.kernels.pairs.reference import ReferencePass
from experiments.kernels.pairs.removed import ALL, EARLY, LATE, exposed_removed
from experiments.kernels.pairs.significant import Present, SignificantPass
from experiments.kernels.passes import OverPersons
from tests.oracles import pair_scan as definition
from tests.support.small_worlds import as_persons, small_world, with_bands
from tests.support.worlds import planted_world


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**40))
def test_the_periods__add_up_to_the_whole_and_keep_to_their_years(seed: int) -> None:
    people, n_codes = small_world(seed)
    run, settings_ = OverPersons(as_persons(people, n_codes)), with_bands(n_codes)
    reference = run(ReferencePass, {"settings": settings_})
    present = np.flatnonzero(reference.persons_with())
    pairs = np.array([(a, b) for a in present for b in present if a != b], np.int32).reshape(-1, 2)
    if not len(pairs):
        return
    counts = run(SignificantPass, {"settings": settings_, "present": Present.of(reference), "pairs": pairs})
    every = reference.every.sum(axis=1)
    cut = middle_year(every, describe_strata(reference.keys)["year"])
    sums = exposed_removed(reference, counts, later_strata(reference.keys, every))
    late = sums[:, LATE]
    assert sums[:, EARLY] + late == pytest.approx(sums[:, ALL], abs=1e-9)
    first = [definition.first_days(person) for person in people]
    for (a, b), sums in zip(pairs.tolist(), late, strict=True):
        seen = sum(
            definition.year_of(days[a]) >= cut and b in days and days[a] < days[b] <= days[a] + 1826
            for days in first
            if a in days
        )
        assert sums[0] <= seen, "strata without a reference do not count"


def test_planted_effects__are_found_again_later_and_chance_is_not() -> None:
    world = planted_world(secrets.randbelow(2**31), persons=50_000, codes=400)
    table = scan(OverPersons(world.persons), PairScanSettings(world.n_codes), terminal=(world.death,)).table
    true = {(effect.a, effect.b) for effect in world.truth.planted} | set(world.truth.induced)
    rows = [
        (a, b)
        for a, b, verdict in zip(
            *(table.column(name).to_pylist() for name in ("code_a", "code_b", "replicated_time")), strict=True
        )
        if verdict
    ]
    strong = [
        (effect.a, effect.b)
        for effect in world.truth.planted
        if abs(effect.rr - 1) * effect.expected**0.5 >= 15
    ]
    assert len(strong) >= 3
    assert len(set(rows) & set(strong)) >= 0.7 * len(strong)
    assert sum(pair not in true for pair in rows) <= 0.05 * len(rows) + 1
