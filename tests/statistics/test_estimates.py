"""Worked numbers of the field, and intervals that hold the truth as often as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from experiments.statistics.distributions.tails import log_binomial, mid_p_tails
from experiments.statistics.error_control.empirical_null import (
    EmpiricalNull,
    calibrated_log10_p,
    empirical_null,
)
from experiments.statistics.error_control.multiplicity import q_values
from experiments.statistics.error_control.replication import NO, UNTESTED, YES, replicate
from experiments.statistics.estimates.relative_risk import relative_risk
from experiments.statistics.observed_expected.disproportionality import information_component
from experiments.statistics.observed_expected.expected import at_risk, over_all_exposures
from experiments.statistics.over_time.direction import (
    BACKWARD,
    FORWARD,
    NONE,
    judge_order,
    null_effect_ratios,
)


def test_three_strata__give_the_worked_numbers() -> None:
    strata = [(50, 1000, 20), (30, 500, 25), (20, 2000, 10)]
    exposed = np.array([[50, 0], [30, 0], [20, 0]])
    p = np.array([[0.0, outcomes / reference] for _, reference, outcomes in strata])
    expected, variance = at_risk(*over_all_exposures(exposed, p), np.zeros((2, 2, 2)))
    assert expected[0, 1] == pytest.approx(2.6)
    assert variance[0, 1] == pytest.approx(2.5045)
    none = np.zeros(1)
    risk = relative_risk(np.array([12.0]), np.array([2.6]), none, np.array([2.5045]), none)
    assert risk.rr[0] == pytest.approx(4.615385, abs=5e-7)
    exact = np.ones(1)
    for a, n, m in strata:
        exact = np.convolve(exact, stats.binom.pmf(np.arange(a + 1), a, m / n))
    assert exact[12:].sum() == pytest.approx(9.992757e-06, rel=1e-6)
    _, upper = mid_p_tails(np.array([12.0]), np.array([2.6]), np.array([2.5045]))
    half = 0.5 * math.exp(log_binomial(12.0, 2.6**2 / (2.6 - 2.5045), (2.6 - 2.5045) / 2.6))
    assert math.exp(upper[0]) + half == pytest.approx(exact[12:].sum(), rel=0.05)


def test_order__gives_the_worked_numbers() -> None:
    first, second = np.array([60.0, 60.0]), np.array([30.0, 30.0])
    order = judge_order(first, second, np.array([1.0, 1.5]), np.array([True, True]))
    half = math.exp(log_binomial(60.0, 90.0, 0.5))
    assert order.p[0] == order.p_half[0] == order.p_half[1]
    assert order.p[0] + half == pytest.approx(0.00206, abs=5e-6)
    one_sided = order.p[1] / 2 + 0.5 * math.exp(log_binomial(60.0, 90.0, 0.6))
    assert one_sided == pytest.approx(0.118, abs=5e-4)
    assert order.verdict.tolist() == [FORWARD, NONE]
    np.testing.assert_allclose(order.asr, [2.0, 4 / 3])


def test_order__is_judged_by_the_effect() -> None:
    many, few = np.array([90.0, 30.0]), np.array([30.0, 90.0])
    harmful = judge_order(many, few, np.ones(2), np.array([True, True]))
    protective = judge_order(many, few, np.ones(2), np.array([False, False]))
    assert harmful.verdict.tolist() == [FORWARD, BACKWARD]
    assert protective.verdict.tolist() == [BACKWARD, FORWARD]
    nothing = judge_order(np.zeros(1), np.zeros(1), np.array([np.nan]), np.array([True]))
    assert np.isnan(nothing.p[0]) and nothing.verdict[0] == NONE


def test_null_effect_ratio__gives_the_worked_numbers() -> None:
    incidence = np.zeros((2, 901), np.int32)
    for day, persons in ((0, 2), (10, 1), (400, 3)):
        incidence[0, day] = persons
    for day, persons in ((5, 1), (10, 2), (100, 1), (380, 4), (900, 1)):
        incidence[1, day] = persons
    assert null_effect_ratios(incidence, 365)[0, 1] == pytest.approx(0.5625)
    assert null_effect_ratios(incidence, 548)[0, 1] == pytest.approx(0.96)
    assert null_effect_ratios(incidence, 548)[1, 0] == pytest.approx(1 / 0.96)


@pytest.mark.parametrize(
    ("observed", "expected", "ic", "low", "high"),
    [
        (10, 2, 2.070389, 1.040247, 2.826960),
        (3, 1, 1.222392, -0.828051, 2.416188),
        (0, 2, -2.321928, -12.313816, 0.006876),
        (25, 1126 * 87 / 572_573, 5.247845, 4.626870, 5.757635),
        (203, 30_068 * 508 / 155_209, 1.0408, None, None),
    ],
)
def test_information_component__gives_published_numbers(
    observed: float, expected: float, ic: float, low: float | None, high: float | None
) -> None:
    found = information_component(np.array([float(observed)]), np.array([expected]))
    assert found[0][0] == pytest.approx(ic, abs=5e-5 if low is None else 5e-7)
    if low is not None and high is not None:
        assert found[1][0] == pytest.approx(low, abs=1e-6)
        assert found[2][0] == pytest.approx(high, abs=1e-6)


def test_q_values__agree_with_the_definition() -> None:
    p = np.array([0.001, 0.2, 0.02, 0.02, 1.0, 1e-300, 0.9])
    tested = np.array([True, True, True, True, True, True, False])
    bh, by = q_values(np.log10(p), tested)
    np.testing.assert_allclose(bh[:6], stats.false_discovery_control(p[:6], method="bh"), rtol=1e-12)
    np.testing.assert_allclose(by[:6], stats.false_discovery_control(p[:6], method="by"), rtol=1e-12)
    assert np.isnan(bh[6]) and np.isnan(by[6])


def test_empirical_null__finds_the_spread_behind_true_findings() -> None:
    rng = np.random.default_rng(11)
    z = np.concatenate([rng.normal(0.1, 1.3, 95_000), rng.normal(6, 1, 5_000)])
    null = empirical_null(z)
    assert null.sd == pytest.approx(1.3, rel=0.08)
    assert not null.calibrated
    assert empirical_null(z[:50]) == EmpiricalNull(0.0, 1.0, 50)


def test_calibrated_p__is_p_where_the_null_is_right_and_larger_where_it_is_wide() -> None:
    lower, upper = np.log([0.975, 0.02, 0.5]), np.log([0.025, 0.98, 0.5])
    right = calibrated_log10_p(lower, upper, EmpiricalNull(0.0, 1.0, 1000))
    np.testing.assert_allclose(10**right, [0.05, 0.04, 1.0])
    narrow = calibrated_log10_p(lower, upper, EmpiricalNull(0.0, 0.5, 1000))
    np.testing.assert_allclose(narrow, right)
    wide = calibrated_log10_p(lower, upper, EmpiricalNull(0.0, 1.5, 1000))
    assert wide[0] > right[0] and wide[1] > right[1]
    far = calibrated_log10_p(np.array([0.0]), np.array([-5000.0]), EmpiricalNull(0.0, 1.0, 1000))
    assert far[0] == pytest.approx((math.log(2) - 5000) / math.log(10), rel=1e-9)


@pytest.mark.parametrize(("true_rr", "references"), [(1.0, 4), (3.0, 4), (0.5, 30), (2.0, 1)])
def test_intervals__hold_the_truth_as_often_as_they_say(true_rr: float, references: int) -> None:
    rng = np.random.default_rng(int(10 * true_rr) + references)
    worlds, strata = 3000, 40
    exposed = rng.integers(1, 30, strata)
    p = rng.beta(2, 25, strata)
    others = exposed * references
    followed = rng.binomial(exposed, np.minimum(true_rr * p, 1), (worlds, strata)).sum(axis=1).astype(float)
    share = rng.binomial(others, p, (worlds, strata)) / others
    spread = share * (1 - share)
    expected, variance = (exposed * share).sum(axis=1), (exposed * spread).sum(axis=1)
    uncertainty = (exposed**2 * spread / others).sum(axis=1)
    risk = relative_risk(followed, expected, np.zeros(worlds), variance, uncertainty)
    covered = np.mean((risk.low <= true_rr) & (true_rr <= risk.high))
    assert 0.935 <= covered <= 0.975
    assert np.median(risk.rr) == pytest.approx(true_rr, rel=0.04)


def test_interval__of_a_part_already_exposed() -> None:
    risk = relative_risk(*(np.array([value]) for value in (200.0, 80.0, 40.0, 110.0, 1.0)))
    assert risk.rr[0] == pytest.approx(2.0)
    assert risk.low[0] < 2.0 < risk.high[0]
    plain = relative_risk(*(np.array([value]) for value in (200.0, 100.0, 0.0, 92.0, 1.0)))
    assert risk.high[0] - risk.low[0] > plain.high[0] - plain.low[0]


def test_interval__starts_at_nothing_where_nothing_followed() -> None:
    risk = relative_risk(*(np.array([value]) for value in (0.0, 3.0, 0.0, 2.9, 0.0)))
    assert risk.rr[0] == risk.low[0] == 0.0
    assert risk.high[0] == pytest.approx(-math.log(0.05) / 3.0, rel=0.05)
    unknown = relative_risk(*(np.zeros(1) for _ in range(5)))
    assert np.isnan(unknown.rr[0]) and np.isnan(unknown.high[0])


def test_replication__needs_the_same_direction_in_the_locked_half() -> None:
    locked = np.array(
        [
            [60, 20, 0, 19, 0.5],
            [5, 20, 0, 19, 0.5],
            [22, 20, 0, 19, 0.5],
            [60, 20, 0, 19, 0.5],
            [0, 0, 0, 0, 0],
        ],
        dtype=float,
    )
    harmful = np.array([True, True, True, True, True])
    candidate = np.array([True, True, True, False, True])
    assert replicate(locked, harmful, candidate).tolist() == [YES, NO, NO, UNTESTED, NO]
    assert replicate(locked, ~harmful, candidate).tolist() == [NO, YES, NO, UNTESTED, NO]
