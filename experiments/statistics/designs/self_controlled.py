"""A person as their own control: events in the days after a start against those before, and the case series."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from experiments.statistics.distributions.tails import mid_p_tails


class RateRatio(NamedTuple):
    """By pair: rate after the start over the rate before, exact limits, log10 of the one-sided mid-p of more after."""

    ratio: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    log10_p: NDArray[np.float64]


def self_controlled_cohort(
    after: NDArray[np.float64],
    before: NDArray[np.float64],
    days_after: NDArray[np.float64],
    days_before: NDArray[np.float64],
    level: float = 0.95,
) -> RateRatio:
    """Rate ratio of a self-controlled cohort (Ryan et al. 2013): given their sum, events after are binomial.

    NaN where nothing happened or no time was seen. Limits are those of Clopper and Pearson for the share.

    Events and person-days after and before the start, all [pair]; ``level`` of the interval.
    """
    known = (after + before > 0) & (days_after > 0) & (days_before > 0)
    a, b, t, s = (np.where(known, each, 1.0) for each in (after, before, days_after, days_before))
    tail, odds = (1.0 - level) / 2, s / t
    low = np.where(a > 0, stats.beta.ppf(tail, a, b + 1), 0.0)
    high = np.where(b > 0, stats.beta.ppf(1 - tail, a + 1, b), 1.0)
    share = t / (t + s)
    mean = (a + b) * share
    _, upper = mid_p_tails(a, mean, mean * (1 - share))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = RateRatio(
            a / b * odds, low / (1 - low) * odds, high / (1 - high) * odds, upper / math.log(10)
        )
    return RateRatio(*(np.where(known, each, np.nan) for each in found))


class Stretch(NamedTuple):
    """Stretches of the cases' time: one entry each, of one case, under one exposure and age class, in days.

    ``events`` fell into the stretch; exposure class 0 and age class 0 are what the others are compared with.
    """

    case: NDArray[np.int64]
    exposure: NDArray[np.int64]
    age: NDArray[np.int64]
    days: NDArray[np.float64]
    events: NDArray[np.int64]


class CaseSeries(NamedTuple):
    """Incidence ratios of exposure classes 1, 2, … with 95 % limits; standard errors of their logarithms."""

    ratio: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    error: NDArray[np.float64]


def case_series(stretches: Stretch, steps: int = 50) -> CaseSeries:
    """Self-controlled case series (Farrington 1995): a multinomial of each case's events over its own stretches.

    The chance of a stretch is its days times the ratios of its exposure and age class, over the sum of the case.
    Newton's method; a class without events gets ratio 0 with limits from 0 to infinity.
    """
    n_exposures, n_ages = int(stretches.exposure.max(initial=0)), int(stretches.age.max(initial=0))
    size = n_exposures + n_ages
    design = np.zeros((len(stretches.days), size))
    for column, (values, number) in enumerate(
        [(stretches.exposure, k + 1) for k in range(n_exposures)]
        + [(stretches.age, k + 1) for k in range(n_ages)]
    ):
        design[:, column] = values == number
    _, case = np.unique(stretches.case, return_inverse=True)
    n_cases = int(case.max(initial=-1)) + 1
    events = stretches.events.astype(float)
    totals = np.bincount(case, weights=events, minlength=n_cases)
    met = (design * events[:, None]).sum(axis=0)
    free = np.flatnonzero(met > 0)
    beta = np.zeros(size)
    beta[met == 0] = -30.0
    information = np.eye(len(free))
    for _ in range(steps):
        weight = stretches.days * np.exp(design @ beta)
        share = weight / np.bincount(case, weights=weight, minlength=n_cases)[case]
        x = design[:, free]
        mean = np.stack(
            [np.bincount(case, weights=share * x[:, j], minlength=n_cases) for j in range(len(free))], axis=1
        ).reshape(n_cases, len(free))
        score = met[free] - totals @ mean
        information = (x * (share * totals[case])[:, None]).T @ x - (mean * totals[:, None]).T @ mean
        step = np.linalg.lstsq(information, score, rcond=None)[0]
        beta[free] += np.clip(step, -2.0, 2.0)
        if np.abs(step).max(initial=0.0) < 1e-10:
            break
    error = np.full(size, np.inf)
    error[free] = np.sqrt(np.maximum(np.diag(np.linalg.pinv(information)), 0.0))
    beta, error = beta[:n_exposures], error[:n_exposures]
    z = stats.norm.ppf(0.975)
    with np.errstate(over="ignore", invalid="ignore"):
        ratio = np.where(np.isinf(error), 0.0, np.exp(beta))
        low, high = np.exp(beta - z * error), np.exp(beta + z * error)
    return CaseSeries(
        ratio, np.where(np.isinf(error), 0.0, low), np.where(np.isinf(error), np.inf, high), error
    )


def stretches_of(
    seen: NDArray[np.int64],
    events: list[NDArray[np.int64]],
    exposures: list[list[tuple[int, int, int]]],
    age_cuts: NDArray[np.int64],
) -> Stretch:
    """Cut the time of each case at its exposure windows and at age cuts.

    ``seen`` [case, 2] first and last day; ``events`` days by case; ``exposures`` (first day, last day, class) by case,
    of overlapping windows the later in the list counts; ``age_cuts`` are days on the same scale (of age, or of the
    calendar) at which a new class begins.
    """
    rows: list[tuple[int, int, int, int, int]] = []
    for case, (low, high) in enumerate(seen.tolist()):
        cuts = {low, high + 1, *(int(cut) for cut in age_cuts if low < cut <= high)}
        for first, last, _ in exposures[case]:
            cuts |= {day for day in (first, last + 1) if low < day <= high}
        ordered = sorted(cuts)
        for start, stop in pairwise(ordered):
            label = 0
            for first, last, name in exposures[case]:
                if first <= start <= last:
                    label = name
            years = int(np.searchsorted(age_cuts, start, side="right"))
            here = int(((events[case] >= start) & (events[case] < stop)).sum())
            rows.append((case, label, years, stop - start, here))
    table = np.array(rows, np.int64).reshape(-1, 5)
    _, ages = np.unique(table[:, 2], return_inverse=True)
    return Stretch(table[:, 0], table[:, 1], ages, table[:, 3].astype(float), table[:, 4])
