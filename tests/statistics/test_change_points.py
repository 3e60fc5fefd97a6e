"""Breaks in coding: found where codes are replaced, begun or dropped, and nowhere else."""

from __future__ import annotations

import secrets

import numpy as np
from numpy.typing import NDArray

from experiments.statistics.over_time.change_points import NEW, RETIRED, STEP, find_breaks


def series(rng: np.random.Generator, codes: int, months: int = 96) -> tuple[NDArray[np.int64], ...]:
    """Monthly counts with seasons, drift and a place that doubles: nothing that is a break."""
    activity = rng.poisson(np.linspace(4000, 8000, months))
    rate = np.exp(rng.normal(-6, 1.3, codes))[:, None]
    drift = np.exp(np.outer(rng.normal(0, 0.08, codes), np.arange(months) / 12))
    season = 1 + rng.uniform(0, 0.6, codes)[:, None] * np.sin(2 * np.pi * np.arange(months) / 12)
    totals = np.broadcast_to(activity, (codes, months)).copy()
    return rng.poisson(totals * rate * drift * season), totals


def test_find_breaks__null_worlds_stay_quiet() -> None:
    rng = np.random.default_rng(secrets.randbits(64))
    broken = [int((find_breaks(*series(rng, 300)).month >= 0).any()) for _ in range(20)]
    assert sum(broken) <= 2


def test_find_breaks__planted_ones_are_found_in_their_month() -> None:
    rng = np.random.default_rng(secrets.randbits(64))
    counts, totals = series(rng, 400)
    frequent = np.flatnonzero(counts[:, :24].mean(axis=1) > 12)[:60]
    new, retired, step = np.array_split(frequent, 3)
    counts[new, :40] = 0
    counts[retired, 40:] = 0
    counts[step, 40:] = rng.poisson(4.0 * counts[step, 40:])
    found = find_breaks(counts, totals)
    for planted, kind in ((new, NEW), (retired, RETIRED), (step, STEP)):
        assert (found.kind[planted] == kind).mean() >= 0.8
        assert (np.abs(found.month[planted] - 40) <= 2).mean() >= 0.8
    assert (found.month[np.setdiff1d(np.arange(400), frequent)] >= 0).sum() <= 2
    assert np.all(found.ratio[retired[found.kind[retired] == RETIRED]] < 0.1)


def test_find_breaks__a_place_that_opens_or_closes_breaks_none_of_its_codes() -> None:
    rng = np.random.default_rng(secrets.randbits(64))
    counts, totals = series(rng, 100)
    counts[:, :30] = totals[:, :30] = 0
    counts[:, 80:] = totals[:, 80:] = 0
    assert (find_breaks(counts, totals).month >= 0).sum() <= 1


def test_find_breaks__too_short_a_series_is_not_judged() -> None:
    counts = np.array([[0, 0, 0, 0, 0, 50, 50, 50, 50, 50]])
    assert find_breaks(counts, counts + 1000).month[0] == -1
