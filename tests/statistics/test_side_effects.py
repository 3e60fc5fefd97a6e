"""Published and computed figures of every design, each also beside a plain implementation."""

from __future__ import annotations

import math
import secrets
from itertools import product

import numpy as np
import pyarrow as pa
import pytest
from scipy import optimize, sparse, stats

from experiments.analyses.side_effects.branches import with_branches
from experiments.analyses.side_effects.designs import two_of_three
from experiments.statistics.designs.negative_controls import calibrated_p, fit_scatter
from experiments.statistics.designs.self_controlled import case_series, self_controlled_cohort, stretches_of
from experiments.statistics.designs.symmetry import null_ratios, symmetry
from experiments.statistics.observed_expected.disproportionality import (
    Prior,
    ebgm,
    fit_prior,
    information_component,
    max_statistic_p,
    temporal_ic,
)
from experiments.statistics.observed_expected.tree_scan import tree_of, tree_scan
from tests.oracles.reactions import null_ratio
from tests.statistics.side_effects import null_figures, planted_figures

THETA = Prior(3.25379356, 0.39988854, 2.02612692, 1.90807970, 0.06534557)
"""Published prior (two gammas and the share of the first)."""


def one(*values: float) -> list[np.ndarray]:
    return [np.array([value]) for value in values]


@pytest.mark.parametrize(
    ("o", "e", "ic", "low", "high"),
    [
        (25, 1126 * 87 / 572_573, 5.247845, 4.626870, 5.757635),
        (10, 2, 2.070389, 1.040247, 2.826960),
        (3, 1, 1.222392, -0.828051, 2.416188),
        (0, 2, -2.321928, -12.313816, 0.006876),
    ],
)
def test_information_component__as_published(o: float, e: float, ic: float, low: float, high: float) -> None:
    np.testing.assert_allclose(np.concatenate(information_component(*one(o, e))), [ic, low, high], atol=1e-6)


def test_information_component__of_expected_counts_from_margins() -> None:
    assert pytest.approx(0.1710908, abs=1e-7) == 1126 * 87 / 572_573
    value = information_component(*one(203, 30_068 * 508 / 155_209))[0][0]
    assert value == pytest.approx(1.0408, abs=1e-4)


@pytest.mark.parametrize(
    ("n", "e", "middle", "low", "high"),
    [
        (1, 0.0360548272, 2.23, 0.49, 13.85),
        (16, 0.40643623, 23.26, 15.68, 33.48),
        (19, 0.89690107, 16.78, 11.65, 23.55),
    ],
)
def test_ebgm__as_published(n: float, e: float, middle: float, low: float, high: float) -> None:
    found = np.concatenate(ebgm(*one(n, e), THETA))
    np.testing.assert_allclose(found, [middle, low, high], atol=0.007)


def test_ebgm__with_its_fitted_prior_holds_the_true_rates() -> None:
    rng = np.random.default_rng(secrets.randbits(32))
    truth = Prior(2.0, 0.5, 3.0, 3.0, 0.1)
    e = rng.lognormal(1, 1, 10_000)
    first = rng.random(len(e)) < truth.share
    rate = np.where(
        first,
        rng.gamma(truth.alpha1, 1 / truth.beta1, len(e)),
        rng.gamma(truth.alpha2, 1 / truth.beta2, len(e)),
    )
    n = rng.poisson(rate * e).astype(float)
    found = fit_prior(n, e)
    _, low, high = ebgm(n, e, found)
    assert np.mean((low <= rate) & (rate <= high)) == pytest.approx(0.90, abs=0.015)


INDEX = {0: 2, 10: 1, 400: 3}
MARKER = {5: 1, 10: 2, 100: 1, 380: 4, 900: 1}


def by_day(starts: dict[int, int], days: int = 901) -> np.ndarray:
    row = np.zeros((1, days), np.int32)
    for day, number in starts.items():
        row[0, day] = number
    return row


@pytest.mark.parametrize(("d", "nsr"), [(365, 0.5625), (548, 0.96)])
def test_null_effect_ratio__as_computed_by_hand(d: int, nsr: float) -> None:
    assert null_ratios(by_day(INDEX), by_day(MARKER), d)[0, 0] == pytest.approx(nsr, abs=1e-12)


def test_null_effect_ratios__of_all_pairs_are_those_of_each() -> None:
    rng = np.random.default_rng(secrets.randbits(32))
    for _ in range(30):
        days, d = int(rng.integers(2, 60)), int(rng.integers(1, 70))
        index, marker = rng.poisson(0.3, (4, days)), rng.poisson(0.4, (5, days))
        ratios = null_ratios(index.astype(np.int32), marker.astype(np.int32), d)
        for i, m in product(range(4), range(5)):
            each = [np.repeat(np.arange(days), row).tolist() for row in (index[i], marker[m])]
            wanted = null_ratio(each[0], each[1], d)
            assert ratios[i, m] == pytest.approx(wanted) or not math.isfinite(wanted)


