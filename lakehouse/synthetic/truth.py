"""The truth as a file: what was planted, what follows from it, and the decoys that are nothing but confounding."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from lakehouse.synthetic.block import World
from lakehouse.synthetic.catalogue import Catalogue
from lakehouse.synthetic.plan import WINDOW_DAYS, Effect, Odds, Plan, foresee
from lakehouse.synthetic.rates import Floats, population_by_band

DECOYS_PER_EFFECT = 6
UNJUDGED = ("LPR//ADMISSION", "LPR//EMERGENCY")
"""Contacts themselves: nearly everyone has one, and who has the first one late uses care less than others do.

That is utilisation, not an effect, but no comparison of first occurrences removes it, so no judge should count it.
"""
Pair = tuple[str, str]


def describe_truth(world: World) -> dict[str, Any]:
    """Everything a judge needs, with codes written as mining writes them by default."""
    catalogue, plan = world.catalogue, world.plan
    edges = {(code_a(catalogue, e), icd(catalogue, e.outcome)) for e in plan.effects}
    treated, related = treatment_edges(catalogue)
    induced = closure(edges | treated | related) - edges - treated - related
    taken = edges | treated | related | induced
    odds = foresee(catalogue, world.intensity, world.rates)
    decoys = draw_decoys(catalogue, odds, plan, taken, world.seed)
    return {
        "seed": world.seed,
        "years": list(catalogue.years),
        "window_days": WINDOW_DAYS,
        "planted": [row(catalogue, e) for e in plan.effects if e.kind == "pair"],
        "trajectories": [
            {
                "codes": [icd(catalogue, code) for code in chain],
                "steps": [row(catalogue, e) for e in plan.effects if is_step(e, chain)],
            }
            for chain in plan.trajectories
        ],
        "harms": [row(catalogue, e) for e in plan.effects if e.kind == "harm"],
        "indications": [
            {"a": a, "b": b, "kind": "indication" if (a, b) in treated else "laboratory"}
            for a, b in sorted(treated | related)
        ],
        "induced": [{"a": a, "b": b} for a, b in sorted(induced)],
        "unjudged": list(UNJUDGED),
        "decoys": [{"a": a, "b": b, "by": by} for a, b, by in decoys],
    }


def icd(catalogue: Catalogue, code: int) -> str:
    """A diagnosis as mining writes it."""
    return f"ICD10//{catalogue.diagnoses.code[code]}"


def code_a(catalogue: Catalogue, effect: Effect) -> str:
    """The exposure of an effect as mining writes it."""
    return (
        f"ATC//{catalogue.groups[0][effect.exposure]}" if effect.medicine else icd(catalogue, effect.exposure)
    )


def row(catalogue: Catalogue, effect: Effect) -> dict[str, Any]:
    """One effect; ``expected_per_1000`` is E per 1,000 persons of the region without the effect."""
    return {
        "a": code_a(catalogue, effect),
        "b": icd(catalogue, effect.outcome),
        "rr": effect.ratio,
        "kind": effect.kind,
        "expected_per_1000": round(effect.expected * 1000, 4),
    }


def is_step(effect: Effect, chain: tuple[int, ...]) -> bool:
    """Whether an effect is a step of a trajectory."""
    steps = set(itertools.pairwise(chain))
    return effect.kind == "trajectory" and (effect.exposure, effect.outcome) in steps


def treatment_edges(catalogue: Catalogue) -> tuple[set[Pair], set[Pair]]:
    """True associations of a disease with its medicines and its laboratory markers, in both directions.

    A disease older than the period is recorded at its first contact, so its medicine may come first. The
    second set holds the markers and the flags of one panel: taken together, abnormal on the same day.
    """
    edges: set[Pair] = set()
    for diagnosis, medicine, _ in catalogue.indications:
        a, b = icd(catalogue, diagnosis), f"ATC//{catalogue.medicines.code[medicine][:5]}"
        edges |= {(a, b), (b, a)}
    markers: set[Pair] = set()
    flagged = [(f"NPU//{row['code']}//H", f"NPU//{row['code']}//L") for row in catalogue.analyses]
    panels = [row["panel"] for row in catalogue.analyses]
    for one, panel in zip(flagged, panels, strict=True):
        for other, its_panel in zip(flagged, panels, strict=True):
            if panel == its_panel:
                markers |= {(x, y) for x in one for y in other if x != y}
    for diagnosis, analysis, _, _ in catalogue.markers:
        for result in flagged[analysis]:
            markers |= {(icd(catalogue, diagnosis), result), (result, icd(catalogue, diagnosis))}
    return edges, markers


def closure(edges: set[Pair]) -> set[Pair]:
    """Pairs that hang together through others: a later end of a path, or a common cause."""
    after: dict[str, set[str]] = {}
    for a, b in edges:
        after.setdefault(a, set()).add(b)
    reach = {a: reachable(a, after) for a in after}
    found = {(a, b) for a, ends in reach.items() for b in ends if a != b}
    for ends in reach.values():
        found |= {(x, y) for x in ends for y in ends if x != y}
    return found


def reachable(start: str, after: dict[str, set[str]]) -> set[str]:
    """All codes at the end of some path."""
    seen: set[str] = set()
    queue = [start]
    while queue:
        for following in after.get(queue.pop(), set()) - seen:
            seen.add(following)
            queue.append(following)
    return seen


def draw_decoys(
    catalogue: Catalogue, odds: Odds, plan: Plan, taken: set[Pair], seed: int
) -> list[tuple[str, str, str]]:
    """Pairs with no effect between them that a crude comparison would call: by age, sex, calendar or utilisation."""
    rng = np.random.default_rng([seed, 7002])
    rows = catalogue.diagnoses.extra
    usable = [
        i for i, r in enumerate(rows) if (odds.exposed[i] * odds.weight).sum() > 0.008 and r["age"] != "inf"
    ]
    outcomes = [i for i in usable if catalogue.prevalence[i] == 0]
    wanted = DECOYS_PER_EFFECT * len(plan.effects)
    decoys: dict[Pair, str] = {}
    sorts = ("age", "sex", "calendar", "utilisation")
    for attempt in range(wanted * 200):
        if len(decoys) >= wanted:
            break
        a, b = int(rng.choice(usable)), int(rng.choice(outcomes))
        pair = (icd(catalogue, a), icd(catalogue, b))
        reason = sorts[attempt % 4]
        if a != b and pair not in taken and pair not in decoys and confounded(catalogue, a, b, reason):
            decoys[pair] = reason
    return [(a, b, by) for (a, b), by in decoys.items()]


def confounded(catalogue: Catalogue, a: int, b: int, reason: str) -> bool:
    """Whether two diagnoses go together in a crude comparison for this reason."""
    table = catalogue.diagnoses
    population = population_by_band()
    if reason == "age":
        return float((table.age[a] * table.age[b]) @ population) > 1.5
    if reason == "sex":
        return float(table.sex[a] @ table.sex[b]) / 2 > 1.1
    if reason == "calendar":
        return trend(table.drift[a]) * trend(table.drift[b]) > 0.01
    busy = table.lean[a][2] > 2 and table.lean[b][2] > 2
    return bool(busy)


def trend(drift: Floats) -> float:
    """Rise of a code's yearly factors, per year."""
    if len(drift) < 2:
        return 0.0
    return float(np.polyfit(np.arange(len(drift)), drift, 1)[0])
