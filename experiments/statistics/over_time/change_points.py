"""Breaks in how often a code is written down: new and retired codes, and steps from one month to the next."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from experiments.statistics.distributions.tails import mid_p_tails, two_sided_log10

WINDOW = 12
"""Months looked at on either side: whole years on both, so that seasons cancel."""
FEWEST_MONTHS = 6
"""Months needed on either side."""
LEAST_RATIO = 2.0
"""A smaller step is not a break: practice drifts."""
NONE, STEP, NEW, RETIRED = 0, 1, 2, 3
KINDS = ("", "step", "new", "retired")


class Breaks(NamedTuple):
    """One entry a series: month of its clearest break (the first month after it), -1 for none.

    ``ratio`` is the rate after over the rate before (0 retired, inf new), ``log10_p`` is corrected for every
    month of every series looked at, ``kind`` is none, step, new or retired.
    """

    month: NDArray[np.int64]
    ratio: NDArray[np.float64]
    log10_p: NDArray[np.float64]
    kind: NDArray[np.int8]


def find_breaks(counts: NDArray[np.integer], totals: NDArray[np.integer], level: float = 0.01) -> Breaks:
    """The clearest break of each row of ``counts`` [series, month] against the records made in all.

    ``totals`` [series, month] is the activity the counts are a part of (all records of the place): a place
    that opens, closes or grows is no break of its codes. Before and after are compared given their sum, by
    mid-p with the scatter of the months around both rates, and from each month to the next, as overdispersion;
    family-wise error ``level`` over all series and months.
    """
    n, months = counts.shape
    restless, freedom = _restlessness(counts, totals)
    best = Breaks(np.full(n, -1), np.ones(n), np.zeros(n), np.zeros(n, np.int8))
    splits = range(FEWEST_MONTHS, months - FEWEST_MONTHS + 1)
    looks = math.log10(max(n * len(splits), 1))
    for split in splits:
        before = slice(max(split - WINDOW, 0), split)
        after = slice(split, min(split + WINDOW, months))
        ratio, log10_p = _compare(counts, totals, before, after, restless)
        log10_p = np.minimum(_studentised(log10_p, freedom) + looks, 0.0)
        with np.errstate(divide="ignore"):
            clear = (log10_p <= math.log10(level)) & (np.abs(np.log(ratio)) >= math.log(LEAST_RATIO))
        better = clear & (log10_p < best.log10_p)
        best.month[better], best.ratio[better], best.log10_p[better] = split, ratio[better], log10_p[better]
    found = best.month >= 0
    ever_before = np.array([counts[s, : max(m, 0)].sum() for s, m in enumerate(best.month)], dtype=np.int64)
    ever_after = np.array([counts[s, max(m, 0) :].sum() for s, m in enumerate(best.month)], dtype=np.int64)
    best.kind[found] = STEP
    best.kind[found & (ever_before <= 0.02 * ever_after)] = NEW
    best.kind[found & (ever_after <= 0.02 * ever_before)] = RETIRED
    return best


def _compare(
    counts: NDArray[np.integer],
    totals: NDArray[np.integer],
    before: slice,
    after: slice,
    restless: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rate ratio of two spans of months, and log10 of its two-sided p, by series."""
    n0, n1 = (counts[:, span].sum(axis=1).astype(np.float64) for span in (before, after))
    t0, t1 = (totals[:, span].sum(axis=1).astype(np.float64) for span in (before, after))
    usable = (t0 > 0) & (t1 > 0) & (n0 + n1 > 0)
    t0, t1 = np.where(usable, t0, 1.0), np.where(usable, t1, 1.0)
    share = t1 / (t0 + t1)
    total = n0 + n1
    scatter = np.zeros(len(n0))
    for span, number, activity in ((before, n0, t0), (after, n1, t1)):
        fitted = totals[:, span] * (number / activity)[:, None]
        gap = (counts[:, span] - fitted) ** 2
        scatter += np.divide(gap, fitted, out=np.zeros_like(fitted), where=fitted > 0).sum(axis=1)
    freedom = (before.stop - before.start) + (after.stop - after.start) - 2
    dispersion = np.maximum(scatter / freedom, restless)
    variance = dispersion * total * share * (1.0 - share)
    log10_p = two_sided_log10(*mid_p_tails(n1, total * share, variance))
    ratio = np.divide(n1 * t0, n0 * t1, out=np.full(len(n0), np.inf), where=n0 > 0)
    ratio[~usable], log10_p[~usable] = 1.0, 0.0
    return ratio, log10_p


def _studentised(log10_p: NDArray[np.float64], freedom: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same deviate read off Student's law, since the scatter it was divided by is estimated."""
    deviate = special.ndtri_exp(log10_p * math.log(10.0) - math.log(2.0))
    tail = np.log10(np.maximum(2.0 * special.stdtr(freedom, deviate), 1e-300))
    result: NDArray[np.float64] = np.minimum(tail, 0.0)
    return result


def _restlessness(
    counts: NDArray[np.integer], totals: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much more neighbouring months differ than chance has them (at least 1), and from how many pairs.

    Given the sum of two months each is binomial, and its squared deviation over its variance 1 on average. The
    two largest are left out: a break itself is one of them.
    """
    n, t = counts.astype(np.float64), totals.astype(np.float64)
    both, activity = n[:, :-1] + n[:, 1:], t[:, :-1] + t[:, 1:]
    share = np.divide(t[:, 1:], activity, out=np.zeros_like(activity), where=activity > 0)
    variance = both * share * (1.0 - share)
    gaps = np.divide(
        (n[:, 1:] - both * share) ** 2, variance, out=np.zeros_like(variance), where=variance > 0
    )
    used = np.maximum((variance > 0).sum(axis=1) - 2, 1).astype(np.float64)
    rest = np.sort(gaps, axis=1)[:, :-2].sum(axis=1)
    return np.maximum(rest / used, 1.0), used
