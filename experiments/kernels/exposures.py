"""First days of every code of a person, and the stratum each of them falls into."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.design import (
    FIRST_YEAR,
    LAST_YEAR,
    SETTINGS_KNOWN,
    PairScanSettings,
    band_table,
    calendar,
)
from experiments.kernels.persons import Persons

_TABLE_START, _TABLE_QUARTERS = calendar()


class Exposures(NamedTuple):
    """First days of person i are ``offsets[i]`` to ``offsets[i + 1]``: code, day (ascending), stratum.

    Exposures begin at ``starts[i]``; what lies before is prevalent (see ``washout_days``) and stands under the
    stratum of the first exposure, so that no stratum is named without one. A person without any exposure has no
    entry at all. Without wash-out every entry is an exposure.
    """

    offsets: NDArray[np.int64]
    codes: NDArray[np.int32]
    days: NDArray[np.int32]
    keys: NDArray[np.int64]
    starts: NDArray[np.int64]

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Which entries are exposures.

        [entry], true from the person's ``starts`` on.
        """
        counted: NDArray[np.bool_] = np.arange(len(self.codes)) >= np.repeat(
            self.starts, np.diff(self.offsets)
        )
        return counted


class StratumRules(NamedTuple):
    """How a stratum key is made of a person's day, and which first days are prevalent.

    ``prior_bands`` [events before the day] and ``busy_bands`` [events of the day] are bands by count; age bands are
    ``age_width`` years wide up to ``top_band``; ``washout_days`` as in :class:`PairScanSettings`; ``quarters`` [day]
    is the quarter, since the year 0, of each day from ``first_day`` (days since 1970-01-01), of which ``together`` make a
    period.
    """

    prior_bands: NDArray[np.int64]
    busy_bands: NDArray[np.int64]
    age_width: int
    top_band: int
    washout_days: int
    quarters: NDArray[np.int16]
    first_day: int
    together: int


class ExposureFinder:
    """Finds exposures batch by batch, with the working arrays kept between batches."""

    def __init__(self, settings: PairScanSettings) -> None:
        if not settings.prior_cuts:
            raise ValueError("the bands of earlier events are not cut yet: see experiments.kernels.bands")
        self._settings = settings
        self._rules = StratumRules(
            band_table(settings.prior_cuts),
            band_table(settings.busy_cuts),
            settings.age_width,
            settings.top_band,
            settings.washout_days,
            _TABLE_QUARTERS,
            _TABLE_START,
            settings.period_months // 3,
        )
        self._seen = np.full(settings.n_codes, -1, np.int64)
        self._persons = 0

    def find(self, persons: Persons) -> Exposures:
        """Exposures of a batch.

        Raises ValueError where a person's days fall or a code is outside 0 .. n_codes - 1.
        """
        events = len(persons.codes)
        if events and not 0 <= int(persons.codes.min()) <= int(persons.codes.max()) < self._settings.n_codes:
            raise ValueError(f"a code lies outside 0..{self._settings.n_codes - 1}")
        if persons.count and not 0 <= int(persons.sex.min()) <= int(persons.sex.max()) <= 2:
            raise ValueError("sex is 0 unknown, 1 female or 2 male")
        out = Exposures(
            np.empty(persons.count + 1, np.int64),
            np.empty(events, np.int32),
            np.empty(events, np.int32),
            np.empty(events, np.int64),
            np.empty(persons.count, np.int64),
        )
        if not _find(persons, self._rules, self._seen, self._persons, out):
            raise ValueError("the days of a person must ascend")
        self._persons += persons.count
        found = int(out.offsets[-1])
        return Exposures(out.offsets, out.codes[:found], out.days[:found], out.keys[:found], out.starts)


@compiled
def year_of(day: int) -> int:
    """Calendar year (proleptic Gregorian) of a day counted from 1970-01-01."""
    shifted = day + 719468
    era = shifted // 146097
    of_era = shifted - era * 146097
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    return int(year + era * 400 + (1 if of_year >= 306 else 0))


@compiled
def _clamp(value: int, low: int, high: int) -> int:
    return min(max(value, low), high)


@compiled
def _find(
    persons: Persons, rules: StratumRules, seen: NDArray[np.int64], first_person: int, out: Exposures
) -> bool:
    """``seen[code]`` is the serial number of the person in whom the code was last met; False where days fall."""
    offsets, codes, days, settings = persons.offsets, persons.codes, persons.days, persons.settings
    sex, birth_year = persons.sex, persons.birth_year
    prior_bands, busy_bands, age_width, top_band, washout, quarters, table_start, together = rules
    out_offsets, out_codes, out_days, out_keys, out_starts = out
    found = 0
    out_offsets[0] = 0
    prior_top, busy_top = len(prior_bands) - 1, len(busy_bands) - 1
    for person in range(len(offsets) - 1):
        start, end, serial = offsets[person], offsets[person + 1], first_person + person
        event = start
        while event < end:
            day = days[event]
            if event > start and days[event - 1] > day:
                return False
            last = event
            while last < end and days[last] == day:
                last += 1
            slot = np.int64(day) - table_start
            quarter = np.int64(quarters[slot]) if 0 <= slot < len(quarters) else 4 * np.int64(year_of(day))
            year = quarter >> 2
            age_band = np.int64(
                _clamp(int(year) - int(birth_year[person]), 0, (top_band + 1) * age_width - 1)
            )
            age_band //= age_width
            key = np.int64(sex[person]) << 6 | age_band
            key = key << 11 | np.int64(_clamp(int(year), FIRST_YEAR, LAST_YEAR) - FIRST_YEAR)
            key = key << 2 | ((quarter & 3) // together * together)
            key = (key << 6 | prior_bands[min(event - start, prior_top)]) << 5
            busy = SETTINGS_KNOWN + busy_bands[min(last - event, busy_top)]
            for at in range(event, last):
                code = codes[at]
                if seen[code] != serial:
                    seen[code] = serial
                    out_codes[found], out_days[found] = code, day
                    out_keys[found] = key | (settings[at] if settings[at] >= 0 else busy)
                    found += 1
            event = last
        counted = out_offsets[person]
        while counted < found and np.int64(out_days[counted]) - days[start] < washout:
            counted += 1
        if counted == found:
            found = counted = out_offsets[person]
        for at in range(out_offsets[person], counted):
            out_keys[at] = out_keys[counted]
        out_starts[person] = counted
        out_offsets[person + 1] = found
    return True
