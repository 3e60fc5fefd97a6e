"""Trajectories on null and planted worlds with fresh seeds, their survival beside the textbook formula, and their model."""

from __future__ import annotations

import secrets

import numpy as np
import pandas as pd
import pytest

from experiments.analyses.trajectories.model import OUTPUT, TrajectorySet
from experiments.analyses.trajectories.scan import clusters, longer
from experiments.statistics.estimates.shares import share_with_interval
from experiments.statistics.survival.time_to_event import reached_by
from tests.statistics.trajectories import null_figures, planted_figures


def test_null_worlds__have_no_trajectories() -> None:
    figures = null_figures(secrets.randbelow(2**31), persons=40_000, codes=250)
    assert figures["significant"] <= 1, figures


def test_planted_chains__are_walked() -> None:
    figures = planted_figures(secrets.randbelow(2**31), persons=80_000, codes=120)
    assert figures["eligible_significant"] >= 0.9 * figures["eligible"], figures
    assert figures["false"] <= 0.05 * figures["significant"] + 1, figures


def test_a_path_grows_only_where_both_its_ends_are_paths() -> None:
    links = np.array([[0, 1], [1, 2], [1, 3], [2, 0]], np.int32)
    assert longer(links, links).tolist() == [[0, 1, 2], [0, 1, 3], [1, 2, 0], [2, 0, 1]]
    assert longer(links[[0, 2]], links).tolist() == [[0, 1, 3]]
    assert longer(links[:0], links).shape == (0, 3)


def product_limit(stepped: np.ndarray, left: np.ndarray, day: int) -> float:
    """Kaplan and Meier's product, one factor a day."""
    staying = 1.0
    for at in range(1, day + 1):
        at_risk = stepped[at - 1 :].sum() + left[at:].sum()
        if at_risk:
            staying *= 1 - stepped[at - 1] / at_risk
    return 1 - staying


def test_survival_to_the_next_step__is_the_product_limit() -> None:
    rng = np.random.default_rng(secrets.randbits(32))
    for _ in range(20):
        stepped, left = rng.poisson(0.3, 60).astype(np.int32), rng.poisson(0.5, 60).astype(np.int32)
        stepped[3] += 1
        reached = reached_by(30, stepped, left)
        assert reached.share == pytest.approx(product_limit(stepped, left, 30), abs=1e-12)
        assert reached.low <= reached.share <= reached.high
    assert np.isnan(reached_by(30, np.zeros(5, np.int32), np.zeros(5, np.int32)).share)


def test_shares_have_exact_intervals() -> None:
    share, low, high = share_with_interval(np.array([0.0, 7.0, 20.0]), np.array([20.0, 20.0, 20.0]))
    np.testing.assert_allclose(share, [0, 0.35, 1])
    np.testing.assert_allclose(low, [0, 0.15390922, 0.83156652], atol=1e-7)  # R: binom.test(7, 20), (20, 20)
    np.testing.assert_allclose(high, [0.16843348, 0.59218853, 1], atol=1e-7)
    assert np.isnan(share_with_interval(np.zeros(1), np.zeros(1))).all()


def test_clusters__hold_paths_that_share_codes() -> None:
    paths = [(0, 1), (0, 1, 2), (1, 2), (7, 8), (8, 9), (3, 4)]
    significant = np.array([True, True, True, True, True, False])
    numbers = clusters(paths, significant, seed=3).to_pylist()
    assert numbers[0] == numbers[1] == numbers[2] == 0
    assert numbers[3] == numbers[4] == 1 and numbers[5] is None


def trajectories() -> pd.DataFrame:
    rows = [
        (["ICD10//I10", "ICD10//I21"], 900, 90, 0.1),
        (["ICD10//I10", "ICD10//I21", "ICD10//I50"], 90, 30, 1 / 3),
        (["ICD10//I21", "ICD10//I50"], 200, 40, 0.2),
    ]
    made = []
    for items, walked, on, share in rows:
        texts = [f"name of {item}" for item in items]
        row = {
            "items": items,
            "texts": texts,
            "window": "1-1826",
            "n_walked": walked,
            "n_person": on,
            "share": share,
        }
        row |= {f"share_{end}": share + by for end, by in (("low", -0.05), ("high", 0.05))}
        row |= dict.fromkeys(("within_year", "within_year_low", "within_year_high"), share / 2)
        made.append({**row, "lag_q50": 200.0})
    return pd.DataFrame(made)


def told(*events: tuple[str, int]) -> list[dict[str, object]]:
    frame = pd.DataFrame([("p", code, day) for code, day in events], columns=["person", "code", "day"])
    answer = TrajectorySet(trajectories()).predict(frame)
    assert list(answer.columns) == list(OUTPUT)
    return list(answer.to_dict("records"))


def test_the_model_says_what_came_next_for_those_who_walked_this_way() -> None:
    (row,) = told(("ICD10//I10", 0), ("ICD10//I219", 400), ("ATC//C07", 500))
    assert row["walked"] == "ICD10//I10 → ICD10//I21" and row["code"] == "ICD10//I50"
    assert (row["persons_walked"], row["persons_next"], row["days_since"]) == (90, 30, 100)
    assert row["share_low"] < row["share"] < row["share_high"]  # type: ignore[operator]


def test_the_model_knows_order_window_and_what_a_person_has() -> None:
    assert told(("ICD10//I10", 400), ("ICD10//I21", 0))[0]["walked"] == "ICD10//I21", "the other way round"
    assert told(("ICD10//I10", 0), ("ICD10//I21", 2000))[0]["walked"] == "ICD10//I21", "too late"
    assert [row["code"] for row in told(("ICD10//I10", 0))] == ["ICD10//I21"]
    assert told(("ICD10//I10", 0), ("ICD10//I21", 5), ("ICD10//I500", 9)) == []
    assert told(("ATC//C07", 0)) == []
