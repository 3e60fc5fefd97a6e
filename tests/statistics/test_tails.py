"""Tails agree with scipy where scipy reaches, with exact fractions where it does not."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from experiments.statistics.distributions.tails import mid_p_tails, two_sided_log10


def tails(observed: float, expected: float, variance: float) -> tuple[float, float]:
    lower, upper = mid_p_tails(np.array([observed]), np.array([expected]), np.array([variance]))
    return float(lower[0]), float(upper[0])


@settings(deadline=None)
@given(st.integers(1, 3000), st.floats(1e-4, 0.98), st.floats(0, 1))
def test_binomial__agrees_with_scipy(n: int, p: float, quantile: float) -> None:
    k = min(float(stats.binom.ppf(0.001 + 0.998 * quantile, n, p)), n)
    lower, upper = tails(k, n * p, n * p * (1 - p))
    half = 0.5 * stats.binom.pmf(k, n, p)
    assert math.exp(lower) == pytest.approx(stats.binom.cdf(k - 1, n, p) + half, rel=1e-9)
    assert math.exp(upper) == pytest.approx(stats.binom.sf(k, n, p) + half, rel=1e-9)


@settings(deadline=None)
@given(st.floats(5, 500), st.floats(1e-3, 0.9), st.floats(0.1, 0.95))
def test_fractional_size__is_the_incomplete_beta(n: float, p: float, place: float) -> None:
    k = max(1.0, math.floor(n * place))
    _, upper = tails(k, n * p, n * p * (1 - p))
    expected = 0.5 * (special.betainc(k, n - k + 1, p) + special.betainc(k + 1, n - k, p))
    assert math.exp(upper) == pytest.approx(expected, rel=1e-8, abs=1e-290)


@settings(deadline=None)
@given(st.floats(1e-3, 3000), st.floats(0.001, 0.999))
def test_poisson__is_the_limit(mean: float, quantile: float) -> None:
    k = float(stats.poisson.ppf(quantile, mean))
    lower, upper = tails(k, mean, mean)
    half = 0.5 * stats.poisson.pmf(k, mean)
    assert math.exp(lower) == pytest.approx(stats.poisson.cdf(k - 1, mean) + half, rel=1e-6)
    assert math.exp(upper) == pytest.approx(stats.poisson.sf(k, mean) + half, rel=1e-6)


@settings(deadline=None)
@given(st.floats(0.1, 300), st.floats(0.2, 400), st.floats(0.001, 0.999))
def test_wider_than_poisson__is_negative_binomial(size: float, mean: float, quantile: float) -> None:
    law = stats.nbinom(size, size / (size + mean))
    k = float(law.ppf(quantile))
    lower, upper = tails(k, mean, mean + mean**2 / size)
    assert math.exp(lower) == pytest.approx(law.cdf(k - 1) + 0.5 * law.pmf(k), rel=1e-7)
    assert math.exp(upper) == pytest.approx(law.sf(k) + 0.5 * law.pmf(k), rel=1e-7)


@pytest.mark.parametrize(("k", "n", "p"), [(900, 1000, Fraction(1, 10)), (700, 5000, Fraction(1, 100))])
def test_far_tails__agree_with_exact_fractions(k: int, n: int, p: Fraction) -> None:
    def mass(j: int) -> Fraction:
        return math.comb(n, j) * p**j * (1 - p) ** (n - j)

    exact = mass(k) / 2 + sum(mass(j) for j in range(k + 1, min(k + 400, n + 1)))
    logarithm = math.log(exact.numerator) - math.log(exact.denominator)
    _, upper = tails(k, float(n * p), float(n * p * (1 - p)))
    assert upper < -700
    assert upper == pytest.approx(logarithm, rel=1e-12)


def test_far_lower_tail__is_in_logarithms() -> None:
    lower, upper = tails(0.0, 5000.0, 4999.0)
    n = 5000.0**2
    assert lower == pytest.approx(math.log(0.5) + n * math.log1p(-5000.0 / n), rel=1e-12)
    assert upper == 0.0


def test_count_above_matched_size__stays_possible() -> None:
    _, upper = tails(3.0, 0.92, 0.92 - 0.8102)
    exact = 0.9 * 0.01 * 0.01
    assert exact < math.exp(upper) < 0.2


def test_nothing_expected__tells_nothing() -> None:
    lower, upper = mid_p_tails(np.zeros(2), np.zeros(2), np.zeros(2))
    np.testing.assert_array_equal(two_sided_log10(lower, upper), 0.0)


def test_threads__give_what_one_gives() -> None:
    rng = np.random.default_rng(3)
    expected = rng.gamma(0.3, 30, 30_000)
    observed = rng.poisson(expected).astype(float)
    whole = mid_p_tails(observed, expected, 0.97 * expected, threads=3)
    parts = [
        mid_p_tails(observed[i : i + 9_000], expected[i : i + 9_000], 0.97 * expected[i : i + 9_000])
        for i in range(0, 30_000, 9_000)
    ]
    for side in (0, 1):
        np.testing.assert_array_equal(whole[side], np.concatenate([part[side] for part in parts]))


@pytest.mark.parametrize("fuzz", [-3e-13, -1e-16, 0.0, 2e-16, 4e-13])
@pytest.mark.parametrize("count", [1.0, 7.0, 400.0])
def test_a_certain_outcome_says_nothing(count: float, fuzz: float) -> None:
    for variance in (0.0, abs(fuzz), -abs(fuzz)):
        lower, upper = mid_p_tails(np.array([count]), np.array([count + fuzz]), np.array([variance]))
        assert two_sided_log10(lower, upper)[0] == pytest.approx(0.0, abs=1e-9)
