"""Subgroups of a cohort in which a treatment's effect differs: conditions, search, and a second look at unseen persons."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from experiments.kernels.cohort import AGE, HALF, OUTCOME, PRIOR, SEX, TREATED, YEAR, CohortRows
from experiments.statistics.error_control.multiplicity import q_values
from experiments.statistics.heterogeneity.subgroups import Scores, SubgroupSearch, effect_in, scores, search

AGES = ((0, 40), (40, 60), (60, 75), (75, 130))
FIXED = ("SEX//F", *(f"AGE//{low}-{high - 1}" for low, high in AGES))
"""Conditions everybody has; codes come after them."""


class Cohort(NamedTuple):
    """Everybody's conditions [person, condition], what else is adjusted for, both arms, outcome, half.

    ``codes`` are the codes behind the conditions after the fixed ones.
    """

    holds: NDArray[np.bool_]
    known: NDArray[np.float64]
    treated: NDArray[np.bool_]
    outcome: NDArray[np.bool_]
    locked: NDArray[np.bool_]
    codes: NDArray[np.int32]

    def part(self, chosen: NDArray[np.bool_]) -> Cohort:
        """Some of the persons.

        ``chosen`` [person].
        """
        arms = (self.treated[chosen], self.outcome[chosen], self.locked[chosen])
        return Cohort(self.holds[chosen], self.known[chosen], *arms, self.codes)


class Subgroups(NamedTuple):
    """What was found over everybody, persons by subgroup [subgroup, (all, treated, control)], the verdict of the
    locked half (1 confirmed, 0 not, -1 not significant in the open half), and the overall effect."""

    found: SubgroupSearch
    persons: NDArray[np.int64]
    replicated: NDArray[np.int8]
    effect: float


def conditions_of(rows: CohortRows, most: int, fewest: int) -> Cohort:
    """The ``most`` frequent earlier codes of the cohort, its sex and age, as conditions.

    The treatments themselves may be conditions only where had earlier, which new users had not.
    """
    n = len(rows.facts)
    own = np.repeat(np.arange(n), np.diff(rows.offsets))
    codes, place, times = np.unique(rows.codes, return_inverse=True, return_counts=True)
    usable = np.flatnonzero((times >= fewest) & (n - times >= fewest))
    chosen = np.sort(usable[np.argsort(-times[usable], kind="stable")][:most])
    column = np.full(len(codes), -1)
    column[chosen] = np.arange(len(chosen)) + len(FIXED)
    holds = np.zeros((n, len(FIXED) + len(chosen)), bool)
    kept = column[place] >= 0
    holds[own[kept], column[place][kept]] = True
    facts = rows.facts
    holds[:, 0] = facts[:, SEX] == 1
    for at, (low, high) in enumerate(AGES, 1):
        holds[:, at] = (facts[:, AGE] >= low) & (facts[:, AGE] < high)
    age, year, prior = (facts[:, at].astype(float) for at in (AGE, YEAR, PRIOR))
    smooth = [age / 50, (age / 50) ** 2, (year - year.mean()) / 5 if n else year, np.log1p(prior)]
    known = np.concatenate([holds.astype(float), np.stack(smooth, axis=1)], axis=1)
    arms = (facts[:, TREATED] == 1, facts[:, OUTCOME] == 1, facts[:, HALF] == 1)
    return Cohort(holds, known, *arms, codes[chosen].astype(np.int32))


def find_subgroups(
    cohort: Cohort, *, fewest: int, depth: int, flips: int, seed: int, level: float
) -> Subgroups:
    """Search over everybody; search again in the open half and test what is significant there in the locked one."""
    options = {"fewest": fewest, "depth": depth, "flips": flips, "seed": seed}
    scored, found = _search(cohort, **options)
    members = [cohort.holds[:, list(conditions)].all(axis=1) for conditions in found.conditions]
    persons = [(m.sum(), (m & cohort.treated).sum(), (m & ~cohort.treated).sum()) for m in members]
    _, opened = _search(cohort.part(~cohort.locked), **{**options, "fewest": max(fewest // 2, 1)})
    candidates = {
        conditions: z
        for conditions, z, p in zip(opened.conditions, opened.z, opened.p, strict=True)
        if p <= level
    }
    replicated = _confirm(cohort.part(cohort.locked), candidates, level)
    verdicts = np.array([replicated.get(conditions, -1) for conditions in found.conditions], np.int8)
    return Subgroups(found, np.array(persons, np.int64).reshape(-1, 3), verdicts, scored.effect)


def _search(
    cohort: Cohort, *, fewest: int, depth: int, flips: int, seed: int
) -> tuple[Scores, SubgroupSearch]:
    scored = scores(cohort.treated, cohort.outcome, cohort.known)
    found = search(cohort.holds, scored, cohort.treated, fewest=fewest, depth=depth, flips=flips, seed=seed)
    return scored, found


def _confirm(
    locked: Cohort, candidates: dict[tuple[int, ...], float], level: float
) -> dict[tuple[int, ...], int]:
    """One-sided tests of the candidates among persons nobody searched, Benjamini-Hochberg over them."""
    if not candidates:
        return {}
    scored = scores(locked.treated, locked.outcome, locked.known)
    log10_p = []
    for conditions, z in candidates.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            inside, outside, se = effect_in(locked.holds, scored, conditions)
            again = (inside - outside) / se * np.sign(z)
        log10_p.append(special.log_ndtr(-np.nan_to_num(again)) / np.log(10.0))
    q, _ = q_values(np.array(log10_p), np.ones(len(log10_p), bool))
    return {conditions: int(value <= level) for conditions, value in zip(candidates, q, strict=True)}
