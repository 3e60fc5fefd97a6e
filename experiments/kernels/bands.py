"""Bands of earlier events, cut from the study's own exposures so that no band holds more than its share."""

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
_LONGEST = 1 << 14
_AT_32_BANDS = 5_000_000.0
"""Exposures at which 32 bands leave no bias that shows; a bias grows with the root of the exposures and falls with the
square of the bands, so the bands grow with the fourth root."""


@dataclass(frozen=True)
class PriorCounts(SummedCounts):
    """Exposures by number of events on earlier days: ``exposures`` [events before the day], the last holds all above."""

    exposures: NDArray[np.int64]


class PriorPass:
    """Counts ``PriorCounts`` over batches of persons; exposures are those of the pair scan."""

    COUNTS: ClassVar[type[PriorCounts]] = PriorCounts

    def __init__(self, settings: PairScanSettings) -> None:
        self._seen = np.full(settings.n_codes, -1, np.int64)
        self._washout = settings.washout_days
        self._persons = 0
        self._exposures = np.zeros(_LONGEST, np.int64)

    def add(self, persons: Persons) -> None:
        """Count a batch of whole persons."""
        _count(persons, self._washout, self._seen, self._persons, self._exposures)
        self._persons += persons.count

    def result(self) -> PriorCounts:
        """Everything counted so far."""
        return PriorCounts(self._exposures.copy())


def banded(run_pass: RunPass, settings: PairScanSettings) -> PairScanSettings:
    """The settings with bands of earlier events: those they have, or else those of :func:`cuts_of` over all persons."""
    if settings.prior_cuts:
        return settings
    counts: PriorCounts = run_pass(PriorPass, {"settings": settings})
    return replace(settings, prior_cuts=cuts_of(counts.exposures))


def bands_for(exposures: int) -> int:
    """How many bands so many exposures are cut into: 32 at five million, by the fourth root, from 8 to 255."""
    return int(min(max(round(32 * (exposures / _AT_32_BANDS) ** 0.25), FEWEST_BANDS), MOST_BANDS))


def largest_share(exposures: NDArray[np.int64], cuts: tuple[int, ...]) -> float:
    """Share of the exposures in the fullest band.

    ``exposures`` [events before the day].
    """
    held = np.add.reduceat(exposures, np.array(cuts))
    return float(held.max() / max(int(exposures.sum()), 1))


def cuts_of(exposures: NDArray[np.int64]) -> tuple[int, ...]:
    """Where bands of earlier events begin, each with its share of the exposures as nearly as whole counts allow.

    ``exposures`` [events before the day], as in :class:`PriorCounts`. The first band begins at 0.
    """
    running = np.cumsum(exposures)
    total, wanted = int(running[-1]), bands_for(int(running[-1]))
    cuts = [0]
    for band in range(1, wanted):
        cut = int(np.searchsorted(running * wanted, total * band, side="right"))
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
) -> None:
    """``seen[code]`` is the serial number of the person in whom the code was last met."""
    offsets, codes, days = persons.offsets, persons.codes, persons.days
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
            event = last
