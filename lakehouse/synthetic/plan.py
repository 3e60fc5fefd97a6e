"""The planted truth: which code makes which other code more or less likely, drawn anew from the seed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lakehouse.synthetic.catalogue import Catalogue, prevalence_by_band
from lakehouse.synthetic.intensity import Intensity, long_term, population_table
from lakehouse.synthetic.rates import Floats, Rates

WINDOW_DAYS = 1826
"""An effect lasts from the day after the first exposure for five years."""
PAIRS, TRAJECTORIES, STEPS, HARMS = 64, 6, 3, 22
PROTECTIVE = 13
"""Of the pairs."""
REFERENCE_PERSONS = 100_000
"""Effects are chosen strong enough to be found in a region of this size: |RR - 1| * sqrt(E) >= POWER."""
POWER, PROTECTIVE_POWER = 11.0, 8.0
FOLLOW_UP_YEARS = 3.3
TOLERANCE = 0.13
"""How far (in log) the risk ratio seen by comparison with all others may fall short of the hazard ratio."""


@dataclass(frozen=True)
class Effect:
    """A hazard ratio on the outcome's recorded hazard in the window after the first exposure.

    ``exposure`` is a diagnosis position, or a medicine group position when ``medicine``.
    ``expected`` is E per person in the region, without the effect; ``level`` orders the application.
    """

    exposure: int
    outcome: int
    ratio: float
    medicine: bool
    kind: str
    level: int
    expected: float


@dataclass(frozen=True)
class Plan:
    """All effects in the order in which they must be applied, and the trajectories as lists of diagnoses."""

    effects: tuple[Effect, ...]
    trajectories: tuple[tuple[int, ...], ...]

    def largest_ratio(self, codes: int) -> Floats:
        """Largest hazard ratio of each diagnosis (1 when nothing raises it)."""
        ratio = np.ones(codes)
        for effect in self.effects:
            ratio[effect.outcome] = max(ratio[effect.outcome], effect.ratio)
        return ratio


@dataclass
class Odds:
    """What is known beforehand: share ever exposed and yearly hazard of each code by band and sex."""

    exposed: Floats
    groups: Floats
    hazard: Floats
    weight: Floats
    frailty_shape: float
    used: dict[tuple[bool, int], int] = field(default_factory=dict)

    def expected(self, exposed: Floats, outcome: int, ratio: float) -> tuple[float, float]:
        """E per person without the effect, and the risk ratio a comparison with all other exposures would show.

        Two things pull it toward 1: a five-year risk cannot grow as fast as its hazard, and some of those
        compared with were exposed themselves.
        """
        frailer = 1 + 1 / self.frailty_shape
        cumulated = self.hazard[outcome] * FOLLOW_UP_YEARS * frailer
        risk, higher = 1 - np.exp(-cumulated), 1 - np.exp(-cumulated * ratio)
        touched = np.minimum(exposed * frailer * 0.75, 1.0)
        seen = self.weight * exposed
        expected = float((seen * risk).sum())
        reference = float((seen * (risk + touched * (higher - risk))).sum())
        return expected, float((seen * higher).sum()) / max(reference, 1e-12)


def draw_plan(catalogue: Catalogue, intensity: Intensity, rates: Rates, seed: int) -> Plan:
    """Draw trajectories, diagnosis pairs and medicine harms.

    Every outcome has one cause and every exposure at most two outcomes, so that little is induced; diseases
    that may have begun before the period are causes but never outcomes.
    """
    rng = np.random.default_rng([seed, 7001])
    odds = foresee(catalogue, intensity, rates)
    outcomes, exposures = pools(catalogue, odds, rng)
    effects: list[Effect] = []
    trajectories: list[tuple[int, ...]] = []
    while len(trajectories) < TRAJECTORIES and len(outcomes) > 2 * STEPS:
        chain = draw_chain(rng, odds, exposures, outcomes)
        if chain:
            trajectories.append((chain[0].exposure, *[step.outcome for step in chain]))
            effects.extend(chain)
    groups = [(True, group) for group in range(len(catalogue.groups[0]))]
    diagnoses = [(False, code) for code in exposures]
    for wanted, pool, kind, protective in (
        (PROTECTIVE, diagnoses, "pair", True),
        (HARMS, groups, "harm", False),
        (PAIRS - PROTECTIVE, diagnoses, "pair", False),
    ):
        effects.extend(draw_some(rng, odds, pool, outcomes, wanted, kind, protective=protective))
    return Plan(tuple(sorted(effects, key=lambda effect: effect.level)), tuple(trajectories))


def draw_some(
    rng: np.random.Generator,
    odds: Odds,
    pool: list[tuple[bool, int]],
    outcomes: list[int],
    wanted: int,
    kind: str,
    *,
    protective: bool,
) -> list[Effect]:
    """As many effects of one kind as wanted, or as the outcomes allow; outcomes that fit no cause stay."""
    found: list[Effect] = []
    for outcome in list(outcomes):
        if len(found) == wanted:
            break
        effect = draw_effect(rng, odds, pool, outcome, kind, 0, protective=protective)
        if effect:
            outcomes.remove(outcome)
            found.append(effect)
    return found


def foresee(catalogue: Catalogue, intensity: Intensity, rates: Rates) -> Odds:
    """Shares ever exposed and hazards, by band and sex, from the intensities alone."""
    years, k = len(intensity.diagnoses[0]), rates.frailty_shape
    hazard = np.moveaxis(intensity.diagnoses.sum(axis=0).mean(axis=0), -1, 0)
    exposed = 1 - (1 + years * hazard / k) ** -k
    for code in catalogue.chronic:
        exposed[code] = np.minimum(1.25 * prevalence_by_band(catalogue, int(code)), 0.95)
    names, group_of = catalogue.groups
    courses = np.minimum(intensity.prone.mean(axis=0) * (1 - np.exp(-years * intensity.courses)), 0.95)
    ever = np.minimum(intensity.using + years * 0.8 * intensity.starts.mean(axis=0), 0.95)
    share = np.moveaxis(np.where(long_term(catalogue)[None, None, :], ever, courses), -1, 0)
    groups = np.zeros((len(names), *share.shape[1:]))
    for medicine, group in enumerate(group_of):
        groups[group] = 1 - (1 - groups[group]) * (1 - share[medicine])
    return Odds(exposed, groups, hazard, population_table(), k)


def pools(catalogue: Catalogue, odds: Odds, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Diagnoses that may be outcomes (two in three of the fitting ones, shuffled) and those that may be causes."""
    rows = catalogue.diagnoses.extra
    plain = [i for i, row in enumerate(rows) if row["drift"] in ("", "up", "down") and row["age"] != "inf"]
    yearly = (odds.hazard * odds.weight).sum(axis=(1, 2))
    fitting = [
        i for i in plain if rows[i]["code"][0] != "Z" and catalogue.prevalence[i] == 0 and yearly[i] > 0.0015
    ]
    shuffled = rng.permutation(fitting).tolist()
    outcomes = shuffled[: max(len(shuffled) * 2 // 3, 1)]
    taken = set(outcomes)
    return outcomes, [i for i in plain if i not in taken]


def draw_chain(
    rng: np.random.Generator, odds: Odds, exposures: list[int], outcomes: list[int]
) -> list[Effect]:
    """A trajectory of several steps, each a strong harm; the outcomes used leave the pool."""
    chain: list[Effect] = []
    sources = [(False, code) for code in exposures]
    for level in range(STEPS):
        for attempt in range(40):
            outcome = outcomes[int(rng.integers(0, len(outcomes)))]
            step = draw_effect(rng, odds, sources, outcome, "trajectory", level)
            if step and attempt < 40 and outcome not in [link.outcome for link in chain]:
                chain.append(step)
                sources = [(False, outcome)]
                break
        else:
            return []
    for step in chain:
        outcomes.remove(step.outcome)
    return chain


def draw_effect(
    rng: np.random.Generator,
    odds: Odds,
    sources: list[tuple[bool, int]],
    outcome: int,
    kind: str,
    level: int,
    *,
    protective: bool = False,
) -> Effect | None:
    """A cause and a hazard ratio for an outcome, strong enough to be found; None when no cause fits."""
    for pick in rng.permutation(len(sources)):
        medicine, exposure = sources[int(pick)]
        if odds.used.get((medicine, exposure), 0) >= 2 or (not medicine and exposure == outcome):
            continue
        shares = odds.groups[exposure] if medicine else odds.exposed[exposure]
        low, high = (0.3, 0.7) if protective else (2.0 if kind == "trajectory" else 1.5, 5.0)
        ratio = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        expected, shown = odds.expected(shares, outcome, ratio)
        power = abs(ratio - 1) * np.sqrt(expected * REFERENCE_PERSONS)
        if power >= (PROTECTIVE_POWER if protective else POWER) and abs(np.log(shown / ratio)) <= TOLERANCE:
            odds.used[(medicine, exposure)] = odds.used.get((medicine, exposure), 0) + 1
            return Effect(exposure, outcome, round(ratio, 3), medicine, kind, level, expected)
    return None
