"""The counting passes give what the oracle gives, whatever the batches, the order or the epoch."""

from __future__ import annotations

import secrets
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from experiments.kernels.bands import banded, bands_for, cuts_of, largest_share, months_for
from experiments.kernels.design import PairScanSettings, describe_strata
from experiments.kernels.exposures import ExposureFinder
from experiments.kernels.pairs.baseline import Baseline
from experiments.kernels.pairs.followed import PairCounts, PairPass
from experiments.kernels.pairs.reference import ReferenceCounts, ReferencePass
from experiments.kernels.passes import OverPersons
from experiments.kernels.persons import Persons, roll_up
from experiments.statistics.observed_expected.expected import at_risk, over_all_exposures
from tests.oracles import pair_scan as oracle
from tests.support.small_worlds import WASHOUTS, as_persons, small_world, with_bands


def count(parts: list[Persons], settings: PairScanSettings) -> tuple[ReferenceCounts, PairCounts]:
    """Both passes, one accumulator a part, merged."""
    references = []
    for part in parts:
        reference = ReferencePass(settings)
        reference.add(part)
        references.append(reference.result())
    merged = ReferenceCounts.merge(references)
    pairs = []
    for part in parts:
        pair_pass = PairPass(settings, Baseline.of(merged))
        pair_pass.add(part)
        pairs.append(pair_pass.result())
    return merged, PairCounts.merge(pairs)


def expected(reference: ReferenceCounts, pairs: PairCounts) -> tuple[np.ndarray, np.ndarray]:
    product = over_all_exposures(reference.exposed.sum(axis=1), reference.probabilities())
    return at_risk(*product, pairs.not_at_risk[:, :, :2].transpose(1, 0, 2))


