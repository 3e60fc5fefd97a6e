"""Which medicines are followed by which events? Every pair by several designs at once; a finding needs two of them.

The designs err in different ways. The matched cohort compares a person's time with comparable persons' (the pair
scan's reference); sequence symmetry and the self-controlled cohort compare a person with themselves. Confounding by
what a person is like fools the first and not the others; trends and care around a start fool the others and not
the first. What two of three say is what counts (partial conjunction), corrected for all pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import stats

from experiments.analyses.pairs.scan import MEMORY, PairScan, scan
from experiments.analyses.side_effects.table import Designs, side_effect_table
from experiments.kernels.cases import NEVER, CasePass, Cases
from experiments.kernels.design import PairScanSettings
from experiments.kernels.reactions import ReactionCounts, ReactionPass, ReactionSettings
from experiments.kernels.spans import SpanPass
from experiments.statistics.designs.negative_controls import Scatter, calibrated_p, fit_scatter
from experiments.statistics.designs.self_controlled import case_series, self_controlled_cohort, stretches_of
from experiments.statistics.designs.symmetry import Symmetry, null_ratios, symmetry
from experiments.statistics.distributions.tails import mid_p_tails
from experiments.statistics.error_control.multiplicity import q_values
from experiments.statistics.observed_expected.disproportionality import (
    ebgm,
    fit_prior,
    max_statistic_p,
    temporal_ic,
)

RunPass = Callable[..., Any]

PIECES = ((1, 30), (31, 90), (91, 180), (181, 360), (721, 1080))
"""Disjoint pieces of the time after a start, days."""
RISKS = np.array([[1, 0, 0, 0, 0], [1, 1, 1, 1, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 1]], bool)
"""Risk windows as pieces: 1-30, 1-360, 31-90, 91-180 and 721-1080 days."""
CONTROLS = ((-180, -1), (-30, -1), (0, 0))
"""Control windows of the temporal information component."""
WINDOWS = (*PIECES, *CONTROLS, (-180, -31))
LAST30, EARLIER = WINDOWS.index((-30, -1)), WINDOWS.index((-180, -31))
DESIGNS = 3
REDATE = 1_000_003
"""Mixed with the study's seed to draw the dates of negative controls."""


@dataclass(frozen=True)
class SideEffectSettings:
    """What a search for side effects needs to know.

    ``order_days`` is w and ``trend_days`` d of the symmetry; ``risk_days`` the window of the self-controlled cohort
    and the case series; the pair scan's horizon is that of its settings.
    """

    medicines: tuple[int, ...]
    events: tuple[int, ...]
    order_days: int = 365
    trend_days: int = 365
    risk_days: int = 30
    min_persons: int = 20
    level: float = 0.05
    shortlist: int = 200


@dataclass(frozen=True)
class SideEffects:
    """A row for every medicine-event pair in ``table`` (codes as numbers), the pair scan, the controls' scatter."""

    table: pa.Table
    pairs: PairScan
    scatter: Scatter
    tested: int


def find_side_effects(
    run_pass: RunPass,
    settings: PairScanSettings,
    wanted: SideEffectSettings,
    *,
    terminal: tuple[int, ...] = (),
    family: NDArray[np.int64] | None = None,
    seed: int = 0,
    memory: int = MEMORY,
) -> SideEffects:
    """All medicine-event pairs by all designs.

    ``family`` [code] numbers groups of overlapping codes; ``memory`` is in bytes a process.
    """
    pairs = scan(
        run_pass,
        settings,
        terminal=terminal,
        min_persons=wanted.min_persons,
        level=wanted.level,
        family=family,
        memory=memory,
    )
    span = run_pass(SpanPass, {})
    within = (span.first_day, span.last_day)
    around = ReactionSettings(
        settings.n_codes,
        wanted.medicines,
        wanted.events,
        WINDOWS,
        wanted.order_days,
        within,
        terminal,
        wanted.risk_days,
    )
    counts = run_pass(ReactionPass, {"settings": around})
    controls = run_pass(ReactionPass, {"settings": around, "redate": REDATE + seed})
    designs = judge(pairs.table, counts, controls, wanted, seed)
    chosen = shortlist(designs, wanted)
    if len(chosen):
        given = {
            "n_codes": settings.n_codes,
            "pairs": designs.pairs[chosen],
            "span": within,
            "terminal": terminal,
        }
        designs = designs.with_case_series(
            chosen, series(run_pass(CasePass, given), len(chosen), wanted.risk_days)
        )
    return SideEffects(
        side_effect_table(designs, settings.horizon_days, wanted.level),
        pairs,
        designs.scatter,
        int(designs.tested.sum()),
    )


