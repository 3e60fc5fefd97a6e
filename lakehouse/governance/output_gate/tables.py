"""Tables at the output gate: small cells, what margins give away, dominance, extremes, rates and rounding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lakehouse.governance.output_gate.bounds import bounds
from lakehouse.governance.output_gate.limits_and_verdict import Finding, Limits, gathered, reaches
from lakehouse.governance.output_gate.reasons import Rule

Floats = NDArray[np.float64]
ALL = "all"
"""What stands in a dimension of a row that is summed over it."""


@dataclass(frozen=True)
class Rate:
    """A published share: ``values`` of ``parts`` in ``wholes`` (persons; NaN where not shown), times ``scale``."""

    values: Sequence[float]
    wholes: Sequence[float]
    parts: Sequence[float] | None = None
    scale: float = 1.0


@dataclass(frozen=True)
class CountTable:
    """Persons by categories, in long form; a hidden count is None or NaN.

    ``dimensions`` holds one label a row for each dimension; :data:`ALL` marks a row that sums over it, and a
    missing category (None, "", "unknown") is a category like any other. ``rounding`` is the base all counts
    were rounded to, 1 for none. ``sensitive`` names dimensions whose category must stay unknown for each
    person (nobody's group may be wholly in one of them).
    """

    name: str
    dimensions: Mapping[str, Sequence[str | None]]
    counts: Sequence[float | None]
    rounding: int = 1
    rates: Mapping[str, Rate] = field(default_factory=dict)
    sensitive: Sequence[str] = ()

    def judge(self, limits: Limits) -> list[Finding]:
        """Everything against letting this table out."""
        counts = np.array([np.nan if count is None else float(count) for count in self.counts], dtype=float)
        found = gathered(
            Rule.SMALL_CELL, self.name,
            (f"{self.label(i)}: {counts[i]:g}" for i in np.flatnonzero((counts > 0) & (counts < limits.persons))),
            limits.persons,
        )  # fmt: skip
        found += self._rates(limits)
        if self.rounding > 1:
            off = np.flatnonzero(np.isfinite(counts) & (np.mod(counts, self.rounding) != 0))
            return found + gathered(
                Rule.ROUNDING, self.name, (f"{self.label(i)}: {counts[i]:g}" for i in off), self.rounding
            )
        return found + self._margins(counts, limits)

    def label(self, row: int | np.integer) -> str:
        """The categories of a row, for a reviewer."""
        return ", ".join(f"{name}={labels[int(row)]}" for name, labels in self.dimensions.items())

    def groups(self) -> Iterator[tuple[str, int, NDArray[np.int64]]]:
        """Rows that add up to another row: (dimension summed over, row of the sum, rows of its parts)."""
        names = list(self.dimensions)
        coded = np.stack([_coded(self.dimensions[name]) for name in names], axis=1)
        for place, name in enumerate(names):
            others = np.delete(coded, place, axis=1)
            _, group = (
                np.unique(others, axis=0, return_inverse=True)
                if others.shape[1]
                else (None, np.zeros(len(coded), int))
            )
            group = np.asarray(group).ravel()
            order = np.argsort(group, kind="stable")
            for rows in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
                whole = rows[coded[rows, place] == 0]
                parts = rows[coded[rows, place] != 0]
                if len(whole) == 1 and len(parts):
                    yield name, int(whole[0]), parts

    def _margins(self, counts: Floats, limits: Limits) -> list[Finding]:
        """Missing categories, whole classes, and hidden numbers that the visible ones give away."""
        k = limits.persons
        hidden = np.flatnonzero(np.isnan(counts))
        place = np.full(len(counts), -1)
        place[hidden] = np.arange(len(hidden))
        short: list[str] = []
        whole_class: list[str] = []
        rows: list[int] = []
        columns: list[int] = []
        weights: list[float] = []
        totals: list[float] = []
        for dimension, whole, parts in self.groups():
            visible = np.nansum(counts[parts])
            unknown = parts[np.isnan(counts[parts])]
            total = counts[whole]
            if np.isnan(total):
                _add(
                    rows,
                    columns,
                    weights,
                    totals,
                    [(place[whole], -1.0), *((place[u], 1.0) for u in unknown)],
                    -visible,
                )
                continue
            gap = total - visible
            if not len(unknown):
                if 0 < abs(gap) < k:
                    short.append(f"{self.label(whole)}: {gap:g} persons are in no part")
                part = counts[parts]
                if dimension in self.sensitive and len(parts) > 1 and total > 0 and part.max() == total:
                    whole_class.append(f"{self.label(whole)}: all in one {dimension}")
                continue
            if gap >= 0:
                _add(rows, columns, weights, totals, [(place[u], 1.0) for u in unknown], gap)
        found = gathered(Rule.MISSING_CATEGORY, self.name, short, k)
        found += gathered(Rule.CLASS, self.name, whole_class, k)
        if not totals:
            return found
        matrix = sparse.csr_array((weights, (rows, columns)), shape=(len(totals), len(hidden)))
        known = bounds(matrix, np.array(totals), k)
        places = (
            f"{self.label(hidden[i])}: between {known.low[i]:g} and {known.high[i]:g}"
            for i in np.flatnonzero(~known.proven & (np.diff(matrix.tocsc().indptr) > 0))
        )
        return found + gathered(Rule.RECOVERABLE, self.name, places, k)

    def _rates(self, limits: Limits) -> list[Finding]:
        """Rates that show a small group, sharpen rounded counts, or give a hidden count away."""
        small: list[str] = []
        sharp: list[str] = []
        back: list[str] = []
        for name, rate in self.rates.items():
            published = zip(rate.values, rate.wholes, reaches(rate.values), strict=True)
            for i, (value, whole, reach) in enumerate(published):
                if np.isnan(value) or np.isnan(whole):
                    continue
                low, high = ((value + side) / rate.scale * whole for side in (-reach, reach))
                part = rate.parts[i] if rate.parts is not None else np.nan
                least, most = np.ceil(low - 1e-9), np.floor(high + 1e-9)
                if self.rounding > 1:
                    if np.isfinite(part) and not (low - 1e-6 <= part <= high + 1e-6):
                        sharp.append(f"{name} at {self.label(i)}: {value:g} is not {part:g} of {whole:g}")
                    continue
                if most < least:
                    continue
                for group, other in ((least, most), (whole - most, whole - least)):
                    if group > 0 and other < limits.persons:
                        small.append(f"{name} at {self.label(i)}: {value:g} of {whole:g}")
                        break
                else:
                    if np.isnan(part) and rate.parts is not None and most - least < limits.persons > least:
                        back.append(f"{name} at {self.label(i)}: between {least:g} and {most:g}")
        return [
            *gathered(Rule.SMALL_RATE, self.name, small, limits.persons),
            *gathered(Rule.UNROUNDED_RATE, self.name, sharp, self.rounding),
            *gathered(Rule.RECOVERABLE, self.name, back, limits.persons),
        ]


@dataclass(frozen=True)
class MagnitudeTable:
    """Sums, means, quantiles and extremes of a measured value, a row a group, with the numbers behind them.

    ``persons``, ``totals``, ``largest`` and ``second`` (the two largest single persons' shares of the total) are
    evidence and never leave; a group without them cannot be judged. ``quantiles`` maps a published column to its
    share (0.5 is the median), ``extremes`` a column to how many persons have exactly that value.
    """

    name: str
    groups: Sequence[str]
    persons: Sequence[float | None]
    totals: Sequence[float | None] = ()
    largest: Sequence[float | None] = ()
    second: Sequence[float | None] = ()
    quantiles: Mapping[str, float] = field(default_factory=dict)
    extremes: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def judge(self, limits: Limits) -> list[Finding]:
        """Everything against letting this table out."""
        k = limits.persons
        unknown = [g for g, n in zip(self.groups, self.persons, strict=True) if n is None]
        few = [
            f"{g}: {n:g}"
            for g, n in zip(self.groups, self.persons, strict=True)
            if n is not None and 0 < n < k
        ]
        found = gathered(Rule.NO_EVIDENCE, self.name, unknown, k) + gathered(
            Rule.SMALL_CELL, self.name, few, k
        )
        found += gathered(Rule.DOMINANCE, self.name, self._dominated(limits), limits.dominance_share)
        for column, share in self.quantiles.items():
            needs = limits.quantile_needs(share)
            thin = [f"{column} of {g}: {n:g} persons" for g, n in zip(self.groups, self.persons, strict=True)
                    if n is not None and 0 < n < needs]  # fmt: skip
            found += gathered(Rule.PERCENTILE, self.name, thin, k)
        for column, shared in self.extremes.items():
            own = [f"{column} of {g}" for g, n in zip(self.groups, shared, strict=True) if n < k]
            found += gathered(Rule.EXTREME, self.name, own, k)
        return found

    def _dominated(self, limits: Limits) -> Iterator[str]:
        if not len(self.totals):
            return
        if not len(self.largest) or not len(self.second):
            yield f"{len(self.groups)} groups without their largest persons"
            return
        for group, total, first, second in zip(
            self.groups, self.totals, self.largest, self.second, strict=True
        ):
            if total is None or first is None or second is None:
                yield f"{group}: the largest persons are not given"
            elif total > 0 and (first + second > limits.dominance_share * total):
                yield f"{group}: two persons hold {(first + second) / total:.0%}"
            elif total > 0 and total - first - second < limits.prior_posterior * first:
                yield f"{group}: the rest is smaller than {limits.prior_posterior:.0%} of the largest"


@dataclass(frozen=True)
class ModelSummary:
    """A fitted model's estimates: persons, parameters, distinct covariate groups, share of variance explained."""

    name: str
    persons: int
    parameters: int
    groups: int | None = None
    r_squared: float | None = None

    def judge(self, limits: Limits) -> list[Finding]:
        """Degrees of freedom and saturation."""
        left = self.persons - self.parameters
        found = gathered(
            Rule.FREEDOM, self.name, [f"{left} left"] if left < limits.freedom else [], limits.freedom
        )
        full = (self.groups is not None and self.parameters >= self.groups) or (
            self.r_squared or 0
        ) >= 1 - 1e-9
        told = [f"{self.parameters} parameters for {self.groups} groups"] if full else []
        return found + gathered(Rule.SATURATED, self.name, told, limits.persons)


@dataclass(frozen=True)
class SurvivalCurve:
    """A survival curve as published: at each time those at risk, those with the event, and the curve itself."""

    name: str
    times: Sequence[float]
    at_risk: Sequence[float | None]
    events: Sequence[float | None] = ()
    survival: Sequence[float | None] = ()

    def judge(self, limits: Limits) -> list[Finding]:
        """Steps of too few persons, seen or worked out: events, those at risk, those censored in between."""
        k = limits.persons
        risk = _numbers(self.at_risk)
        events = _numbers(self.events) if len(self.events) else np.full(len(risk), np.nan)
        curve = _numbers(self.survival) if len(self.survival) else np.full(len(risk), np.nan)
        places = [f"{n:g} at risk at {t:g}" for t, n in zip(self.times, risk, strict=True) if 0 < n < k]
        places += [f"{n:g} events at {t:g}" for t, n in zip(self.times, events, strict=True) if 0 < n < k]
        before = np.r_[1.0, curve[:-1]]
        with np.errstate(invalid="ignore", divide="ignore"):
            implied = risk * (1 - curve / before)
        told = np.isfinite(implied) & (implied > 0.5) & (implied < k - 0.5)
        places += [
            f"{implied[i]:.1f} events by the curve at {self.times[int(i)]:g}" for i in np.flatnonzero(told)
        ]
        died = np.where(np.isfinite(events), events, np.round(implied))
        left = risk[:-1] - died[:-1] - risk[1:]
        few = np.flatnonzero(np.isfinite(left) & (np.abs(left) > 0.5) & (left < k - 0.5))
        places += [f"{left[i]:.0f} censored after {self.times[int(i)]:g}" for i in few]
        return gathered(Rule.SURVIVAL, self.name, places, k)


def _add(
    rows: list[int], columns: list[int], weights: list[float], totals: list[float],
    terms: Sequence[tuple[int, float]], total: float,
) -> None:  # fmt: skip
    """One more equation."""
    for column, weight in terms:
        rows.append(len(totals))
        columns.append(int(column))
        weights.append(weight)
    totals.append(float(total))


def _coded(labels: Sequence[str | None]) -> NDArray[np.int64]:
    """Labels as numbers; 0 stands for :data:`ALL`."""
    codes = {ALL: 0}
    return np.array([codes.setdefault("" if label is None else str(label), len(codes)) for label in labels])


def _numbers(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else float(value) for value in values], dtype=float)