@pytest.mark.parametrize("block", range(8))
def test_counts__equal_the_oracle(block: int) -> None:
    for seed in range(30 * block, 30 * block + 30):
        people, n = small_world(seed)
        horizon = [1826, 365, 10][seed % 3]
        washout = WASHOUTS[seed % 4]
        months = [12, 6, 3][seed // 3 % 3]
        answer = oracle.scan(people, horizon, washout, (oracle.PRIOR_CUTS, oracle.BUSY_CUTS, months))
        options = replace(with_bands(n, horizon, washout_days=washout), period_months=months)
        reference, pairs = count([as_persons(people, n)], options)
        e, v = expected(reference, pairs)
        observed = pairs.followed.sum(axis=2)
        own = reference.own_shares()
        for a in range(n):
            assert reference.persons_with()[a] == answer.persons_with[a]
            assert (own.own[a], own.shared[a]) == pytest.approx(answer.own.get(a, (1.0, 0.0)), abs=1e-9)
            for b in range(n):
                if a == b:
                    continue
                assert observed[a, b] == answer.observed[a, b]
                assert pairs.same_day[a, b] == answer.same_day[a, b]
                assert e[a, b] == pytest.approx(answer.expected[a, b], abs=1e-9)
                assert v[a, b] == pytest.approx(answer.variance[a, b], abs=1e-9)
        assert reference.outcomes().sum() == sum(answer.outcomes.values())
        some = sorted({b for _, b in answer.at_risk})
        assert reference.at_risk()[:, some].sum() == sum(answer.at_risk.values())


def test_bands__are_cut_as_the_definition_says() -> None:
    for seed in range(120):
        people, n = small_world(seed)
        washout = WASHOUTS[seed % 4]
        run = OverPersons(as_persons(people, n), pieces=1 + seed % 3)
        settings = banded(run, PairScanSettings(n, washout_days=washout))
        assert (settings.prior_cuts, settings.busy_cuts, settings.period_months) == oracle.cuts_of(
            people, washout
        ), seed
        assert banded(run, settings) is settings


def test_bands__grow_with_the_exposures_and_none_holds_nearly_everybody() -> None:
    assert [bands_for(x) for x in (0, 2_000, 1_400_000, 5_000_000, 80_000_000, 10**13)] == [
        8,
        8,
        12,
        16,
        32,
        63,
    ]
    assert [months_for(x) for x in (0, 3_999_999, 4_000_000, 63_999_999, 64_000_000)] == [12, 12, 6, 6, 3]
    rng = np.random.default_rng(secrets.randbits(64))
    for mean in (3, 20, 200):
        exposures = np.bincount(rng.negative_binomial(1.5, 1.5 / (1.5 + mean), 5_000_000), minlength=1 << 14)
        cuts = cuts_of(exposures[: 1 << 14], 32)
        single = exposures.max() / exposures.sum()
        assert largest_share(exposures[: 1 << 14], cuts) <= max(1 / 32, single) + single + 1e-12


def test_no_exposure_is_found_before_the_bands_are_cut() -> None:
    with pytest.raises(ValueError, match="bands"):
        ExposureFinder(PairScanSettings(3))


def test_halves__are_scans_of_their_own() -> None:
    for seed in range(60):
        people, n = small_world(seed)
        persons = as_persons(people, n)
        settings = with_bands(n, washout_days=WASHOUTS[seed % 4])
        reference, pairs = count([persons], settings)
        for half in (0, 1):
            part = persons.take(np.flatnonzero(persons.half == half))
            alone, pairs_alone = count([part], settings)
            rows = np.searchsorted(reference.keys, alone.keys)
            np.testing.assert_array_equal(reference.at_risk(half)[rows], alone.at_risk())
            np.testing.assert_array_equal(reference.outcomes(half)[rows], alone.outcomes())
            for ours, theirs in zip(reference.own_shares(half), alone.own_shares(), strict=True):
                np.testing.assert_allclose(ours, theirs, atol=1e-9)
            np.testing.assert_array_equal(pairs.followed[:, :, half], pairs_alone.followed.sum(axis=2))
            if half == 0:
                product = over_all_exposures(reference.exposed[:, 0], reference.probabilities(0))
                e, v = at_risk(*product, pairs.not_at_risk[:, :, 2:].transpose(1, 0, 2))
                e_alone, v_alone = expected(alone, pairs_alone)
                np.testing.assert_allclose(e, e_alone, atol=1e-9)
                np.testing.assert_allclose(v, v_alone, atol=1e-9)


def test_columns__sum_to_what_happened() -> None:
    for seed in range(100):
        people, n = small_world(seed)
        settings = with_bands(n, washout_days=WASHOUTS[seed % 4])
        reference, pairs = count([as_persons(people, n)], settings)
        e, _ = expected(reference, pairs)
        observed = pairs.followed.sum(axis=2)
        np.testing.assert_allclose(observed.sum(axis=0), e.sum(axis=0), atol=1e-9)


def assert_same(left: tuple[ReferenceCounts, PairCounts], right: tuple[ReferenceCounts, PairCounts]) -> None:
    """Equal to the last bit."""
    for one, other in zip(left, right, strict=True):
        ours, theirs = one.to_arrays(), other.to_arrays()
        assert ours.keys() == theirs.keys()
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])


def test_counts__add_up_over_any_split_and_order() -> None:
    for seed in range(40):
        people, n = small_world(seed)
        persons = as_persons(people, n)
        settings = with_bands(n, washout_days=WASHOUTS[seed % 4])
        whole = count([persons], settings)
        rng = np.random.default_rng(seed)
        shuffled = persons.take(rng.permutation(persons.count))
        assert_same(whole, count([shuffled], settings))
        for parts in (2, 7):
            cuts = np.sort(rng.integers(0, persons.count + 1, parts - 1))
            edges = [0, *cuts.tolist(), persons.count]
            pieces = [shuffled.part(low, high) for low, high in pairwise(edges)]
            assert_same(whole, count(pieces, settings))


