"""A small share of what ``python -m tests.statistics.calibration`` measures, on seeds drawn anew."""

from __future__ import annotations

import secrets

import pytest

from tests.statistics.calibration import null_world_figures, planted_world_figures


@pytest.mark.parametrize(("bursts", "washout"), [(False, 0), (True, 0), (True, 365)])
def test_null_worlds__keep_the_promised_error_rate(bursts: bool, washout: int) -> None:
    figures = null_world_figures(
        secrets.randbelow(2**31), bursts, persons=60_000, codes=500, washout_days=washout
    )
    assert 0.93 <= figures["sd"] <= 1.07, figures
    assert 0.035 <= figures["small_p"] <= 0.06, figures
    assert figures["significant"] <= 2, figures


@pytest.mark.parametrize("busier", [3.0, 10.0])
def test_null_worlds__of_a_region_s_density_are_as_quiet(busier: float) -> None:
    figures = null_world_figures(secrets.randbelow(2**31), True, persons=40_000, codes=300, busier=busier)
    assert figures["events"] >= 16 * busier, figures
    assert 0.93 <= figures["sd"] <= 1.07 and figures["widest"] <= 1.1, figures
    assert figures["significant"] <= 2, figures


def test_planted_worlds__are_found() -> None:
    figures = planted_world_figures(secrets.randbelow(2**31), persons=80_000, codes=500)
    assert figures["eligible_significant"] >= 0.9 * figures["eligible"] > 0, figures
    assert figures["false"] <= 0.05 * figures["significant"] + 4, figures
    assert figures["decoys_called"] <= 0.05 * figures["decoys"], figures
    assert figures["wrong_direction"] == 0, figures
