"""Do the jobs of the toolbox keep their promises? Null and planted worlds of each, with seeds drawn anew.

Run as ``python -m tests.statistics.toolbox --seeds 20``. ``PATTERNLAKE_DATA`` names the folder of foreign data sets;
without it the null that nobody here wrote is left out, and the figures say so.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import stats

from experiments.analyses.pathways.effects import feature_effects
from experiments.analyses.subgroups.search import FIXED, conditions_of, find_subgroups
from experiments.kernels.bands import banded
from experiments.kernels.care import CarePass
from experiments.kernels.design import PairScanSettings
from experiments.kernels.pairs.reference import ReferencePass
from experiments.kernels.passes import OverPersons
from experiments.statistics.error_control.tree_errors import tree_bh
from experiments.statistics.latent_structure.phenotypes import find_phenotypes
from experiments.statistics.observed_expected.unexpected_care import unexpected
from experiments.statistics.over_time.change_points import find_breaks
from tests.kernels.test_care import interaction
from tests.oracles import pathways as log_oracle
from tests.statistics import test_pathway_effects, test_phenotypes
from tests.statistics.calibration import Figure
from tests.statistics.test_change_points import series
from tests.statistics.test_subgroup_effects import cohort_rows
from tests.support.worlds import null_world

QUIET = 0.85
"""At a level of 5 % a null world stays quiet in 95 of 100; of 20 worlds at least 17 do, but for 1 run in 60."""
LEVEL, CHANCE = 0.05, 0.001
"""Where there are more worlds the bound is what that level passes once in so many runs, which is stricter."""


def quiet(name: str, worlds: list[bool]) -> Figure:
    """How many null worlds stayed quiet."""
    silent = sum(worlds)
    by_chance = len(worlds) - int(stats.binom.ppf(1 - CHANCE, len(worlds), LEVEL))
    wanted = max(int(np.ceil(QUIET * len(worlds))), by_chance)
    return Figure(
        f"{name}: null worlds with nothing significant",
        f"{silent} of {len(worlds)}",
        f"≥ {wanted}",
        silent >= wanted,
    )


def at_least(name: str, share: float, promised: float) -> Figure:
    """A share that must be reached."""
    return Figure(name, f"{share:.3f}", f"≥ {promised:g}", share >= promised)


def at_most(name: str, share: float, promised: float) -> Figure:
    """A share that must not be passed."""
    return Figure(name, f"{share:.3f}", f"≤ {promised:g}", share <= promised)


def pathways(seeds: int, rng: np.random.Generator) -> Iterator[Figure]:
    """Features of pathways and the outcome after them."""
    world = test_pathway_effects.world
    yield quiet(
        "pathways", [not world(rng, np.empty(0, np.int64), 1.0).significant.any() for _ in range(5 * seeds)]
    )
    found, false, held = [], [], []
    while len(found) < 10 * seeds:
        planted = rng.integers(test_pathway_effects.FEATURES, size=1)
        effects = world(rng, planted, 2.0)
        if effects.persons[planted[0]] >= 400:
            hit = bool(effects.significant[planted[0]])
            found.append(hit)
            false.append((effects.significant.sum() - hit) / max(int(effects.significant.sum()), 1))
            held.append(bool(effects.risk.low[planted[0]] <= 2.0 <= effects.risk.high[planted[0]]))
    yield at_least("pathways: planted risk ratio of 2 found", float(np.mean(found)), 0.95)
    yield at_most("pathways: false discovery rate", float(np.mean(false)), 0.07)
    yield at_least("pathways: 95 % intervals that hold the truth", float(np.mean(held)), 0.85)


def sepsis_permuted(seeds: int, rng: np.random.Generator) -> Iterator[Figure]:
    """A hospital's own log, its outcome (coming back) dealt out anew among cases of one length."""
    folder = os.environ.get("PATTERNLAKE_DATA")
    if not folder:
        yield Figure("pathways: foreign log, outcome permuted", "not run", "PATTERNLAKE_DATA", True)
        return
    with gzip.open(
        Path(folder) / "sepsis_log" / "sepsis.csv.gz", "rt", encoding="utf-8", newline=""
    ) as handle:
        rows = [
            (row["case_id"] or "NA", row["activity"], float(row[".order"]), 0)
            for row in csv.DictReader(handle)
        ]
    back = {case for case, activity, *_ in rows if activity == "Return ER"}
    ways = log_oracle.steps([row for row in rows if row[1] != "Return ER"])
    cases = sorted(ways)
    found = {
        case: {(a[0], b[0]) for (_, a), (_, b) in zip(ways[case], ways[case][1:], strict=False)}
        for case in cases
    }
    edges = sorted({edge for each in found.values() for edge in each})
    has = np.array([[edge in found[case] for edge in edges] for case in cases])
    stratum = np.searchsorted([5, 8, 11, 14, 18, 25], [len(ways[case]) for case in cases], side="right")
    half = rng.integers(0, 2, len(cases))
    calls = []
    for _ in range(seeds):
        outcome = np.array([case in back for case in cases])
        for each in np.unique(stratum):
            outcome[stratum == each] = rng.permutation(outcome[stratum == each])
        group = stratum * 2 + half
        totals = np.stack([np.bincount(group, minlength=14), np.bincount(group, outcome, 14)], axis=1)
        cell = np.arange(len(edges))[None, :] * 14 + group[:, None]
        n1 = np.bincount(cell[has], minlength=len(edges) * 14).astype(float)
        a = np.bincount(cell[has & outcome[:, None]], minlength=len(edges) * 14).astype(float)
        feature, place = np.divmod(np.flatnonzero(n1), 14)
        cells = np.stack([feature, place // 2, place % 2], axis=1)
        counts = np.stack([n1, a], axis=1)[n1 > 0]
        calls.append(
            not feature_effects(
                cells, counts, totals.reshape(7, 2, 2), len(edges), 20, 0.05
            ).significant.any()
        )
    yield quiet("pathways: foreign log, outcome permuted", calls)


def subgroups(seeds: int, rng: np.random.Generator) -> Iterator[Figure]:
    """Subgroups of new users, whose choice of treatment depends on what changes their risk."""
    calls, found, confirmed, false = [], [], [], []
    for seed in range(5 * seeds):
        cohort = conditions_of(cohort_rows(rng, 5000, 0.0), 60, 60)
        result = find_subgroups(cohort, fewest=30, depth=2, flips=99, seed=seed, level=0.05)
        calls.append(not (result.found.p <= 0.05).any())
    for seed in range(max(seeds // 2, 1)):
        cohort = conditions_of(cohort_rows(rng, 12_000, 0.2), 60, 60)
        result = find_subgroups(cohort, fewest=30, depth=2, flips=99, seed=seed, level=0.05)
        place, planted = result.found.conditions.index((len(FIXED) + 3,)), len(FIXED) + 3
        significant = result.found.p <= 0.05
        found.append(bool(significant[place]))
        confirmed.append(int(result.replicated[place]) == 1)
        outside = [
            planted not in c for c, hit in zip(result.found.conditions, significant, strict=True) if hit
        ]
        false.append(np.mean(outside) if outside else 0.0)
    yield quiet("subgroups", calls)
    yield at_least("subgroups: planted difference of 20 points found", float(np.mean(found)), 0.95)
    yield at_least("subgroups: and confirmed in the locked half", float(np.mean(confirmed)), 0.8)
    yield at_most("subgroups: significant ones without the planted condition", float(np.mean(false)), 0.05)


def care(seeds: int, rng: np.random.Generator) -> Iterator[Figure]:
    """Treatment by group by outcome: worlds of persons without effects, and tables whose effects multiply."""
    calls, spreads = [], []
    for _ in range(max(seeds // 4, 2)):
        world = null_world(secrets.randbelow(2**31), bursts=True, persons=60_000, codes=300)
        order = np.argsort(-np.bincount(world.persons.codes, minlength=300)).astype(np.int32)
        run = OverPersons(world.persons)
        settings = banded(run, PairScanSettings(world.n_codes))
        arguments = {
            "settings": settings,
            "reference": run(ReferencePass, {"settings": settings}),
            "treatments": order[10:50],
            "groups": order[50:110],
            "outcomes": np.append(order[:6], world.death).astype(np.int32),
        }
        result = unexpected(*run(CarePass, arguments).figures(), 20)
        calls.append(int((result.q_bh[result.tested] <= 0.05).sum()))
        spreads.append(float(result.z[result.tested & (result.expected >= 5)].std()))
    share = float(np.mean([call <= 1 for call in calls]))
    yield at_least("anomalous care: null worlds of persons with at most one cell significant", share, 0.9)
    yield at_most("anomalous care: largest sd of z in them", max(spreads), 1.1)
    yield quiet(
        "anomalous care: effects that multiply",
        [not (interaction(rng, 1.0).q_bh <= 0.05).any() for _ in range(5 * seeds)],
    )
    hits, false = [], []
    for _ in range(10 * seeds):
        significant = np.nan_to_num(interaction(rng, 2.5).q_bh, nan=1.0) <= 0.05
        hits.append(bool(significant[4, 7, 1]))
        false.append((significant.sum() - hits[-1]) / max(int(significant.sum()), 1))
    yield at_least("anomalous care: planted ratio of 2.5 found", float(np.mean(hits)), 0.95)
    yield at_most("anomalous care: false discovery rate", float(np.mean(false)), 0.07)


def phenotypes(seeds: int, rng: np.random.Generator) -> Iterator[Figure]:
    """Codes that stand together beyond age and utilisation."""
    calls, found = [], []
    for seed in range(3 * seeds):
        result = find_phenotypes(*test_phenotypes.world(rng, 3000, 0), factors=6, seeds=2, seed=seed)
        calls.append(not (result.q_bh <= 0.05).any())
    for seed in range(max(seeds // 4, 2)):
        result = find_phenotypes(*test_phenotypes.world(rng, 8000, 4), factors=7, seeds=4, seed=seed)
        for block in range(4):
            codes = set(range(block * 8, block * 8 + 8))
            hits = [len(codes & set(top.tolist())) >= 5 for top in result.top]
            found.append(any(hit and q <= 0.05 for hit, q in zip(hits, result.q_bh, strict=True)))
    yield quiet("phenotypes", calls)
    yield at_least(
        "phenotypes: planted ones found and significant in the locked half", float(np.mean(found)), 0.9
    )


def errors(seeds: int, rng: np.random.Generator) -> Iterator[Figure]:
    """Breaks in coding, and families of hypotheses."""
    yield quiet(
        "breaks in coding", [not (find_breaks(*series(rng, 300)).month >= 0).any() for _ in range(5 * seeds)]
    )
    found = []
    for _ in range(seeds):
        counts, totals = series(rng, 200)
        frequent = np.flatnonzero(counts[:, :24].mean(axis=1) > 12)[:20]
        counts[frequent, 40:] = 0
        found.append(float((np.abs(find_breaks(counts, totals).month[frequent] - 40) <= 2).mean()))
    yield at_least("breaks in coding: codes dropped found, month within 2", float(np.mean(found)), 0.85)
    groups = np.stack([np.arange(4000) // 400, np.arange(4000) // 20], axis=1)
    opened, false = [], []
    for _ in range(10 * seeds):
        log10_p = np.log10(rng.random(4000))
        opened.append(not tree_bh(log10_p, groups)[0].any())
        log10_p[40:60] = -np.abs(rng.normal(6.5, 1, 20))
        selected, _ = tree_bh(log10_p, groups)
        false.append((selected.sum() - selected[40:60].sum()) / max(int(selected.sum()), 1))
    yield quiet("families (chapters, blocks, pairs)", opened)
    yield at_most("families: false discovery rate", float(np.mean(false)), 0.06)


PARTS = (pathways, sepsis_permuted, subgroups, care, phenotypes, errors)


def figures(seeds: int) -> Iterator[Figure]:
    """Every figure, part by part."""
    for part in PARTS:
        yield from part(seeds, np.random.default_rng(secrets.randbits(64)))


def main() -> int:
    """Print every figure; 1 where one falls short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    short = 0
    for figure in figures(parser.parse_args().seeds):
        mark = "ok  " if figure.holds else "FAIL"
        print(f"{mark} {figure.name:66} {figure.measured:>14}   promised {figure.promised}", flush=True)
        short += not figure.holds
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
