"""Laboratory results of a block: blood tests in panels, with each person's own level, age and disease shifts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lakehouse.synthetic.catalogue import Catalogue, number
from lakehouse.synthetic.hospital import occasions, weekday
from lakehouse.synthetic.population import NEVER, Calendar, People
from lakehouse.synthetic.rates import Bools, Floats, Ints

PANEL_SHARES = {
    "basis": 0.62,
    "blod": 0.5,
    "diff": 0.2,
    "lever": 0.3,
    "lipid": 0.28,
    "diabetes": 0.3,
    "stofskifte": 0.2,
    "vitamin": 0.14,
    "koagulation": 0.1,
    "prostata": 0.05,
    "hjerte": 0.05,
}
"""Chance of each panel at a blood test."""


@dataclass(frozen=True)
class Results:
    """Laboratory results; ``value`` is an integer in units of the analysis' last decimal."""

    person: Ints
    minute: Ints
    analysis: Ints
    value: Ints
    low: Floats
    high: Floats


@dataclass(frozen=True)
class LaboratoryTables:
    """What a worker builds once: numbers of each analysis and of the panels."""

    sampling: Floats
    mean: Floats
    sd: Floats
    slope: Floats
    decimals: Ints
    low: Floats
    high: Floats
    panel: Ints
    shares: Floats
    markers: tuple[tuple[int, int, float], ...]


def build_tables(catalogue: Catalogue, sampling: Floats) -> LaboratoryTables:
    """Numbers of the analyses; reference limits are (analyses, 2: F, M), NaN where open."""
    rows = catalogue.analyses
    panels = list(PANEL_SHARES)
    column = {int(code): position for position, code in enumerate(catalogue.chronic)}
    return LaboratoryTables(
        sampling=sampling,
        mean=np.array([number(row["mean"]) for row in rows]),
        sd=np.array([number(row["sd"]) for row in rows]),
        slope=np.array([number(row["drift_age"]) for row in rows]),
        decimals=np.array([int(row["decimals"]) for row in rows]),
        low=np.array([[number(row["low_f"]), number(row["low_m"])] for row in rows]),
        high=np.array([[number(row["high_f"]), number(row["high_m"])] for row in rows]),
        panel=np.array([panels.index(row["panel"]) for row in rows]),
        shares=np.array(list(PANEL_SHARES.values())),
        markers=tuple((column[d], analysis, shift) for d, analysis, _, shift in catalogue.markers),
    )


def measure(
    rng: np.random.Generator, people: People, onset: Ints, tables: LaboratoryTables, calendar: Calendar
) -> Results:
    """All results. A person's own level makes abnormal values recur; a lasting disease shifts its markers."""
    person, year, day = occasions(rng, people, tables.sampling, calendar)
    day = np.clip(weekday(day), calendar.first, calendar.last)
    ordered = rng.random((len(day), len(tables.shares))) < tables.shares
    occasion, analysis = np.nonzero(ordered[:, tables.panel])
    who, when = person[occasion], day[occasion]
    level = rng.standard_normal((people.count, len(tables.mean)))
    # Age enters by band, as it does in every other rate: within a band no one is older.
    age = people.band[who, year[occasion]] * 5 + 2.5
    spread = 0.75 * level[who, analysis] + 0.66 * rng.standard_normal(len(who))
    for column, marker, shift in tables.markers:
        rows = np.flatnonzero(analysis == marker)
        sick = onset[who[rows], column] <= when[rows]
        spread[rows] += np.where(sick & (onset[who[rows], column] < NEVER), shift, 0.0)
    sex = people.sex[who]
    centre = tables.mean[analysis] + tables.slope[analysis] * (age - 50) + male_shift(tables, analysis, sex)
    value = np.maximum(centre + tables.sd[analysis] * spread, tables.sd[analysis] * 0.1)
    minute = when * 1440 + 450 + (rng.random(len(day)) * 420).astype(np.int64)[occasion]
    scaled = np.rint(value * 10.0 ** tables.decimals[analysis]).astype(np.int64)
    here = np.flatnonzero(people.present(who, when))
    here = here[np.argsort(when[here], kind="stable")]
    return Results(
        who[here],
        minute[here],
        analysis[here],
        np.maximum(scaled, 1)[here],
        tables.low[analysis, sex][here],
        tables.high[analysis, sex][here],
    )


def male_shift(tables: LaboratoryTables, analysis: Ints, sex: Ints) -> Floats:
    """Men's values lie higher where their reference interval does."""
    middle = np.nan_to_num(np.nanmean(np.stack([tables.low, tables.high]), axis=0))
    shift: Floats = (middle[:, 1] - middle[:, 0])[analysis] * (sex - 0.5)
    return shift


def abnormal(results: Results, tables: LaboratoryTables) -> tuple[Bools, Bools]:
    """Whether each result lies above or below its reference interval."""
    value = results.value / 10.0 ** tables.decimals[results.analysis]
    with np.errstate(invalid="ignore"):
        return value > results.high, value < results.low
