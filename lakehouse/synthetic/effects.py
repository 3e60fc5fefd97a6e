"""Planted effects, exact by construction: candidates at the highest hazard are thinned to the true one."""

from __future__ import annotations

import numpy as np

from lakehouse.synthetic.hospital import Contacts, Records
from lakehouse.synthetic.plan import WINDOW_DAYS, Effect, Plan
from lakehouse.synthetic.population import NEVER
from lakehouse.synthetic.rates import Bools, Floats, Ints


def apply_effects(
    plan: Plan,
    persons: int,
    contacts: Contacts,
    candidates: Records,
    uniform: Floats,
    keep: Floats,
    lasting_first: dict[int, Ints],
    group_first: Ints,
) -> Bools:
    """Which candidate diagnoses come true.

    A candidate of code b is kept with probability ``keep[b]`` (1 / largest ratio), times the hazard ratio of
    each effect whose exposure happened in the five years before. Effects come in order of their level, so
    the first day of an exposure that is itself an outcome is known when it is needed.
    ``lasting_first`` gives the first recorded day of each lasting disease (by code), ``group_first``
    (groups, persons) the first dispensing of each medicine group.
    """
    chance = keep[candidates.code].copy()
    day = contacts.day[candidates.contact]
    person = contacts.person[candidates.contact]
    order = np.argsort(candidates.code, kind="stable")
    bounds = np.searchsorted(candidates.code[order], np.arange(len(keep) + 1))
    for effect in plan.effects:
        outcome = order[bounds[effect.outcome] : bounds[effect.outcome + 1]]
        since = first_exposure(
            effect, persons, day, person, chance, uniform, order, bounds, lasting_first, group_first
        )
        lag = day[outcome] - since[person[outcome]]
        chance[outcome] *= np.where((lag > 0) & (lag <= WINDOW_DAYS), effect.ratio, 1.0)
    kept: Bools = uniform < chance
    return kept


def first_exposure(
    effect: Effect,
    persons: int,
    day: Ints,
    person: Ints,
    chance: Floats,
    uniform: Floats,
    order: Ints,
    bounds: Ints,
    lasting_first: dict[int, Ints],
    group_first: Ints,
) -> Ints:
    """First day of an effect's exposure for each person, ``NEVER`` when it does not happen."""
    if effect.medicine:
        result: Ints = group_first[effect.exposure]
        return result
    if effect.exposure in lasting_first:
        return lasting_first[effect.exposure]
    rows = order[bounds[effect.exposure] : bounds[effect.exposure + 1]]
    rows = rows[uniform[rows] < chance[rows]]
    first = np.full(persons, NEVER)
    np.minimum.at(first, person[rows], day[rows])
    return first