def judge(
    table: pa.Table, counts: ReactionCounts, controls: ReactionCounts, wanted: SideEffectSettings, seed: int
) -> Designs:
    """Every design of every pair, and the pairs two designs agree on."""
    rows, m, e = _rows_of(table, wanted)
    own = table.take(pa.array(rows))
    column = {name: _numbers(own, name) for name in ("n_a", "n_b", "O", "E", "V", "z")}
    tested = (
        np.asarray(own.column("tested"))
        & (column["n_a"] >= wanted.min_persons)
        & (column["n_b"] >= wanted.min_persons)
    )
    order = counts.order[m, e].astype(np.float64)
    nsr = null_ratios(counts.first_medicine, counts.first_event, wanted.trend_days)[m, e]
    sequence = symmetry(order[:, 0], order[:, 1], nsr)
    near = counts.near[m, e].astype(np.float64)
    seen = counts.seen[m].astype(np.float64)
    compared = self_controlled_cohort(
        _in_risk(near, wanted.risk_days), near[:, LAST30], seen[:, 1], seen[:, 0]
    )
    cohort = _upper_log10(column["O"], column["E"], column["V"])
    p = two_of_three(np.stack([cohort, sequence.log10_p, compared.log10_p], axis=1))
    q_bh, q_by = q_values(p, tested)
    scatter = _scatter(controls, wanted)
    rates = near_rates(counts)
    temporal = _temporal(near, rates, m, e, np.random.default_rng(seed), tested)
    prior = fit_prior(column["O"][tested], column["E"][tested]) if tested.sum() > 10 else None
    shrunk = (
        ebgm(column["O"], column["E"], prior) if prior else tuple(np.full(len(m), np.nan) for _ in range(3))
    )
    return Designs(
        pairs=np.stack([np.array(wanted.medicines)[m], np.array(wanted.events)[e]], axis=1).astype(np.int32),
        own=own, tested=tested, order=order, nsr=nsr, sequence=sequence, compared=compared,
        compared_counts=np.stack([_in_risk(near, wanted.risk_days), near[:, LAST30]], axis=1),
        log10_p=p, q_bh=q_bh, q_by=q_by, scatter=scatter, calibrated=_calibrated(sequence, order, scatter),
        temporal=temporal, shrunk=shrunk, protopathic=_protopathic(near), agree=_agree(cohort, sequence, compared, wanted),
    )  # fmt: skip


def two_of_three(log10_p: NDArray[np.float64]) -> NDArray[np.float64]:
    """log10 of p that at least two designs see an effect (Benjamini and Heller 2008): twice the second smallest.

    Valid however the designs depend on one another; a design that could not tell counts as 1.

    ``log10_p`` [pair, design]; returns [pair].
    """
    ordered = np.sort(np.nan_to_num(log10_p, nan=0.0), axis=1)
    combined: NDArray[np.float64] = np.minimum(ordered[:, 1] + np.log10(DESIGNS - 1), 0.0)
    return combined


def near_rates(counts: ReactionCounts) -> NDArray[np.float64]:
    """Expected first events [medicine, event, window] if a start of this medicine were any start."""
    seen = counts.started[:, 1:].astype(np.float64)
    total = seen.sum(axis=0)
    share = np.divide(
        counts.near.sum(axis=0, dtype=np.float64), total, out=np.zeros(counts.near.shape[1:]), where=total > 0
    )
    rates: NDArray[np.float64] = seen[:, None, :] * share[None, :, :]
    return rates


def shortlist(designs: Designs, wanted: SideEffectSettings) -> NDArray[np.int64]:
    """Significant pairs, the strongest first, for the case series.

    Returns row numbers into ``designs.pairs`` [pair of the shortlist], at most ``wanted.shortlist``.
    """
    significant = np.flatnonzero(np.nan_to_num(designs.q_bh, nan=1.0) <= wanted.level)
    return significant[np.argsort(designs.log10_p[significant], kind="stable")][: wanted.shortlist]


def series(cases: Cases, pairs: int, risk_days: int, age_years: int = 5) -> NDArray[np.float64]:
    """Case series of each pair: ratio, limits and number of exposed cases [pair, 4].

    A start is followed by ``risk_days`` of risk and preceded by 30 days of their own (an event may put off or bring
    about the medicine); age has a class every ``age_years``. Births are taken to fall in the middle of their year.
    """
    found = np.full((pairs, 4), np.nan)
    columns = cases.columns.astype(np.int64)
    for pair in range(pairs):
        _, low, high, ill, start, born = columns[:, columns[0] == pair]
        exposed = start != NEVER
        if not exposed.any():
            continue
        birth = np.round((born - 1970) * 365.25 + 182).astype(np.int64)
        windows = [
            [(day - 30, day, 2), (day + 1, day + risk_days, 1)] if has else []
            for day, has in zip((start - birth).tolist(), exposed.tolist(), strict=True)
        ]
        events = [np.array([day]) for day in (ill - birth).tolist()]
        cuts = np.round(np.arange(age_years, 110, age_years) * 365.25).astype(np.int64)
        fitted = case_series(
            stretches_of(np.stack([low - birth, high - birth], axis=1), events, windows, cuts)
        )
        if len(fitted.ratio):
            found[pair] = fitted.ratio[0], fitted.low[0], fitted.high[0], float(exposed.sum())
    return found