def test_sequence_ratio__as_computed_by_hand() -> None:
    found = symmetry(*one(100, 50, 1.0))
    assert found.csr[0] == 2.0
    np.testing.assert_allclose([found.low[0], found.high[0]], [1.430784, 2.822065], atol=1e-6)
    wanted = stats.binom.sf(100, 150, 0.5) + 0.5 * stats.binom.pmf(100, 150, 0.5)
    assert found.log10_p[0] == pytest.approx(np.log10(wanted), abs=1e-9)
    half = symmetry(*one(100, 50, 2.0))
    assert half.asr[0] == 1.0 and half.low[0] == pytest.approx(1.430784 / 2, abs=1e-6)
    assert np.isnan(symmetry(*one(0, 0, 1.0)).asr[0]) and np.isnan(symmetry(*one(3, 2, np.inf)).asr[0])


def test_self_controlled_cohort__is_the_exact_comparison_of_two_rates() -> None:
    found = self_controlled_cohort(*one(30, 12, 3000, 2400))
    assert found.ratio[0] == pytest.approx((30 / 3000) / (12 / 2400))
    exact = stats.binomtest(30, 42, 3000 / 5400).proportion_ci(0.95)
    for end, share in zip((found.low[0], found.high[0]), exact, strict=True):
        assert end == pytest.approx(share / (1 - share) * 2400 / 3000, rel=1e-9)
    assert np.isnan(self_controlled_cohort(*one(0, 0, 10, 10)).ratio[0])


def test_temporal_ic__is_raised_by_the_worst_control_window() -> None:
    control = np.array([[0.5, 3.0, 2.0]])
    np.testing.assert_allclose(temporal_ic(*one(20, 4), control)[0], np.log2(20.5 / 12.5))
    np.testing.assert_allclose(
        temporal_ic(*one(20, 4), control * 0.1)[0], np.log2(20.5 / 4.5), err_msg="never lowered"
    )


def test_max_statistic__keeps_its_level_over_windows_that_share_days() -> None:
    rng = np.random.default_rng(secrets.randbits(32))
    windows = np.array(
        [[1, 0, 0, 0, 0], [1, 1, 1, 1, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 1]], bool
    )
    expected = np.array([3.0, 6.0, 9.0, 18.0, 36.0])
    p = [
        max_statistic_p(rng.poisson(expected).astype(float), expected, windows, rng, draws=199)
        for _ in range(600)
    ]
    assert 0.02 <= np.mean(np.array(p) <= 0.05) <= 0.085
    harm = max_statistic_p(np.array([20.0, 6, 9, 18, 36]), expected, windows, rng)
    assert harm <= 0.01


def test_case_series__is_the_conditional_likelihood_maximised_plainly() -> None:
    rng = np.random.default_rng(secrets.randbits(32))
    seen, events, exposures = [], [], []
    for _ in range(400):
        start = int(rng.integers(50, 300))
        risk = rng.random() < 0.5
        day = int(start + rng.integers(1, 31)) if risk else int(rng.integers(0, 365))
        seen.append((0, 364))
        events.append(np.array([day]))
        exposures.append([(start + 1, start + 30, 1)])
    stretches = stretches_of(np.array(seen), events, exposures, np.array([120, 240]))

    def lack(beta: np.ndarray) -> float:
        total = 0.0
        for case in range(400):
            mine = stretches.case == case
            rate = stretches.days[mine] * np.exp(
                beta[0] * (stretches.exposure[mine] == 1)
                + beta[1] * (stretches.age[mine] == 1)
                + beta[2] * (stretches.age[mine] == 2)
            )
            total += float((stretches.events[mine] * np.log(rate / rate.sum())).sum())
        return -total

    plain = optimize.minimize(lack, np.zeros(3), method="BFGS").x[0]
    found = case_series(stretches)
    assert np.log(found.ratio[0]) == pytest.approx(plain, abs=1e-4)
    assert found.low[0] < found.ratio[0] < found.high[0] and found.ratio[0] > 5


def test_case_series__cuts_time_without_losing_a_day_or_an_event() -> None:
    stretches = stretches_of(
        np.array([[0, 99], [10, 59]]),
        [np.array([5, 40]), np.array([59])],
        [[(20, 29, 1), (25, 34, 2)], []],
        np.array([50]),
    )
    assert (
        stretches.days[stretches.case == 0].sum() == 100 and stretches.days[stretches.case == 1].sum() == 50
    )
    assert stretches.events.sum() == 3
    by_class = {k: stretches.days[(stretches.case == 0) & (stretches.exposure == k)].sum() for k in (0, 1, 2)}
    assert by_class == {0: 85, 1: 5, 2: 10}, "the later of two windows counts"


def test_negative_controls__say_how_far_an_estimate_must_rise() -> None:
    rng = np.random.default_rng(secrets.randbits(32))
    error = rng.uniform(0.05, 0.4, 3000)
    y = rng.normal(0.2, np.sqrt(0.15**2 + error**2))
    scatter = fit_scatter(y, error)
    assert scatter.mean == pytest.approx(0.2, abs=0.03) and scatter.sd == pytest.approx(0.15, abs=0.03)
    assert np.mean(calibrated_p(y, error, scatter) < 0.05) == pytest.approx(0.05, abs=0.015)
    assert fit_scatter(y[:5], error[:5]) == (0.0, 0.0, 5)


