"""The result of a scan as one Arrow table, a row for every ordered pair."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.kernels.pairs import PairCounts
from experiments.pair_called import Called
from experiments.statistics.disproportionality import information_component
from experiments.statistics.lags import SHARES
from experiments.statistics.screen import Screen

_DIRECTIONS = ("none", "forward", "backward")
_FLAGS = ("", "overlap")


def pair_table(
    found: Screen,
    counts: PairCounts,
    persons_with: NDArray[np.int64],
    called: Called | None,
    horizon_days: int,
    level: float,
    family: NDArray[np.int64] | None,
) -> pa.Table:
    """Columns as declared in ``experiments.patterns``, codes as numbers; null where one does not apply."""
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
        "tested": pa.array(found.tested),
        "called": pa.array(chosen),
        "flags": _words(np.broadcast_to(related, len(a)).astype(np.int8), _FLAGS),
    }
    for name in ("q_bh", "q_by", "q_empirical", "calibrated_p"):
        columns[name] = pa.array(getattr(found, name), mask=~found.tested)
    columns |= _called_columns(called, np.flatnonzero(chosen), len(a))
    return pa.table(columns)


def _called_columns(called: Called | None, rows: NDArray[np.int64], size: int) -> dict[str, pa.Array]:
    """Columns of called pairs, null in all other rows."""
    if called is None:
        names = ["rr", "rr_low", "rr_high", "nsr", "asr", "direction_p", "direction_p_half"]
        names += [_lag_name(share) for share in SHARES]
        columns = {name: pa.nulls(size, pa.float64()) for name in names}
        columns["direction"] = pa.nulls(size, pa.dictionary(pa.int8(), pa.string()))
        nobody = pa.nulls(size, pa.bool_())
        return columns | {"replicated_person": nobody, "replicated_time": nobody}
    figures = {
        "rr": called.risk.rr,
        "rr_low": called.risk.low,
        "rr_high": called.risk.high,
        "nsr": called.direction.nsr,
        "asr": called.direction.asr,
        "direction_p": called.direction.p,
        "direction_p_half": called.direction.p_half,
    }
    figures |= {_lag_name(share): called.lags[:, place] for place, share in enumerate(SHARES)}
    columns = {name: _spread(values, rows, size) for name, values in figures.items()}
    verdict = np.full(size, -1, np.int8)
    verdict[rows] = called.direction.verdict
    columns["direction"] = _words(verdict, _DIRECTIONS)
    for name, verdicts in (
        ("replicated_person", called.replicated),
        ("replicated_time", called.replicated_later),
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
