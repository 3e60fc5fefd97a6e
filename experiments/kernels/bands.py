"""Bands of earlier events and of busyness, and calendar periods: cut from the study's own exposures, the finer the more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.design import MOST_BANDS, PairScanSettings
from experiments.kernels.passes import RunPass, SummedCounts
from experiments.kernels.persons import Persons

FEWEST_BANDS = 8
BUSY_BANDS = 4
"""Bands of codes of the day, where the setting is unknown. Few, so that codes written together on one day are compared with
more than one another; more of them made no null world quieter."""
_LONGEST = 1 << 14
_AT_16_BANDS = 5_000_000.0
"""Exposures at which 16 bands leave no bias that shows; a bias grows with the root of the exposures and falls with the
square of the bands, so the bands grow with the fourth root."""
_AT_16_BANDS_OF_PERSONS, _FEWEST_FOR_PERSONS = 20_000.0, 4
_HALF_YEARS, _QUARTERS = 4_000_000, 64_000_000


@dataclass(frozen=True)
class PriorCounts(SummedCounts):
    """Exposures by number of events on earlier days and, of those without a known setting, of the same day.

    ``exposures`` [events before the day] and ``busy`` [events of the day]; the last entry holds all above.
    """

    exposures: NDArray[np.int64]
    busy: NDArray[np.int64]


class PriorPass:
    """Counts ``PriorCounts`` over batches of persons; exposures are those of the pair scan."""

    COUNTS: ClassVar[type[PriorCounts]] = PriorCounts

    def __init__(self, settings: PairScanSettings) -> None:
        self._seen = np.full(settings.n_codes, -1, np.int64)
        self._washout = settings.washout_days
        self._persons = 0
        self._exposures, self._busy = np.zeros((2, _LONGEST), np.int64)

    def add(self, persons: Persons) -> None:
        """Count a batch of whole persons."""
        _count(persons, self._washout, self._seen, self._persons, self._exposures, self._busy)
        self._persons += persons.count

    def result(self) -> PriorCounts:
        """Everything counted so far."""
        return PriorCounts(self._exposures.copy(), self._busy.copy())


def banded(run_pass: RunPass, settings: PairScanSettings) -> PairScanSettings:
    """The settings with bands: those they have, or else those that all persons' exposures are cut into."""
    if settings.prior_cuts:
        return settings
    counts: PriorCounts = run_pass(PriorPass, {"settings": settings})
    exposures = int(counts.exposures.sum())
    return replace(
        settings,
        prior_cuts=cuts_of(counts.exposures, bands_for(exposures)),
        busy_cuts=cuts_of(counts.busy, BUSY_BANDS, first=1),
        period_months=months_for(exposures),
    )


def bands_for(exposures: int) -> int:
    """How many bands so many exposures are cut into: 16 at five million, by the fourth root, from 8 to 63."""
    return _by_fourth_root(exposures / _AT_16_BANDS, FEWEST_BANDS)


def bands_for_persons(persons: int) -> int:
    """The same where each person is compared once: 16 bands at 20,000 persons, by the fourth root, from 4 to 63."""
    return _by_fourth_root(persons / _AT_16_BANDS_OF_PERSONS, _FEWEST_FOR_PERSONS)


def _by_fourth_root(ratio: float, fewest: int) -> int:
    return int(min(max(round(16 * ratio**0.25), fewest), MOST_BANDS))


def months_for(exposures: int) -> int:
    """Months that are compared with one another: a year below four million exposures, then half, from 64 million a quarter.

    What drifts within a period misleads as what differs within a band does: with the root of the exposures and the
    square of the period.
    """
    return 12 if exposures < _HALF_YEARS else 6 if exposures < _QUARTERS else 3


def largest_share(exposures: NDArray[np.int64], cuts: tuple[int, ...]) -> float:
    """Share of the exposures in the fullest band.

    ``exposures`` [events before the day].
    """
    held = np.add.reduceat(exposures, np.array(cuts))
    return float(held.max() / max(int(exposures.sum()), 1))


def cuts_of(exposures: NDArray[np.int64], bands: int, first: int = 0) -> tuple[int, ...]:
    """Where so many bands begin, each with its share of the exposures as nearly as whole counts allow.

    ``exposures`` [number of events], as in :class:`PriorCounts`. The first band begins at ``first``.
    """
    running = np.cumsum(exposures)
    total, cuts = int(running[-1]), [first]
    for band in range(1, bands):
        cut = int(np.searchsorted(running * bands, total * band, side="right"))
        if cuts[-1] < cut < len(exposures):
            cuts.append(cut)
    return tuple(cuts)


@compiled
def _count(
    persons: Persons,
    washout: int,
    seen: NDArray[np.int64],
    first_person: int,
    exposures: NDArray[np.int64],
    busy: NDArray[np.int64],
) -> None:
    """``seen[code]`` is the serial number of the person in whom the code was last met."""
    offsets, codes, days, settings = persons.offsets, persons.codes, persons.days, persons.settings
    for person in range(len(offsets) - 1):
        start, end, serial = offsets[person], offsets[person + 1], first_person + person
        event = start
        while event < end:
            last = event
            while last < end and days[last] == days[event]:
                last += 1
            counted = np.int64(days[event]) - days[start] >= washout
            slot = min(event - start, len(exposures) - 1)
            for at in range(event, last):
                if seen[codes[at]] != serial:
                    seen[codes[at]] = serial
                    if counted:
                        exposures[slot] += 1
                        if settings[at] < 0:
                            busy[min(last - event, len(busy) - 1)] += 1
            event = last