def _rows_of(
    table: pa.Table, wanted: SideEffectSettings
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the pair scan from a medicine to an event, with both their places."""
    a, b = (np.asarray(table.column(name)).astype(np.int64) for name in ("code_a", "code_b"))
    size = int(max([0, *a, *b])) + 1 if len(a) else 1
    size = max(size, *(code + 1 for code in (*wanted.medicines, *wanted.events, 0)))
    row, place = np.full((2, size), -1, np.int64)
    row[list(wanted.medicines)], place[list(wanted.events)] = (
        range(len(wanted.medicines)),
        range(len(wanted.events)),
    )
    rows = np.flatnonzero((row[a] >= 0) & (place[b] >= 0))
    return rows, row[a[rows]], place[b[rows]]


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    return np.ascontiguousarray(np.asarray(table.column(name), dtype=np.float64))


def _upper_log10(
    o: NDArray[np.float64], e: NDArray[np.float64], v: NDArray[np.float64]
) -> NDArray[np.float64]:
    upper: NDArray[np.float64] = mid_p_tails(o, e, v)[1] / np.log(10.0)
    return upper


def _in_risk(near: NDArray[np.float64], days: int) -> NDArray[np.float64]:
    """First events in the first pieces that make up the days compared."""
    ends = [last for _, last in PIECES]
    total: NDArray[np.float64] = near[:, : ends.index(days) + 1].sum(axis=1)
    return total


def _scatter(controls: ReactionCounts, wanted: SideEffectSettings) -> Scatter:
    """How log sequence ratios of redated medicines lie about 0."""
    first, second = (controls.order[:, :, way].astype(np.float64) for way in (0, 1))
    enough = np.minimum(first, second) >= 5
    nsr = null_ratios(controls.first_medicine, controls.first_event, wanted.trend_days)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio, error = np.log(first / second / nsr), np.sqrt(1 / first + 1 / second)
    return fit_scatter(log_ratio[enough], error[enough])


def _calibrated(sequence: Symmetry, order: NDArray[np.float64], scatter: Scatter) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = np.log(sequence.asr)
        error = np.sqrt(1 / (order[:, 0] + 0.5) + 1 / (order[:, 1] + 0.5))
    p = calibrated_p(log_ratio, error, scatter)
    return np.where(np.isfinite(log_ratio), p, np.nan)


def _temporal(
    near: NDArray[np.float64],
    rates: NDArray[np.float64],
    m: NDArray[np.int64],
    e: NDArray[np.int64],
    rng: np.random.Generator,
    tested: NDArray[np.bool_],
) -> dict[str, NDArray[Any]]:
    """Temporal information component of the best risk window, and its p corrected for having chosen it."""
    pieces, expected = near[:, : len(PIECES)], rates[m, e][:, : len(PIECES)]
    o, ex = pieces @ RISKS.T, expected @ RISKS.T
    places = [len(PIECES) + k for k in range(len(CONTROLS))]
    with np.errstate(divide="ignore", invalid="ignore"):
        control = np.nan_to_num(near[:, places] / rates[m, e][:, places], nan=0.0, posinf=0.0)
    values, lows, _ = temporal_ic(o.ravel(), ex.ravel(), np.repeat(control, len(RISKS), axis=0))
    values, lows = values.reshape(o.shape), lows.reshape(o.shape)
    best = lows.argmax(axis=1)
    at = np.arange(len(best))
    raised = expected * np.maximum(control.max(axis=1, initial=1.0), 1.0)[:, None]
    p = np.ones(len(best))
    for row in np.flatnonzero(tested & (lows[at, best] > 0)):
        p[row] = max_statistic_p(pieces[row], raised[row], RISKS, rng)
    return {"ic": values[at, best], "low": lows[at, best], "window": best, "p": p}


def _protopathic(near: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Events crowd into the 30 days before the start more than into the 150 before those, or more than after it."""
    last, earlier, after = near[:, LAST30], near[:, EARLIER], near[:, 0]
    crowded = stats.binom.sf(last - 1, last + earlier, 30 / 180) < 0.01
    return np.asarray((last > 0) & (crowded | (last > after)))


def _agree(
    cohort: NDArray[np.float64], sequence: Symmetry, compared: Any, wanted: SideEffectSettings
) -> NDArray[np.int64]:
    """How many designs see the effect on their own, at the level of the search divided by the designs."""
    limit = np.log10(wanted.level / DESIGNS)
    logs = np.stack([cohort, sequence.log10_p, compared.log10_p], axis=1)
    agreeing: NDArray[np.int64] = (np.nan_to_num(logs, nan=0.0) <= limit).sum(axis=1)
    return agreeing
