"""How long until the next step, when some were seen for less time than others: Kaplan and Meier's estimate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Reached(NamedTuple):
    """Share that took the step by a day, with its 95 % interval, and the day by which half had (NaN: never)."""

    share: float
    low: float
    high: float
    median: float


def reached_by(day: int, stepped: NDArray[np.int32], left: NDArray[np.int32], bin_days: int = 1) -> Reached:
    """From counts by bin: persons by days to the step, and persons by days they were seen without taking it.

    Bin 0 of ``stepped`` is the first ``bin_days`` days, of ``left`` those seen for less than that.
    """
    from lifelines import KaplanMeierFitter

    steps, ends = np.flatnonzero(stepped), np.flatnonzero(left)
    if not len(steps) and not len(ends):
        return Reached(np.nan, np.nan, np.nan, np.nan)
    durations = np.concatenate([(steps + 1) * bin_days, ends * bin_days])
    weights = np.concatenate([stepped[steps], left[ends]])
    events = np.concatenate([np.ones(len(steps), bool), np.zeros(len(ends), bool)])
    fitted = KaplanMeierFitter().fit(durations, events, weights=weights)
    staying = float(fitted.predict(day))
    band = fitted.confidence_interval_
    row = band[band.index <= day].iloc[-1].to_numpy()
    low, high = (1 - float(value) for value in (max(row), min(row)))
    median = float(fitted.median_survival_time_)
    return Reached(1 - staying, low, high, median if np.isfinite(median) else np.nan)
