"""Adjusted risk ratios: by hand, unbiased under confounding, and calibrated where nothing happens."""

from __future__ import annotations

import secrets

import numpy as np
import pytest
from scipy import stats

from experiments.statistics.estimates.mantel_haenszel import Strata, adjusted_risk_ratios


def strata(*rows: tuple[int, float, float, float, float]) -> Strata:
    which, *rest = np.array(rows, float).T
    return Strata(which.astype(np.int64), *rest)


def test_risk_ratio__by_hand() -> None:
    """Two strata: RR = (10·90/150 + 8·40/60) / (15·60/150 + 10·20/60)."""
    found = adjusted_risk_ratios(strata((0, 60, 10, 90, 15), (0, 20, 8, 40, 10)), 1)
    assert found.rr[0] == pytest.approx((10 * 90 / 150 + 8 * 40 / 60) / (15 * 60 / 150 + 10 * 20 / 60))
    assert found.expected[0] == pytest.approx(60 * 25 / 150 + 20 * 18 / 60)
    hyper = stats.hypergeom(150, 25, 60).var() + stats.hypergeom(60, 18, 20).var()
    assert found.variance[0] == pytest.approx(hyper)
    assert found.low[0] < found.rr[0] < found.high[0]


def test_strata_without_unexposed__do_not_count() -> None:
    found = adjusted_risk_ratios(strata((0, 10, 10, 0, 0), (1, 5, 2, 10, 4)), 2)
    assert found.observed.tolist() == [0, 2]
    assert found.log10_p[0] == 0
    assert np.isnan(found.rr[0])


@pytest.mark.parametrize("truth", [1.0, 1.8])
def test_confounded_worlds__give_the_truth_and_keep_the_error_rate(truth: float) -> None:
    rng = np.random.default_rng(secrets.randbits(64))
    worlds, cells = 600, 30
    base = rng.uniform(0.02, 0.3, cells)
    exposed_share = 0.05 + 1.5 * base
    n = rng.integers(20, 200, (worlds, cells))
    n1 = rng.binomial(n, exposed_share)
    a, b = rng.binomial(n1, np.minimum(truth * base, 1)), rng.binomial(n - n1, base)
    which = np.repeat(np.arange(worlds), cells)
    found = adjusted_risk_ratios(
        Strata(which, *(x.ravel().astype(float) for x in (n1, a, n - n1, b))), worlds
    )
    covered = np.mean((found.low <= truth) & (truth <= found.high))
    assert 0.925 <= covered <= 0.98
    assert np.median(found.rr) == pytest.approx(truth, rel=0.03)
    if truth == 1.0:
        assert 0.02 <= np.mean(found.log10_p < np.log10(0.05)) <= 0.08