def test_tree_scan__finds_a_branch_no_leaf_of_which_stands_out() -> None:
    rng = np.random.default_rng(secrets.randbits(32))
    names = [f"ICD10//{letter}{digit}{k}" for letter in "ABCDEF" for digit in range(4) for k in range(4)]
    nodes, columns = tree_of(names, {"ICD10": (1, 2)})
    rows = sparse.csr_array(np.eye(3))
    expected = np.full((3, len(names)), 4.0)
    quiet = tree_scan(rng.poisson(expected).astype(float), expected, rows, columns, seed=3)
    assert quiet.p.min() > 0.005
    rate = expected.copy()
    rate[1, [name.startswith("ICD10//C2") for name in names]] *= 4.0
    found = tree_scan(rng.poisson(rate).astype(float), expected, rows, columns, seed=4)
    best = np.unravel_index(found.ratio.argmax(), found.ratio.shape)
    assert best[0] == 1 and nodes[best[1]].startswith("ICD10//C") and found.p[best] == 1 / 200


def test_tree_scan__keeps_one_error_rate_over_all_nodes() -> None:
    rng = np.random.default_rng(secrets.randbits(32))
    names = [f"ATC//{letter}{k:02d}" for letter in "ABC" for k in range(8)]
    _, columns = tree_of(names, {"ATC": (1,)})
    expected = rng.uniform(0.5, 8, (2, len(names)))
    rows = sparse.csr_array(np.vstack([np.eye(2), np.ones((1, 2))]))
    least = [
        tree_scan(rng.poisson(expected).astype(float), expected, rows, columns, seed=k, draws=59).p.min()
        for k in range(150)
    ]
    assert np.mean(np.array(least) <= 0.05) <= 0.12


def test_a_tree_lists_each_set_of_codes_once() -> None:
    nodes, matrix = tree_of(["ATC//A01", "ATC//A02", "ATC//B01", "NPU//X"], {"ATC": (1,)})
    assert nodes == ["ATC//A", "ATC//A01", "ATC//A02", "ATC//B01", "NPU//X"]
    assert matrix.toarray()[0].tolist() == [1, 1, 0, 0]


def test_two_designs_must_agree() -> None:
    p = two_of_three(np.log10([[1e-9, 0.5, 0.6], [1e-9, 1e-4, 0.6], [1e-9, np.nan, 1e-3]]))
    np.testing.assert_allclose(p, np.log10([1.0, 2e-4, 2e-3]))


def test_branches__of_medicines_and_events_are_told_once_and_without_numbers() -> None:
    rng = np.random.default_rng(secrets.randbits(32))
    names = [f"ATC//A01A{k}" for k in "ABCDEF"] + [f"ATC//C0{k}AA" for k in range(6)]
    names += [f"ICD10//K{k:02d}" for k in range(20, 28)] + [f"ICD10//R{k:02d}" for k in range(10)]
    pairs = [(a, b) for a in range(12) for b in range(12, 30)]
    expected = np.full(len(pairs), 6.0)
    hit = np.array([a < 6 and b < 20 for a, b in pairs])
    table = pa.table(
        {
            "code_a": np.array([a for a, _ in pairs], np.int32), "code_b": np.array([b for _, b in pairs], np.int32),
            "O": rng.poisson(np.where(hit, 2.0, 1.0) * expected).astype(np.int32), "E": expected,
            "tested": np.ones(len(pairs), bool), "called": np.zeros(len(pairs), bool), "flags": [""] * len(pairs),
            "q_bh": np.ones(len(pairs)), "q_by": np.ones(len(pairs)), "log10_p": np.zeros(len(pairs)),
            "window": ["1-365"] * len(pairs),
        }
    )  # fmt: skip
    wider, more = with_branches(table, names, 0.05, seed=3)
    rows = wider.slice(table.num_rows).to_pylist()
    assert [(more[row["code_a"]], more[row["code_b"]]) for row in rows] == [("ATC//A01A", "ICD10//K2")]
    assert rows[0]["tree_p"] == 1 / 200 and rows[0]["O"] is None and rows[0]["flags"] == "branch"


def test_null_worlds__call_no_side_effect() -> None:
    figures = null_figures(secrets.randbelow(2**31), persons=30_000, codes=160)
    assert figures["significant"] <= 1, figures
    assert 0.03 <= figures["miss"]["ssa"] <= 0.075 and figures["miss"]["scc"] <= 0.06, figures
    assert abs(figures["controls"].mean) < 0.03 and figures["controls"].sd < 0.08, figures


def test_planted_harms__are_found_by_two_designs() -> None:
    figures = planted_figures(secrets.randbelow(2**31), persons=30_000, codes=120, harms=8)
    assert figures["eligible_significant"] >= 0.9 * figures["eligible"] > 0, figures
    assert figures["false"] <= 0.05 * figures["significant"] + 1, figures
