"""Share of the exposed who get the outcome before they die: the Aalen-Johansen estimate with its interval."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Z = 1.959963984540054


class Incidence(NamedTuple):
    """Cumulative incidence with a 95 % interval, and that of dying first; NaN where nobody is at risk."""

    share: float
    low: float
    high: float
    died_first: float


def cumulative_incidence(at_risk: int, days: NDArray[np.integer]) -> Incidence:
    """Aalen-Johansen estimate at the end of the follow-up.

    ``days`` [day, (outcomes, deaths, ends of observation)]. Who leaves observation leaves after the outcomes
    and deaths of that day. Variance by the delta method (Marubini & Valsecchi 1995), limits on the
    complementary log-log scale, so that they stay within 0 and 1;
    where nobody or everybody has the outcome, the exact one-sided limit of a binomial.
    """
    if at_risk <= 0:
        return Incidence(np.nan, np.nan, np.nan, np.nan)
    d1, d2 = days[:, 0].astype(np.float64), days[:, 1].astype(np.float64)
    gone = days.sum(axis=1)
    n = at_risk - (np.cumsum(gone) - gone).astype(np.float64)
    some = (d1 + d2 > 0) & (n > 0)
    d1, d2, n = d1[some], d2[some], n[some]
    edge = 0.025 ** (1.0 / at_risk)
    if not len(n):
        return Incidence(0.0, 0.0, 1.0 - edge, 0.0)
    survival = np.cumprod(1.0 - (d1 + d2) / n)
    before = np.concatenate([[1.0], survival[:-1]])
    incidence = np.cumsum(before * d1 / n)
    share = float(incidence[-1])
    left = share - incidence
    d = d1 + d2
    spread = np.divide(d, n * (n - d), out=np.zeros_like(n), where=n > d)
    variance = float(
        np.sum(left**2 * spread)
        + np.sum(before**2 * (n - d1) * d1 / n**3)
        - 2 * np.sum(left * before * d1 / n**2)
    )
    died = float(np.sum(before * d2 / n))
    if share <= 0.0 or share >= 1.0:
        return (
            Incidence(share, 0.0, 1.0 - edge, died) if share <= 0.0 else Incidence(share, edge, share, died)
        )
    log = np.log(share)
    width = Z * np.sqrt(max(variance, 0.0)) / (share * abs(log))
    return Incidence(share, share ** np.exp(width), share ** np.exp(-width), died)


class StepShare(NamedTuple):
    """Share that took the step by a day, with its 95 % interval, and the day by which half had (NaN: never)."""

    share: float
    low: float
    high: float
    median: float


def reached_by(day: int, stepped: NDArray[np.int32], left: NDArray[np.int32], bin_days: int = 1) -> StepShare:
    """From counts by bin: persons by days to the step, and persons by days they were seen without taking it.

    ``stepped`` and ``left`` count persons [bin]. Bin 0 of ``stepped`` is the first ``bin_days`` days, of ``left`` those
    seen for less than that.
    """
    from lifelines import KaplanMeierFitter

    steps, ends = np.flatnonzero(stepped), np.flatnonzero(left)
    if not len(steps) and not len(ends):
        return StepShare(np.nan, np.nan, np.nan, np.nan)
    durations = np.concatenate([(steps + 1) * bin_days, ends * bin_days])
    weights = np.concatenate([stepped[steps], left[ends]])
    events = np.concatenate([np.ones(len(steps), bool), np.zeros(len(ends), bool)])
    fitted = KaplanMeierFitter().fit(durations, events, weights=weights)
    staying = float(fitted.predict(day))
    band = fitted.confidence_interval_
    row = band[band.index <= day].iloc[-1].to_numpy()
    low, high = (1 - float(value) for value in (max(row), min(row)))
    median = float(fitted.median_survival_time_)
    return StepShare(1 - staying, low, high, median if np.isfinite(median) else np.nan)
