"""The result of a scan as one Arrow table, a row for every ordered pair."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.kernels.design import describe_strata
from experiments.kernels.pairs.followed import PairCounts
from experiments.kernels.pairs.reference import ReferenceCounts
from experiments.kernels.pairs.removed import ALL, EARLY, LATE, LOCKED, exposed_removed
from experiments.kernels.pairs.significant_counts import SignificantCounts
from experiments.statistics.error_control.replication import replicate, replicate_apart
from experiments.statistics.estimates.relative_risk import RelativeRisk, relative_risk
from experiments.statistics.hypothesis_tests.screen import Screen
from experiments.statistics.observed_expected.disproportionality import information_component
from experiments.statistics.over_time.direction import Direction, judge_order, null_effect_ratios
from experiments.statistics.over_time.lags import SHARES, lag_quantiles

_DIRECTIONS = ("none", "forward", "backward")
_FLAGS = ("", "overlap")


def pair_table(
    found: Screen,
    counts: PairCounts,
    persons_with: NDArray[np.int64],
    comparable: NDArray[np.float64],
    significant: SignificantPairs | None,
    horizon_days: int,
    level: float,
    family: NDArray[np.int64] | None,
) -> pa.Table:
    """Columns as declared in ``experiments.products.patterns``, codes as numbers; null where one does not apply.

    ``persons_with``, ``comparable`` (share of a code's reference that is of persons without it) and ``family`` [code];
    ``significant`` has an entry for each pair with q at most
    ``level``, in order of the rows.
    """
    a, b = found.pairs.T
    observed = counts.followed.sum(axis=2, dtype=np.int32)
    before, after, same_day = observed[a, b], observed[b, a], counts.same_day[a, b]
    ic, ic025, _ = information_component(found.observed, found.expected)
    related = family is not None and (family[a] == family[b]) & (family[a] >= 0)
    chosen = found.q_bh <= level
    columns: dict[str, pa.Array] = {
        "code_a": pa.array(a),
        "code_b": pa.array(b),
        "window": _words(np.zeros(len(a), np.int8), (f"1-{horizon_days}",)),
        "n_a": pa.array(persons_with[a].astype(np.int32)),
        "n_b": pa.array(persons_with[b].astype(np.int32)),
        "n_person": pa.array(before + after + same_day),
        "n_before": pa.array(before),
        "n_same_day": pa.array(same_day),
        "n_after": pa.array(after),
        "O": pa.array(before),
        "E": pa.array(found.expected),
        "V": pa.array(found.variance),
        "z": pa.array(found.z),
        "log10_p": pa.array(found.log10_p),
        "ic": pa.array(ic),
        "ic025": pa.array(ic025),
        "comparable": pa.array(comparable[a]),
        "tested": pa.array(found.tested),
        "called": pa.array(chosen),
        "flags": _words(np.broadcast_to(related, len(a)).astype(np.int8), _FLAGS),
    }
    for name in ("q_bh", "q_by", "q_empirical", "calibrated_p"):
        columns[name] = pa.array(getattr(found, name), mask=~found.tested)
    columns |= _significant_columns(significant, np.flatnonzero(chosen), len(a))
    return pa.table(columns)


def _significant_columns(
    significant: SignificantPairs | None, rows: NDArray[np.int64], size: int
) -> dict[str, pa.Array]:
    """Columns of significant pairs, null in all other rows."""
    if significant is None:
        names = ["rr", "rr_low", "rr_high", "nsr", "asr", "direction_p", "direction_p_half"]
        names += [_lag_name(share) for share in SHARES]
        columns = {name: pa.nulls(size, pa.float64()) for name in names}
        columns["direction"] = pa.nulls(size, pa.dictionary(pa.int8(), pa.string()))
        nobody = pa.nulls(size, pa.bool_())
        return columns | {"replicated_person": nobody, "replicated_time": nobody}
    figures = {
        "rr": significant.risk.rr,
        "rr_low": significant.risk.low,
        "rr_high": significant.risk.high,
        "nsr": significant.direction.nsr,
        "asr": significant.direction.asr,
        "direction_p": significant.direction.p,
        "direction_p_half": significant.direction.p_half,
    }
    figures |= {_lag_name(share): significant.lags[:, place] for place, share in enumerate(SHARES)}
    columns = {name: _spread(values, rows, size) for name, values in figures.items()}
    verdict = np.full(size, -1, np.int8)
    verdict[rows] = significant.direction.verdict
    columns["direction"] = _words(verdict, _DIRECTIONS)
    for name, verdicts in (
        ("replicated_person", significant.replicated),
        ("replicated_time", significant.replicated_later),
    ):
        replicated = np.full(size, -1, np.int8)
        replicated[rows] = verdicts
        columns[name] = pa.array(replicated == 1, mask=replicated < 0)
    return columns


def _lag_name(share: float) -> str:
    return f"lag_q{round(100 * share):02d}"


def _spread(values: NDArray[np.float64], rows: NDArray[np.int64], size: int) -> pa.Array:
    """Values in their rows; null elsewhere and where a value is not finite."""
    full = np.full(size, np.nan)
    full[rows] = values
    return pa.array(full, mask=~np.isfinite(full))


def _words(numbers: NDArray[np.int8], words: tuple[str, ...]) -> pa.Array:
    """Words by number, null where the number is negative."""
    return pa.DictionaryArray.from_arrays(pa.array(numbers, mask=numbers < 0), pa.array(words))


class SignificantPairs(NamedTuple):
    """One entry a significant pair; ``lags`` [pair, share] in days, ``replicated`` (in the locked half)
    and ``replicated_later`` (in later years) 1 yes, 0 no, -1 untested."""

    pairs: NDArray[np.int32]
    risk: RelativeRisk
    direction: Direction
    lags: NDArray[np.float64]
    replicated: NDArray[np.int8]
    replicated_later: NDArray[np.int8]


class PairSums(NamedTuple):
    """What one batch of the third pass comes to, an entry a pair: see ``exposed_removed``, and the lags in days."""

    sums: NDArray[np.float64]
    lags: NDArray[np.float64]
    nsr: NDArray[np.float64]

    @classmethod
    def of(
        cls, counts: SignificantCounts, reference: ReferenceCounts, late: NDArray[np.bool_], window: int
    ) -> PairSums:
        """From its counts; ``late`` marks the later strata, ``window`` are the days over which trends are looked at.

        ``late`` [stratum], in the order of ``reference``; ``window`` in days.
        """
        lags = lag_quantiles(counts.lags, counts.lag_counts, len(counts.pairs))
        return cls(exposed_removed(reference, counts, late), lags, _null_ratios(counts, window))


def look_closer(
    pairs: NDArray[np.int32],
    closer: PairSums,
    harmful: NDArray[np.bool_],
    candidate: NDArray[np.bool_],
    followed: NDArray[np.signedinteger],
    level: float,
    tested: int,
) -> SignificantPairs:
    """Estimates of all significant pairs from what the third pass came to.

    ``harmful`` and ``candidate`` run over the pairs; ``followed`` [a, b] counts persons with a first; ``tested``
    pairs were tested in all.
    """
    sums, lags, nsr = closer
    a, b = pairs.T
    order = judge_order(
        followed[a, b].astype(np.float64), followed[b, a].astype(np.float64), nsr, harmful, level
    )
    everybody = sums[:, ALL]
    observed, before, after, variance, uncertainty = np.ascontiguousarray(everybody.T)
    risk = relative_risk(observed, before, after, variance, uncertainty)
    unseen = replicate(sums[:, LOCKED], harmful, candidate, level)
    later = replicate_apart(sums[:, EARLY], sums[:, LATE], harmful, level, tested)
    return SignificantPairs(pairs, risk, order, lags, unseen, later)


def _null_ratios(counts: SignificantCounts, window: int) -> NDArray[np.float64]:
    ratios = null_effect_ratios(counts.incidence, window)
    places = np.searchsorted(counts.codes, counts.pairs)
    return ratios[places[:, 0], places[:, 1]]


def later_strata(keys: NDArray[np.int64], exposures: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which strata, of these keys and numbers of exposures, lie in the later period; each period is held against its own.

    ``keys`` and ``exposures`` [stratum]; returns [stratum].
    """
    years = describe_strata(keys)["year"]
    later: NDArray[np.bool_] = years >= middle_year(exposures, years)
    return later


def middle_year(exposures: NDArray[np.int64], years: NDArray[np.int64]) -> int:
    """First year of the later period: half of all exposures lie in the years before, as nearly as whole years allow.

    ``exposures`` and ``years`` [stratum].
    """
    names, place = np.unique(years, return_inverse=True)
    running = np.cumsum(np.bincount(place, weights=exposures))
    if len(names) < 2:
        return int(names[0]) if len(names) else 0
    gaps = np.abs(running[:-1] - running[-1] / 2)
    return int(names[int(np.argmin(gaps)) + 1])
