"""The result of a search for side effects as one Arrow table, a row for every medicine-event pair."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.statistics.designs.negative_controls import Scatter
from experiments.statistics.designs.self_controlled import RateRatio
from experiments.statistics.designs.symmetry import Symmetry

RISK_NAMES = ("1-30", "1-360", "31-90", "91-180", "721-1080")
_KEPT = ("O", "E", "V", "z", "rr", "rr_low", "rr_high", "lag_q05", "lag_q25", "lag_q50", "lag_q75", "lag_q95",
         "ic", "ic025", "replicated_person", "n_a", "n_b", "n_person", "n_before", "n_same_day", "n_after")  # fmt: skip


@dataclass(frozen=True)
class Designs:
    """All that was found of each pair; ``own`` are the pair scan's rows, ``order`` medicine first, event first, same day."""

    pairs: NDArray[np.int32]
    own: pa.Table
    tested: NDArray[np.bool_]
    order: NDArray[np.float64]
    nsr: NDArray[np.float64]
    sequence: Symmetry
    compared: RateRatio
    compared_counts: NDArray[np.float64]
    log10_p: NDArray[np.float64]
    q_bh: NDArray[np.float64]
    q_by: NDArray[np.float64]
    scatter: Scatter
    calibrated: NDArray[np.float64]
    temporal: dict[str, NDArray[Any]]
    shrunk: tuple[NDArray[np.float64], ...]
    protopathic: NDArray[np.bool_]
    agree: NDArray[np.int64]
    series: NDArray[np.float64] | None = None

    def with_case_series(self, rows: NDArray[np.int64], found: NDArray[np.float64]) -> Designs:
        """The same with the case series of some rows.

        ``rows`` [case] are row numbers, ``found`` [case, 4] what ``series`` says of them; NaN in all other
        rows.
        """
        series = np.full((len(self.pairs), 4), np.nan)
        series[rows] = found
        return replace(self, series=series)


def side_effect_table(designs: Designs, horizon_days: int, level: float) -> pa.Table:
    """The columns of every pattern and of the kind ``side_effect``; null where one does not apply."""
    size = len(designs.pairs)
    significant = np.nan_to_num(designs.q_bh, nan=1.0) <= level
    columns: dict[str, Any] = {
        "code_a": designs.pairs[:, 0],
        "code_b": designs.pairs[:, 1],
        "window": pa.array([f"1-{horizon_days}"] * size, pa.string()),
        **{name: designs.own.column(name).combine_chunks() for name in _KEPT},
        "log10_p": designs.log10_p,
        "q_bh": _where(designs.tested, designs.q_bh),
        "q_by": _where(designs.tested, designs.q_by),
        "calibrated_p": _finite(designs.calibrated),
        "nsr": _finite(designs.nsr),
        "asr": _finite(designs.sequence.asr),
        "tested": designs.tested,
        "called": significant & designs.tested,
        "flags": pa.array(_flags(designs), pa.string()),
    }
    columns |= {f"ssa_{end}": _finite(getattr(designs.sequence, end)) for end in ("low", "high")}
    names = ("ssa_first", "ssa_second", "ssa_same_day")
    columns |= {name: designs.order[:, place].astype(np.int32) for place, name in enumerate(names)}
    columns |= {"scc": _finite(designs.compared.ratio)}
    columns |= {f"scc_{end}": _finite(getattr(designs.compared, end)) for end in ("low", "high")}
    columns |= {"scc_after": designs.compared_counts[:, 0].astype(np.int32)}
    columns |= {"scc_before": designs.compared_counts[:, 1].astype(np.int32)}
    series = np.full((size, 4), np.nan) if designs.series is None else designs.series
    columns |= {
        name: _finite(series[:, place]) for place, name in enumerate(("sccs", "sccs_low", "sccs_high"))
    }
    columns |= {"ictpd": _finite(designs.temporal["ic"]), "ictpd025": _finite(designs.temporal["low"])}
    columns |= {"ictpd_window": pa.array([RISK_NAMES[k] for k in designs.temporal["window"]], pa.string())}
    columns |= {"ictpd_p": designs.temporal["p"], "designs": designs.agree.astype(np.float32)}
    columns |= {
        name: _finite(each) for name, each in zip(("ebgm", "eb05", "eb95"), designs.shrunk, strict=True)
    }
    return pa.table(columns)


def _flags(designs: Designs) -> list[str]:
    given = designs.own.column("flags").cast(pa.string()).to_pylist()
    return [
        ", ".join(part for part in (flag or "", "protopathic" if early else "") if part)
        for flag, early in zip(given, designs.protopathic.tolist(), strict=True)
    ]


def _finite(values: NDArray[np.float64]) -> pa.Array:
    return pa.array(values, mask=~np.isfinite(values))


def _where(wanted: NDArray[np.bool_], values: NDArray[np.float64]) -> pa.Array:
    return pa.array(values, mask=~wanted)
