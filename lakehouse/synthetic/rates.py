"""How much of everything a year brings: the sizes of the synthetic region, in one place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BANDS = 20
"""Five-year bands of (calendar year - birth year), the last open from 95: the bands mining stratifies by."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Rates:
    """Occasions per person-year and the spread of utilisation.

    ``visits``, ``emergencies`` and ``stays`` are occasions, some of which bring no diagnosis and so no contact;
    ``controls`` follow each diagnosis; ``procedures`` and ``repeated`` set their number at a contact; ``refills``
    scales the dispensings of a treatment; ``samplings`` are blood tests of some ten results.
    Hospital procedures and laboratory results are fewer than in a real region (11 and 30 a year) so that a
    delivery of a million persons stays within some twenty gigabytes; raise them here for a truer size.
    ``frailty_shape`` is the shape of the gamma distribution (mean 1) that multiplies every rate of a person.
    """

    visits: float = 2.3
    emergencies: float = 0.30
    stays: float = 0.115
    controls: float = 0.35
    procedures: float = 1.15
    repeated: float = 0.75
    refills: float = 1.12
    samplings: float = 0.8
    frailty_shape: float = 4.0
    home_share: float = 0.85


def shape(points: dict[int, float]) -> Floats:
    """Band weights by straight lines between (age, weight) points.

    Ages are in years; the weights are [band], of five years each.
    """
    ages = np.arange(BANDS) * 5 + 2.5
    weights: Floats = np.interp(ages, list(points), list(points.values()))
    return weights


AGE_SHAPES: dict[str, Floats] = {
    "flat": shape({0: 1, 95: 1}),
    "inf": shape({0: 0, 95: 0}) + np.eye(BANDS)[0],
    "child": shape({0: 3, 7: 2, 15: 0.8, 30: 0.4, 95: 0.3}),
    "teen": shape({0: 0.2, 8: 1, 15: 2.5, 25: 1.6, 45: 0.7, 95: 0.3}),
    "young": shape({0: 0.2, 12: 0.8, 22: 2.5, 35: 1.8, 50: 0.8, 95: 0.3}),
    "preg": shape({0: 0, 15: 0, 20: 0.6, 29: 3, 38: 1.2, 45: 0.05, 50: 0, 95: 0}),
    "adult": shape({0: 0.2, 18: 1.0, 35: 1.6, 55: 1.6, 75: 1.0, 95: 0.8}),
    "mid": shape({0: 0.1, 20: 0.5, 40: 1.4, 55: 2.2, 70: 1.8, 95: 1.0}),
    "late": shape({0: 0.05, 30: 0.25, 50: 1.2, 67: 2.8, 80: 2.9, 95: 2.4}),
    "old": shape({0: 0.05, 35: 0.15, 55: 0.9, 70: 2.6, 80: 4.2, 95: 4.6}),
    "vold": shape({0: 0.05, 40: 0.08, 60: 0.5, 75: 2.6, 85: 6.0, 95: 8.0}),
}

SEX_SHAPES: dict[str, tuple[float, float]] = {
    "b": (1.0, 1.0),
    "f": (1.35, 0.65),
    "m": (0.65, 1.35),
    "F5": (1.66, 0.34),
    "F": (2.0, 0.0),
    "M": (0.0, 2.0),
}
"""Relative weight for women and men."""

LEANS: dict[str, tuple[float, float, float]] = {
    "o": (1.0, 0.25, 0.35),
    "e": (0.35, 2.5, 0.8),
    "i": (0.3, 0.7, 3.0),
}
"""Weight of a code at out-patient visits, emergency contacts and hospital stays."""

CONTACT_AGE = shape({0: 1.2, 5: 0.6, 15: 0.65, 30: 0.95, 50: 1.0, 65: 1.35, 78: 1.8, 95: 1.7})
STAY_AGE = shape({0: 1.4, 5: 0.35, 15: 0.4, 30: 0.7, 50: 0.8, 65: 1.5, 80: 3.0, 95: 3.6})
LAB_AGE = shape({0: 0.2, 10: 0.25, 20: 0.6, 40: 0.9, 60: 1.4, 75: 2.2, 95: 2.6})
FEMALE_EXTRA = shape({0: 1, 14: 1, 20: 1.3, 30: 1.55, 40: 1.2, 50: 1.05, 70: 0.98, 95: 0.95})

POPULATION_DECADES = (10.0, 11.5, 13.0, 13.0, 12.0, 13.5, 12.0, 10.0, 4.3, 0.7)
"""Per cent of residents in each ten-year age group, the last open from 90."""

DEATHS_PER_1000 = shape(
    {0: 0.6, 5: 0.1, 15: 0.2, 30: 0.5, 45: 1.4, 55: 3.4, 65: 8.6, 75: 21, 82: 49, 88: 98, 93: 175, 97: 270}
)
BIRTHS_PER_1000 = 9.6
IMMIGRANTS_PER_1000 = 11.0
EMIGRANTS_PER_1000 = shape({0: 8, 15: 6, 22: 32, 30: 30, 40: 13, 55: 5, 70: 2, 95: 0.5})

DRIFTS: dict[str, tuple[float, ...]] = {
    "": (1, 1, 1, 1, 1, 1, 1, 1),
    "up": (0.62, 0.72, 0.83, 0.94, 1.05, 1.16, 1.28, 1.4),
    "down": (1.4, 1.28, 1.16, 1.05, 0.94, 0.83, 0.72, 0.62),
    "new": (0, 0, 0, 0.8, 1.7, 1.8, 1.85, 1.85),
    "retired": (1.9, 1.9, 1.85, 0.9, 0, 0, 0, 0),
    "covid": (0.2, 0.2, 0.25, 2.6, 2.4, 1.2, 0.6, 0.5),
    "glp1": (0.03, 0.04, 0.15, 0.3, 0.5, 1.3, 2.4, 3.2),
}
"""Yearly factors over the eight years 2017 to 2024; longer periods keep the first and last values."""


def drift(name: str, years: tuple[int, int]) -> Floats:
    """Yearly factors of a drift pattern for the years asked for, both ends included. The factors are [year]."""
    factors = DRIFTS[name]
    return np.array([factors[min(max(year - 2017, 0), 7)] for year in range(years[0], years[1] + 1)])


def population_by_band() -> Floats:
    """Share of residents in each five-year band. The shares are [band]."""
    fives = np.repeat(np.array(POPULATION_DECADES[:9]) / 2, 2)
    tail = np.array([0.55, 0.15])
    return np.concatenate([fives, tail]) / 100.0
