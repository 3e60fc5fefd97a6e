"""Does the pair scan keep its promises? Figures over null and planted worlds, each beside its threshold.

Run as ``python -m tests.statistics.calibration --seeds 20``: prints every figure, fails when one falls short.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from experiments.analyses.pairs.scan import PairScan, scan
from experiments.kernels.design import PairScanSettings
from experiments.kernels.passes import OverPersons
from experiments.products.base import Calibration
from tests.support.worlds import Truth, World, null_world, planted_world

BANDS = (5, 10, 20, 50, 100, 200, 500, 2_000, 8_000, float("inf"))
"""Bands of E in which the SD of z must be right."""
FEWEST_IN_BAND = 1000
"""Bands are judged over all worlds together; the spread of fewer pairs is chance itself."""
ELIGIBLE = 6.0
"""A planted pair must be found from this |RR - 1| √E on, E as expected without the effect."""


@dataclass(frozen=True)
class Figure:
    """One promised figure: what was measured, what was promised, and whether it holds."""

    name: str
    measured: str
    promised: str
    holds: bool


def scan_world(world: World, washout_days: int = 0) -> PairScan:
    """The scan of a world as a job would run it."""
    options = PairScanSettings(world.n_codes, washout_days=washout_days)
    return scan(OverPersons(world.persons), options, terminal=(world.death,))


def null_world_figures(
    seed: int,
    bursts: bool,
    persons: int = 200_000,
    codes: int = 1200,
    washout_days: int = 0,
    busier: float = 1.0,
) -> dict[str, Any]:
    """SD of z (over all pairs with E >= 5 and by band of E), share of p under 0.05, significant pairs.

    Pairs of two codes that replace others or are replaced are told apart: a code that ends before another begins is never
    found after it, and the job flags such pairs as breaks in coding.
    """
    world = null_world(seed, bursts=bursts, persons=persons, codes=codes, busier=busier)
    result = scan_world(world, washout_days)
    called = _numbers(result.table, "called").astype(bool)
    broken = np.isin(_numbers(result.table, "code_a"), [*world.truth.breaks])
    broken &= np.isin(_numbers(result.table, "code_b"), [*world.truth.breaks])
    columns = {name: _numbers(result.table, name) for name in ("E", "z", "log10_p")}
    wanted = (columns["E"] >= 5) & _numbers(result.table, "tested").astype(bool)
    expected, z, log10_p = (columns[name][wanted] for name in ("E", "z", "log10_p"))
    bands = {}
    for low, high in pairwise(BANDS):
        inside = z[(expected >= low) & (expected < high)]
        bands[f"{low:g}-{high:g}"] = (len(inside), float(inside.sum()), float((inside**2).sum()))
    return {
        "seed": seed,
        "pairs": len(z),
        "sd": float(z.std()),
        "bands": bands,
        "small_p": float((log10_p < np.log10(0.05)).mean()),
        "significant": int((called & ~broken).sum()),
        "breaks": int((called & broken).sum()),
        "events": len(world.persons.codes) / world.persons.count,
        "null_sd": result.null.sd,
        "widest": Calibration(*result.null).widest,
    }


def planted_world_figures(seed: int, persons: int = 200_000, codes: int = 1200) -> dict[str, Any]:
    """What of the planted was significant, and of the rest; errors of RR, coverage, directions, replication."""
    world = planted_world(seed, persons=persons, codes=codes)
    result = scan_world(world)
    rows = {name: _numbers(result.table, name) for name in ("code_a", "code_b", "rr", "rr_low", "rr_high")}
    significant = _numbers(result.table, "called").astype(bool)
    direction = np.array(result.table.column("direction").to_pylist(), dtype=object)
    replicated = np.array(result.table.column("replicated_person").to_pylist(), dtype=object)
    place = {pair: at for at, pair in enumerate(zip(rows["code_a"], rows["code_b"], strict=True))}
    effects = [(effect, place[effect.a, effect.b]) for effect in world.truth.planted]
    eligible = [at for e, at in effects if abs(e.rr - 1) * e.expected**0.5 >= ELIGIBLE]
    found = [(effect, at) for effect, at in effects if significant[at]]
    true = {place[pair] for pair in _true_pairs(world.truth) if pair in place}
    false = [at for at in np.flatnonzero(significant) if at not in true]
    decoys = [place[pair] for kind in world.truth.decoys.values() for pair in kind if pair in place]
    return {
        "seed": seed,
        "eligible": len(eligible),
        "eligible_significant": int(significant[eligible].sum()),
        "significant": int(significant.sum()),
        "false": len(false),
        "decoys": len(decoys),
        "decoys_called": int(significant[decoys].sum()),
        "errors": [float(rows["rr"][at] / effect.rr - 1) for effect, at in found if effect.expected >= 50],
        "covered": [bool(rows["rr_low"][at] <= effect.rr <= rows["rr_high"][at]) for effect, at in found],
        "wrong_direction": int(sum(direction[at] == "backward" for _, at in found)),
        "forward": int(sum(direction[at] == "forward" for _, at in found)),
        "planted_called": len(found),
        "confirmed": int(sum(replicated[at] is True for _, at in found)),
        "confirmed_false": int(sum(replicated[at] is True for at in false)),
        "null_sd": result.null.sd,
    }


def null_verdicts(figures: list[dict[str, Any]], name: str) -> Iterator[Figure]:
    """The promises over null worlds."""
    sds = [figure["sd"] for figure in figures]
    holds = all(0.93 <= sd <= 1.07 for sd in sds)
    yield Figure(f"{name}: sd of z, pairs with E ≥ 5", _span(sds), "0.93-1.07 in each", holds)
    for band in figures[0]["bands"]:
        pairs, total, squares = np.sum([figure["bands"][band] for figure in figures], axis=0)
        if pairs >= FEWEST_IN_BAND:
            sd = float(np.sqrt(squares / pairs - (total / pairs) ** 2))
            measured = f"{sd:.3f} ({pairs:.0f} pairs)"
            yield Figure(f"{name}: sd of z, E {band}", measured, "0.9-1.1", 0.9 <= sd <= 1.1)
    shares = [figure["small_p"] for figure in figures]
    holds = all(0.035 <= share <= 0.06 for share in shares)
    yield Figure(f"{name}: share of p < 0.05", _span(shares), "0.035-0.06 in each", holds)
    silent = sum(figure["significant"] <= 2 for figure in figures)
    wanted = int(np.ceil(0.9 * len(figures)))
    yield Figure(
        f"{name}: worlds with at most 2 significant",
        f"{silent} of {len(figures)}",
        f"≥ {wanted}",
        silent >= wanted,
    )


def planted_verdicts(figures: list[dict[str, Any]]) -> Iterator[Figure]:
    """The promises over planted worlds, pooled."""

    def share(part: str, whole: str) -> float:
        return sum(f[part] for f in figures) / max(sum(f[whole] for f in figures), 1)

    found, fdr, decoys = (
        share("eligible_significant", "eligible"),
        share("false", "significant"),
        share("decoys_called", "decoys"),
    )
    errors = np.array([error for figure in figures for error in figure["errors"]])
    median = float(np.median(np.abs(errors)))
    wrong = sum(figure["wrong_direction"] for figure in figures)
    covered = np.mean([hit for figure in figures for hit in figure["covered"]])
    yield Figure("planted: eligible pairs significant", f"{found:.3f}", "≥ 0.95", found >= 0.95)
    yield Figure("planted: false discovery rate", f"{fdr:.3f}", "≤ 0.05", fdr <= 0.05)
    yield Figure("planted: decoys significant", f"{decoys:.4f}", "≤ 0.05", decoys <= 0.05)
    yield Figure("planted: median error of RR, E ≥ 50", f"{median:.3f}", "≤ 0.10", median <= 0.10)
    bias = float(np.median(errors))
    yield Figure("planted: median signed error of RR", f"{bias:+.3f}", "within ±0.05", abs(bias) <= 0.05)
    yield Figure("planted: 95 % intervals that hold RR", f"{covered:.3f}", "≥ 0.90", bool(covered >= 0.90))
    yield Figure("planted: wrong directions", str(wrong), "0", wrong == 0)


def _true_pairs(truth: Truth) -> set[tuple[int, int]]:
    return {(effect.a, effect.b) for effect in truth.planted} | set(truth.induced)


def _numbers(table: pa.Table, name: str) -> np.ndarray[Any, Any]:
    return table.column(name).to_numpy(zero_copy_only=False)


def _span(values: list[float]) -> str:
    return f"{min(values):.3f}-{max(values):.3f}"


def _null_with(seed: int) -> dict[str, Any]:
    return null_world_figures(seed, True)


def _dense(seed: int, busier: float) -> dict[str, Any]:
    return null_world_figures(seed, True, persons=50_000, codes=300, busier=busier)


def _null_60(seed: int) -> dict[str, Any]:
    return _dense(seed, 3.0)


def _null_120(seed: int) -> dict[str, Any]:
    return _dense(seed, 6.0)


def _null_200(seed: int) -> dict[str, Any]:
    return _dense(seed, 10.0)


DENSE = {
    "null, 60 events a person": _null_60,
    "null, 120 events a person": _null_120,
    "null, 200 events a person": _null_200,
}


def _null_without(seed: int) -> dict[str, Any]:
    return null_world_figures(seed, False)


def main() -> int:
    """Measure over fresh seeds and print every figure; 1 where one falls short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="worlds of each kind")
    parser.add_argument("--first-seed", type=int, default=None, help="repeat a run; drawn anew by default")
    parser.add_argument("--workers", type=int, default=2, help="worlds at a time (about 2.5 GB each)")
    options = parser.parse_args()
    first = options.first_seed if options.first_seed is not None else secrets.randbelow(2**31)
    print(f"first seed {first}, {options.seeds} worlds of each kind", file=sys.stderr)
    seeds = range(first, first + options.seeds)
    results: dict[str, list[dict[str, Any]]] = {}
    with ProcessPoolExecutor(options.workers) as pool:
        for name, work in (
            ("null, no stays", _null_without),
            ("null, stays", _null_with),
            *DENSE.items(),
            ("planted", planted_world_figures),
        ):
            results[name] = []
            for figures in pool.map(work, seeds):
                results[name].append(figures)
                shown = {key: value for key, value in figures.items() if key not in ("errors", "covered")}
                print(f"{name}: {shown}", file=sys.stderr)
    verdicts = [
        *null_verdicts(results["null, no stays"], "null, no stays"),
        *(verdict for name in ("null, stays", *DENSE) for verdict in null_verdicts(results[name], name)),
        *planted_verdicts(results["planted"]),
    ]
    for verdict in verdicts:
        mark = "ok  " if verdict.holds else "FAIL"
        print(f"{mark} {verdict.name:46} {verdict.measured:>22}   promised {verdict.promised}")
    return 0 if all(verdict.holds for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