def test_batches__may_be_cut_anywhere() -> None:
    people, n = small_world(5)
    persons = as_persons(people, n)
    settings = with_bands(n)
    whole_reference, whole_pairs = count([persons], settings)
    reference = ReferencePass(settings)
    for at in range(persons.count):
        reference.add(persons.part(at, at + 1))
    pairs = PairPass(settings, Baseline.of(reference.result()))
    for at in range(persons.count):
        pairs.add(persons.part(at, at + 1))
    merged = ReferenceCounts.merge([reference.result()])
    assert_same((whole_reference, whole_pairs), (merged, pairs.result()))


def test_four_years__change_nothing() -> None:
    for seed in range(40):
        people, n = small_world(seed)
        persons = as_persons(people, n)
        later = persons._replace(days=persons.days + 1461, birth_year=persons.birth_year + 4)
        settings = with_bands(n, washout_days=WASHOUTS[seed % 4])
        _, pairs = count([persons], settings)
        _, pairs_later = count([later], settings)
        np.testing.assert_array_equal(pairs.followed, pairs_later.followed)
        np.testing.assert_array_equal(pairs.not_at_risk, pairs_later.not_at_risk)


def test_what_is_prevalent__is_no_exposure_and_no_outcome_but_bars_and_counts_as_an_earlier_event() -> None:
    prevalent, exposure, outcome, late = range(4)
    people = [
        oracle.Person(
            1,
            1960,
            0,
            [(17_200, prevalent, 1), (17_220, late, 1), (17_230, exposure, 1), (17_290, outcome, 1)],
        ),
        oracle.Person(1, 1960, 0, [(17_229, outcome, 1), (17_230, exposure, 1), (17_259, exposure, 2)]),
        oracle.Person(1, 1960, 0, [(17_200, exposure, 1), (17_229, outcome, 1)]),
    ]
    reference, pairs = count([as_persons(people, 4)], with_bands(4, washout_days=30))
    assert reference.persons_with().tolist() == [0, 1, 1, 0], (
        "the third has no exposure, the second none in time"
    )
    assert pairs.followed.sum(axis=2).tolist() == [[0] * 4, [0, 0, 1, 0], [0] * 4, [0] * 4]
    assert not pairs.same_day.any()
    assert (reference.at_risk().sum(axis=0) == [0, 0, 1, 0]).all()
    assert (describe_strata(reference.keys)["prior_band"] == 2).all(), "two events before, prevalent or not"
    assert reference.persons.sum() == 3


def test_roll_up__equals_the_oracle() -> None:
    for seed in range(200):
        people, n = small_world(seed)
        rng = np.random.default_rng(seed)
        code_map = rng.integers(-1, max(n // 2, 1), n).astype(np.int32)
        rolled = roll_up(as_persons(people, n), code_map)
        for at, person in enumerate(people):
            events = slice(rolled.offsets[at], rolled.offsets[at + 1])
            got = list(
                zip(
                    rolled.days[events].tolist(),
                    rolled.codes[events].tolist(),
                    rolled.settings[events].tolist(),
                    strict=True,
                )
            )
            assert got == oracle.roll_up(person, code_map.tolist())


def test_passes__refuse_what_they_cannot_count() -> None:
    settings = with_bands(2)
    people = [oracle.Person(1, 1960, 0, [(17_200, 0, 1), (17_300, 1, 1)])]
    persons = as_persons(people, 2)
    with pytest.raises(ValueError, match="ascend"):
        ReferencePass(settings).add(persons._replace(days=persons.days[::-1].copy()))
    with pytest.raises(ValueError, match="code lies outside"):
        ReferencePass(settings).add(persons._replace(codes=persons.codes + 1))
    with pytest.raises(ValueError, match="sex"):
        ReferencePass(settings).add(persons._replace(sex=persons.sex + 2))
    reference = ReferencePass(settings)
    reference.add(persons)
    with pytest.raises(ValueError, match="other persons"):
        PairPass(settings, Baseline.of(reference.result())).add(
            persons._replace(birth_year=persons.birth_year - 40)
        )
