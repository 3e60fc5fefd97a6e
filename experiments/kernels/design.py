"""What is compared with what: horizon, strata and the calendar of the pair scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SETTINGS_KNOWN = 8
"""Settings 0 to 7 are known; a higher class is the busyness of the day, standing in for an unknown one."""

FIRST_YEAR, LAST_YEAR = 1400, 3447
"""Calendar years a stratum key has room for; dates outside count as the nearest of them."""

MOST_BANDS = 63
"""Bands of earlier events that a stratum key has room for."""

HALVES = 2
OPEN, LOCKED = 0, 1
"""Persons of half 0 are open to discovery, those of half 1 are locked until replication."""


@dataclass(frozen=True)
class PairScanSettings:
    """Definition of one scan; two scans with equal settings count the same things.

    ``n_codes`` codes are numbered from 0. An outcome must follow within ``horizon_days``. The bands of prior
    events and of busyness begin at their cuts; ages fall into ``age_width``-year bands up to ``top_band``; calendar time
    is cut into periods of ``period_months`` (12, 6 or 3). Without ``prior_cuts`` and ``busy_cuts`` bands and periods are yet
    to be cut from the study's own exposures (:mod:`experiments.kernels.bands`); no exposure is found before.

    Wash-out: a first day less than ``washout_days`` after the first event of the person's timeline may be that of
    something older, so it is **prevalent** and no exposure. Nothing else of the definition changes: the person is at
    risk of no prevalent code, as it happened before every exposure there is, hence it is no outcome either; prior
    events count it. N, M, A, O, E and V are sums over the same exposures as ever, only fewer, so for every code the
    sum of O over exposures stays that of E. Somebody born, or moved in, under observation has a first event too:
    what is lost there is lost to caution.
    """

    n_codes: int
    horizon_days: int = 1826
    prior_cuts: tuple[int, ...] = ()
    busy_cuts: tuple[int, ...] = ()
    period_months: int = 12
    age_width: int = 5
    top_band: int = 19
    washout_days: int = 0

    def __post_init__(self) -> None:
        if self.n_codes < 1 or self.horizon_days < 1 or self.age_width < 1 or not 0 <= self.top_band < 64:
            raise ValueError("n_codes, horizon_days and age_width start at 1, top_band lies in 0..63")
        if self.period_months not in (3, 6, 12):
            raise ValueError("period_months is 3, 6 or 12")
        if self.washout_days < 0:
            raise ValueError("washout_days starts at 0")
        if bool(self.prior_cuts) != bool(self.busy_cuts):
            raise ValueError("bands of earlier events and of busyness are cut together")
        for cuts, first, most in ((self.prior_cuts or (0,), 0, MOST_BANDS), (self.busy_cuts or (1,), 1, 16)):
            if cuts[0] != first or list(cuts) != sorted(set(cuts)) or len(cuts) > most:
                raise ValueError(f"cuts must rise from {first}, at most {most} of them: {cuts}")


def without_washout(settings: PairScanSettings) -> PairScanSettings:
    """The same settings, for counts that know no wash-out. Raises ValueError where one is asked of them."""
    if settings.washout_days:
        raise ValueError("these counts know no wash-out: washout_days must be 0")
    return settings


def band_table(cuts: tuple[int, ...]) -> NDArray[np.int64]:
    """Band of every count up to the last cut; higher counts fall into the last band.

    Returns [count], from 0 to the last cut.
    """
    counts = np.arange(cuts[-1] + 1)
    return np.maximum(np.searchsorted(np.asarray(cuts), counts, side="right") - 1, 0).astype(np.int64)


def calendar() -> tuple[int, NDArray[np.int16]]:
    """First day of the table and the quarter of each day from there, 1600 to 2399, counted from the year 0.

    Quarters [day since the first]; days count from 1970-01-01.
    """
    days = np.arange(np.datetime64("1600-01-01"), np.datetime64("2400-01-01"))
    months = days.astype("datetime64[M]").astype(np.int64) + 12 * 1970
    return int(days[0].astype(np.int64)), (months // 3).astype(np.int16)


def describe_strata(keys: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Read stratum keys back: sex, age band, calendar year, first quarter of the period, prior-event band, setting class.

    ``keys`` [stratum]; each of the arrays is [stratum]. Quarters count from 0.
    """
    return {
        "sex": keys >> 30,
        "age_band": (keys >> 24) & 63,
        "year": ((keys >> 13) & 2047) + FIRST_YEAR,
        "quarter": (keys >> 11) & 3,
        "prior_band": (keys >> 5) & 63,
        "setting_class": keys & 31,
    }
