"""Does the search for side effects keep its promises? Null worlds stay quiet, planted harms are found, by two designs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.analyses.side_effects.designs import (
    WINDOWS,
    SideEffects,
    SideEffectSettings,
    find_side_effects,
)
from experiments.kernels.design import PairScanSettings
from experiments.kernels.passes import OverPersons
from experiments.kernels.persons import Persons
from experiments.kernels.reactions import ReactionPass, ReactionSettings
from experiments.kernels.spans import SpanPass
from tests.support.worlds import World, null_world

STRONG = 7.0
"""Standard deviations above chance that each of two designs must be expected to see: 99 % power after correction."""


def wanted_of(world: World) -> SideEffectSettings:
    """Every fourth code is a medicine."""
    codes = range(world.n_codes - 1)
    return SideEffectSettings(tuple(k for k in codes if k % 4 == 0), tuple(k for k in codes if k % 4))


def search(persons: Persons, world: World) -> SideEffects:
    """The search as a job would run it."""
    settings = PairScanSettings(world.n_codes, 365)
    return find_side_effects(
        OverPersons(persons), settings, wanted_of(world), terminal=(world.death,), seed=3
    )


def null_figures(seed: int, persons: int = 60_000, codes: int = 240) -> dict[str, Any]:
    """Pairs significant where nothing harms, mean and SD of the controls, and how many intervals of each design miss 1."""
    world = null_world(seed, bursts=True, persons=persons, codes=codes)
    found = search(world.persons, world)
    table = found.table.filter(found.table.column("tested"))
    miss: dict[str, float] = {}
    for name in ("ssa", "scc"):
        low, high = (np.asarray(table.column(f"{name}_{end}"), dtype=float) for end in ("low", "high"))
        some = np.isfinite(low) & np.isfinite(high)
        miss[name] = float(np.mean((low[some] > 1) | (high[some] < 1)))
    calibrated = np.asarray(table.column("calibrated_p"), dtype=float)
    return {
        "seed": seed, "tested": found.tested, "significant": sum(table.column("called").to_pylist()), "miss": miss,
        "controls": found.scatter, "calibrated_small": float(np.mean(calibrated[np.isfinite(calibrated)] < 0.05)),
        "best_window_small": float(np.mean(np.asarray(table.column("ictpd_p")) <= 0.05)),
    }  # fmt: skip


def planted_figures(seed: int, persons: int = 80_000, codes: int = 240, harms: int = 20) -> dict[str, Any]:
    """Of planted harms with 99 % power how many are significant, and how many of those were not planted."""
    rng = np.random.default_rng(seed)
    world = null_world(seed, bursts=True, persons=persons, codes=codes)
    wanted = wanted_of(world)
    run = OverPersons(world.persons)
    span = run(SpanPass, {})
    within = (span.first_day, span.last_day)
    settings = ReactionSettings(world.n_codes, wanted.medicines, wanted.events, WINDOWS, 365, within)
    base = run(ReactionPass, {"settings": settings})
    m = rng.choice(len(wanted.medicines), harms, replace=False)
    e = rng.choice(len(wanted.events), harms, replace=False)
    planted, strong, persons_now = set(), set(), world.persons
    for row, column in zip(m.tolist(), e.tolist(), strict=True):
        pair = (wanted.medicines[row], wanted.events[column])
        persons_now, added = harm(rng, persons_now, pair, float(rng.uniform(0.03, 0.2)), world.death)
        order, near = base.order[row, column].astype(float), base.near[row, column].astype(float)
        z = (added / np.sqrt(added + order[0] + 1), added / np.sqrt(added + order[:2].sum() + 1),
             added / np.sqrt(added + near[0] + near[6] + 1))  # fmt: skip
        planted.add(pair)
        if sorted(z)[1] >= STRONG:
            strong.add(pair)
    table = search(persons_now, world).table
    rows = table.filter(table.column("called")).select(["code_a", "code_b", "sccs_low"]).to_pylist()
    significant = {(row["code_a"], row["code_b"]) for row in rows}
    return {
        "seed": seed, "eligible": len(strong), "eligible_significant": len(strong & significant),
        "significant": len(significant), "false": len(significant - planted),
        "in_case_series": sum((row["sccs_low"] or 0) > 1 for row in rows),
    }  # fmt: skip


def harm(
    rng: np.random.Generator, persons: Persons, pair: tuple[int, int], share: float, death: int
) -> tuple[Persons, int]:
    """The event 1 to 30 days after the first dispensing for a share of those who never had it; how many."""
    owner = np.repeat(np.arange(persons.count), np.diff(persons.offsets))
    starts = _first(persons, owner, pair[0])
    free = np.isin(np.arange(persons.count), owner[persons.codes == pair[1]], invert=True)
    dead = _first(persons, owner, death)
    day = starts + rng.integers(1, 31, persons.count)
    last = int(persons.days.max())
    hit = np.flatnonzero(
        (starts < 10**8) & free & (rng.random(persons.count) < share) & (day <= last) & (day <= dead)
    )
    return with_events(persons, owner, hit, day[hit], pair[1]), len(hit)


def _first(persons: Persons, owner: NDArray[np.int64], code: int) -> NDArray[np.int64]:
    first = np.full(persons.count, 10**9, np.int64)
    mine = persons.codes == code
    np.minimum.at(first, owner[mine], persons.days[mine].astype(np.int64))
    return first


def with_events(
    persons: Persons, owner: NDArray[np.int64], who: NDArray[np.int64], day: NDArray[np.int64], code: int
) -> Persons:
    """The same persons with one more event each for some, seen in out-patient care."""
    people = np.concatenate([owner, who])
    days = np.concatenate([persons.days, day.astype(np.int32)])
    codes = np.concatenate([persons.codes, np.full(len(who), code, np.int32)])
    setting = np.concatenate([persons.settings, np.ones(len(who), np.int8)])
    order = np.lexsort((codes, days, people))
    offsets = np.searchsorted(people[order], np.arange(persons.count + 1)).astype(np.int64)
    return persons._replace(offsets=offsets, codes=codes[order], days=days[order], settings=setting[order])
