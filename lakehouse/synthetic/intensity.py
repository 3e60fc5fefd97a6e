"""Expected events by cell (setting, year, age band, sex, code): the hazards before frailty and planted effects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lakehouse.synthetic.catalogue import Catalogue, prevalence_by_band
from lakehouse.synthetic.rates import (
    BANDS,
    CONTACT_AGE,
    FEMALE_EXTRA,
    LAB_AGE,
    STAY_AGE,
    Floats,
    Ints,
    Rates,
    population_by_band,
)

VISIT, EMERGENCY, STAY = 0, 1, 2
CODES_PER_CONTACT = np.array([1.1, 0.9, 3.4])
"""Mean of the Poisson number of diagnoses; contacts without one do not exist, so 55/28/12/5 % hold 1/2/3/4."""
WINTER_SWING = 0.6
"""Winter codes follow 1 + swing * cos(2 pi day / 365), highest on 1 January, so that no year is tilted."""
THERAPY_YEARS = 4.0
"""Mean length of a long-term treatment."""
DISEASE_THERAPY_YEARS = 12.0
"""Mean length of a treatment for a lasting disease."""
COMMON_USERS = 50.0
"""Users per 1,000 a year from which a medicine counts as common: its users take it again sooner."""
COURSES_A_YEAR = (0.4, 1.0)
"""Courses a year of those who take a short-term medicine at all: rarer and common medicines."""


@dataclass(frozen=True)
class Intensity:
    """Events a year of a person of frailty 1.

    ``contacts`` (3, bands, 2) occasions by setting; ``diagnoses`` (3, years, bands, 2, codes) recorded diagnoses
    of the episodic codes; ``prone`` (years, bands, 2, medicines) share who take a short-term medicine now and then,
    ``courses`` (medicines) how often they do; ``starts`` (years, bands, 2, medicines) long-term starts;
    ``using`` (bands, 2, medicines) share on long-term treatment at a time; ``sampling`` (bands, 2) blood tests.
    """

    contacts: Floats
    diagnoses: Floats
    prone: Floats
    courses: Floats
    starts: Floats
    using: Floats
    sampling: Floats


def build_intensity(catalogue: Catalogue, rates: Rates) -> Intensity:
    """All hazards of a region."""
    prone, courses, starts, using = medicine_intensity(catalogue)
    contacts = contact_intensity(rates)
    return Intensity(
        contacts=contacts,
        diagnoses=diagnosis_intensity(catalogue, contacts),
        prone=prone,
        courses=courses,
        starts=starts,
        using=using,
        sampling=scaled(np.stack([LAB_AGE * 1.1, LAB_AGE * 0.9], axis=1), rates.samplings),
    )


def scaled(weights: Floats, mean: float) -> Floats:
    """Scale (bands, 2) weights to a population mean."""
    result: Floats = weights * (mean / float((weights * population_by_band()[:, None] / 2).sum()))
    return result


def contact_intensity(rates: Rates) -> Floats:
    """Occasions a year by setting, band and sex."""
    visit = np.stack([CONTACT_AGE * FEMALE_EXTRA, CONTACT_AGE * 0.92], axis=1)
    emergency = np.stack([np.sqrt(CONTACT_AGE), np.sqrt(CONTACT_AGE) * 1.08], axis=1)
    stay = np.stack([STAY_AGE * FEMALE_EXTRA, STAY_AGE * 1.02], axis=1)
    return np.stack(
        [scaled(visit, rates.visits), scaled(emergency, rates.emergencies), scaled(stay, rates.stays)]
    )


def diagnosis_intensity(catalogue: Catalogue, contacts: Floats) -> Floats:
    """Recorded diagnoses a year of each episodic code; zero for the diseases a person keeps."""
    table = catalogue.diagnoses
    episodic = np.where(catalogue.prevalence > 0, 0.0, table.weight)
    profile = episodic[:, None, None] * table.age[:, :, None] * table.sex[:, None, :]
    weights = np.einsum("cbx,cs,cy->sybxc", profile, table.lean, table.drift)
    shares = weights / weights.sum(axis=-1, keepdims=True)
    occasions = contacts * CODES_PER_CONTACT[:, None, None]
    result: Floats = shares * occasions[:, None, :, :, None]
    return result


def long_term(catalogue: Catalogue) -> np.ndarray:
    """Which medicines are taken for years (the others come in short courses). The mask is [medicine]."""
    return np.array([row["use"] == "c" for row in catalogue.medicines.extra])


def medicine_intensity(catalogue: Catalogue) -> tuple[Floats, Floats, Floats, Floats]:
    """Shares prone to and courses of short-term medicines, long-term starts and users at a time.

    All fitted to the listed users per 1,000 a year. Who takes a medicine at all is a chance linear in frailty,
    so that first uses come from persons as frail as those of any other event.
    """
    table = catalogue.medicines
    chronic = long_term(catalogue)
    listed = table.weight / 1000
    treated = np.zeros(len(listed))
    for diagnosis, medicine, share in catalogue.indications:
        treated[medicine] += share * float(
            (prevalence_by_band(catalogue, diagnosis) * population_by_band()[:, None] / 2).sum()
        )
    own = np.where(chronic, np.maximum(listed - 1.15 * treated, 0.3 * listed), listed)
    users = own[:, None, None] * table.age[:, :, None] * table.sex[:, None, :]
    users = np.moveaxis(np.minimum(users, 0.75), 0, -1)
    courses = np.where(table.weight >= COMMON_USERS, COURSES_A_YEAR[1], COURSES_A_YEAR[0])
    prone = users / (1 - np.exp(-courses)) * ~chronic
    using = users / (1 + 0.8 / THERAPY_YEARS) * chronic
    ageing = np.maximum(np.diff(using, axis=0, append=using[-1:]), 0) / 5
    drift = table.drift.T[:, None, None, :]
    first = table.drift[:, 0][None, None, :]
    rise = np.gradient(drift, axis=0) if len(drift) > 1 else 0 * drift
    starts = np.maximum(using * (drift / THERAPY_YEARS + rise) + ageing * drift, 0)
    return prone[None] * drift, courses, starts, using * first


def population_table() -> Floats:
    """Share of residents by band and sex, (bands, 2)."""
    return np.repeat(population_by_band()[:, None] / 2, 2, axis=1)


def cell_of(band: Ints, sex: Ints, year: Ints, years: int) -> Ints:
    """Position of (year, band, sex) in a flattened table."""
    result: Ints = (year * BANDS + band) * 2 + sex
    return result


class Draw:
    """Draws codes by cell: one cumulative table, one binary search for all draws together."""

    def __init__(self, weights: Floats) -> None:
        """``weights``: (cells, codes), rows need not sum to one."""
        totals = weights.sum(axis=1, keepdims=True)
        shares = np.divide(weights, totals, out=np.full_like(weights, 1 / weights.shape[1]), where=totals > 0)
        cumulative = np.cumsum(shares, axis=1)
        cumulative[:, -1] = 1.0
        self.width = weights.shape[1]
        self.table = (cumulative + np.arange(len(weights))[:, None]).ravel()

    def codes(self, cell: Ints, uniform: Floats) -> Ints:
        """One code for each cell and uniform number in [0, 1)."""
        found = np.searchsorted(self.table, cell + uniform, side="right")
        result: Ints = np.minimum(found - cell * self.width, self.width - 1)
        return result
