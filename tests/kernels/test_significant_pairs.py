"""The third pass gives what the oracle gives for any pair, from one part or several."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.kernels.design import PairScanSettings
from experiments.kernels.pairs import significant as module
from experiments.kernels.pairs.reference import ReferenceCounts, ReferencePass
from experiments.kernels.pairs.removed import ALL, LOCKED, exposed_removed
from experiments.kernels.pairs.significant import Present, SignificantPass
from experiments.kernels.pairs.significant_counts import SignificantCounts
from experiments.kernels.persons import Persons
from experiments.statistics.over_time.direction import null_effect_ratios
from experiments.statistics.over_time.lags import SHARES, lag_quantiles
from tests.oracles import pair_scan as oracle
from tests.support.small_worlds import WASHOUTS, as_persons, small_world, with_bands


def all_pairs(n: int) -> np.ndarray:
    return np.argwhere(~np.eye(n, dtype=bool)).astype(np.int32)


def reference_of(persons: Persons, settings: PairScanSettings) -> ReferenceCounts:
    reference = ReferencePass(settings)
    reference.add(persons)
    return ReferenceCounts.merge([reference.result()])


def count(parts: list[Persons], reference: ReferenceCounts, settings: PairScanSettings) -> SignificantCounts:
    counts = []
    for part in parts:
        counter = SignificantPass(settings, Present.of(reference), all_pairs(settings.n_codes))
        counter.add(part)
        counts.append(counter.result())
    return SignificantCounts.merge(counts)


@pytest.mark.parametrize("block", range(4))
def test_significant_pairs__equal_the_oracle(block: int) -> None:
    for seed in range(15 * block, 15 * block + 15):
        people, n = small_world(seed)
        horizon = [1826, 365, 10][seed % 3]
        washout = WASHOUTS[seed % 4]
        settings = with_bands(n, horizon, washout_days=washout)
        persons = as_persons(people, n)
        reference = reference_of(persons, settings)
        half = persons.count // 2
        counts = count([persons.part(0, half), persons.part(half, persons.count)], reference, settings)
        sums = exposed_removed(reference, counts)
        lags = lag_quantiles(counts.lags, counts.lag_counts, len(counts.pairs))
        locked = [person for person in people if person.half == 1]
        for at, (a, b) in enumerate(counts.pairs.tolist()):
            answer = oracle.significant(people, a, b, horizon, washout)
            assert tuple(sums[at, ALL]) == pytest.approx(
                (answer.observed, answer.before, answer.after, answer.variance, answer.uncertainty), abs=1e-9
            )
            answer_locked = oracle.significant(locked, a, b, horizon, washout)
            assert tuple(sums[at, LOCKED])[:3] == pytest.approx(
                (answer_locked.observed, answer_locked.before, answer_locked.after), abs=1e-9
            )
            for place, share in enumerate(SHARES):
                if not answer.lags:
                    assert np.isnan(lags[at, place])
                    continue
                enough = [
                    lag
                    for lag in answer.lags
                    if 100 * sum(x <= lag for x in answer.lags) >= 100 * share * len(answer.lags) - 1e-7
                ]
                assert lags[at, place] == min(enough)


def test_null_effect_ratio__equals_the_oracle() -> None:
    for seed in range(40):
        people, n = small_world(seed)
        settings = with_bands(n, washout_days=WASHOUTS[seed % 4])
        persons = as_persons(people, n)
        counts = count([persons], reference_of(persons, settings), settings)
        ratios = null_effect_ratios(counts.incidence, 365)
        for a, b in counts.pairs.tolist():
            expected = oracle.null_effect_ratio(people, a, b, 365, WASHOUTS[seed % 4])
            np.testing.assert_allclose(ratios[a, b], expected, rtol=1e-12)


def test_counts__do_not_depend_on_parts_batches_or_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(20):
        people, n = small_world(seed)
        settings = with_bands(n, washout_days=WASHOUTS[seed % 4])
        persons = as_persons(people, n)
        reference = reference_of(persons, settings)
        whole = count([persons], reference, settings).to_arrays()
        monkeypatch.setattr(module, "_RECORDS_HELD", 10)
        monkeypatch.setattr(module, "_RECORDS_AT_ONCE", 20)
        single = [persons.part(at, at + 1) for at in range(persons.count)]
        counter = SignificantPass(settings, Present.of(reference), all_pairs(n))
        for person in single:
            counter.add(person)
        for other in (count(single, reference, settings), counter.result()):
            arrays = other.to_arrays()
            for name, array in whole.items():
                np.testing.assert_array_equal(array, arrays[name])
        monkeypatch.undo()


def test_merge__refuses_counts_of_different_things() -> None:
    people, n = small_world(3)
    settings = with_bands(n)
    persons = as_persons(people, n)
    reference = reference_of(persons, settings)
    one = SignificantPass(settings, Present.of(reference), np.array([[0, 1]], np.int32)).result()
    other = SignificantPass(settings, Present.of(reference), np.array([[1, 0]], np.int32)).result()
    with pytest.raises(ValueError, match="different pairs"):
        SignificantCounts.merge([one, other])
