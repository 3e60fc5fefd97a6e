"""Do trajectories keep their promises? Null worlds stay quiet; planted chains are found, others are not."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from experiments.analyses.trajectories.scan import Steps, TrajectoryScan, find_trajectories
from experiments.kernels.bands import banded
from experiments.kernels.design import PairScanSettings
from experiments.kernels.pairs.reference import ReferencePass
from experiments.kernels.passes import OverPersons
from experiments.kernels.spans import SpanPass
from experiments.kernels.trajectories import PathPass
from tests.support.worlds import World, null_world, planted_world

ELIGIBLE = 8.5
"""A link must be found in both halves from this |RR - 1| √E on (6 in each half)."""
FEWEST = 50
"""Expected walkers from which on a support of 20 is reached with 99 % power."""


def walk(world: World, wanted: Steps = Steps()) -> TrajectoryScan:  # noqa: B008
    """The search as a job would run it."""
    settings = PairScanSettings(world.n_codes)
    return find_trajectories(OverPersons(world.persons), settings, wanted, terminal=(world.death,))


def null_figures(seed: int, persons: int = 60_000, codes: int = 300) -> dict[str, Any]:
    """Trajectories significant where nothing leads to anything."""
    found = walk(null_world(seed, bursts=True, persons=persons, codes=codes))
    return {
        "seed": seed,
        "tested": found.table.num_rows,
        "significant": sum(found.table.column("called").to_pylist()),
    }


def planted_figures(seed: int, persons: int = 100_000, codes: int = 160) -> dict[str, Any]:
    """Of the planted chains with 99 % power how many are significant; of those how many hold a false link."""
    world = planted_world(seed, persons=persons, codes=codes, harmful=6, protective=2, chains=12)
    truth = world.truth
    true = {(effect.a, effect.b) for effect in truth.planted if effect.rr > 1} | set(truth.induced)
    strong = {
        (effect.a, effect.b)
        for effect in truth.planted
        if (effect.rr - 1) * np.sqrt(effect.expected) >= ELIGIBLE
    }
    middle = {effect.a: effect.b for effect in truth.planted}
    chains = {(a, middle[a], c) for a, c in truth.induced}
    eligible = _powered(world, sorted(chain for chain in chains if {chain[:2], chain[1:]} <= strong), truth)
    found = walk(world).table
    significant = [
        tuple(row["items"]) for row in found.select(["items", "called"]).to_pylist() if row["called"]
    ]
    false = [path for path in significant if any((a, b) not in true for a, b in pairwise(path))]
    return {
        "seed": seed, "eligible": len(eligible), "eligible_significant": len(set(eligible) & set(significant)),
        "significant": len(significant), "false": len(false), "longest": max((len(path) for path in significant), default=0),
    }  # fmt: skip


def _powered(world: World, chains: list[tuple[int, ...]], truth: Any) -> list[tuple[int, ...]]:
    """Chains whose last step is expected often enough, by the walkers there are and the planted effect."""
    if not chains:
        return []
    run = OverPersons(world.persons)
    settings = banded(run, PairScanSettings(world.n_codes))
    given = {"settings": settings, "reference": run(ReferencePass, {"settings": settings})}
    given |= {"last_day": run(SpanPass, {}).last_day, "paths": np.array(chains, np.int32)}
    counts = run(PathPass, given)
    rr = {(effect.a, effect.b): effect.rr for effect in truth.planted}
    expected = counts.expected[:, :, 0].sum(axis=1)
    return [
        chain
        for chain, e in zip(chains, expected, strict=True)
        if e * rr[chain[1:]] >= FEWEST and (rr[chain[1:]] - 1) * np.sqrt(e) >= ELIGIBLE
    ]
