"""Worlds of persons whose truth is known: null ones, where nothing causes anything, and planted ones.

A person goes to care more or less often (frailty, age, sex), in visits and, if wanted, in hospital stays that
bring many codes within days. What is coded there depends on setting, age, sex and calendar time alone, so no
code causes another, however strongly two of them go together. Effects are planted on top, one risk ratio each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.persons import Persons
from tests.support.populations import DAYS, HORIZON, Coding, People, Slots, as_persons, simulate


class Effect(NamedTuple):
    """One planted effect: b within the horizon after a is ``rr`` times as likely as it would be.

    ``expected`` is E without the effect, Σ of the persons' true risks over exposures of a at risk of b.
    """

    a: int
    b: int
    rr: float
    expected: float


@dataclass
class Truth:
    """What holds in a world: planted effects, pairs that follow from two of them, and pairs only alike.

    ``breaks`` are codes that begin or end within the world, one replacing another.
    """

    planted: list[Effect] = field(default_factory=list)
    induced: list[tuple[int, int]] = field(default_factory=list)
    breaks: frozenset[int] = frozenset()
    decoys: dict[str, list[tuple[int, int]]] = field(default_factory=dict)


@dataclass
class World:
    """Persons with the truth about them; the last code is death."""

    persons: Persons
    n_codes: int
    truth: Truth

    @property
    def death(self) -> int:
        """The code nothing can follow."""
        return self.n_codes - 1


def null_world(
    seed: int, *, bursts: bool, persons: int = 200_000, codes: int = 1200, busier: float = 1.0
) -> World:
    """A world without any effect."""
    rng = np.random.default_rng(seed)
    people, coding, slots = simulate(rng, persons, codes, bursts, busier)
    truth = Truth(decoys=_decoys(rng, coding, set()), breaks=frozenset(coding.recoded.flat))
    return World(as_persons(people, slots, codes), codes + 1, truth)


def planted_world(
    seed: int,
    *,
    persons: int = 200_000,
    codes: int = 1200,
    harmful: int = 40,
    protective: int = 20,
    chains: int = 10,
) -> World:
    """A world with planted pairs (harmful RR 1.5-5, protective 0.3-0.7), three-step chains and decoys."""
    rng = np.random.default_rng(seed)
    people, coding, slots = simulate(rng, persons, codes, bursts=True)
    truth = Truth()
    free = [
        int(code) for code in rng.permutation(_common(slots, codes)) if code not in set(coding.recoded.flat)
    ]
    for kind in ["harm"] * harmful + ["guard"] * protective:
        rr = (
            float(np.exp(rng.uniform(np.log(1.5), np.log(5))))
            if kind == "harm"
            else float(rng.uniform(0.3, 0.7))
        )
        slots = _plant(rng, people, coding, slots, free.pop(), free.pop(), rr, truth)
    for _ in range(chains):
        a, b, c = free.pop(), free.pop(), free.pop()
        for first, second in ((a, b), (b, c)):
            slots = _plant(rng, people, coding, slots, first, second, float(rng.uniform(2, 5)), truth)
        truth.induced.append((a, c))
    used = {code for effect in truth.planted for code in (effect.a, effect.b)}
    truth.decoys = _decoys(rng, coding, used)
    return World(as_persons(people, slots, codes), codes + 1, truth)


def _common(slots: Slots, codes: int) -> NDArray[np.int64]:
    """Codes frequent enough to carry an effect that could be seen."""
    return np.argsort(np.bincount(slots.code, minlength=codes))[codes // 3 :]


def _plant(
    rng: np.random.Generator,
    people: People,
    coding: Coding,
    slots: Slots,
    a: int,
    b: int,
    rr: float,
    truth: Truth,
) -> Slots:
    """Make b after a ``rr`` times as likely as its slots have it, for every exposed person at risk.

    A person's risk follows from the slots in the horizon: 1 - Π(1 - chance of b). Less risk: all b in the
    horizon are struck out with probability 1 - rr. More: a person without b gets one, at a slot drawn by its
    chance, with the probability that makes the risk ``rr`` times what it was, or certain where that is over 1:
    the truth says which ratio was reached over all exposed.
    """
    n = len(people.sex)
    first_a, first_b = (_first_days(slots, code, n) for code in (a, b))
    exposed = (first_a < DAYS) & (first_b > first_a)
    start = first_a[slots.person]
    inside = np.flatnonzero(exposed[slots.person] & (slots.day > start) & (slots.day <= start + HORIZON))
    chance = coding.chance[slots.cell[inside], b]
    risk = -np.expm1(np.bincount(slots.person[inside], weights=np.log1p(-chance), minlength=n))
    expected = float(risk[exposed].sum())
    reached = float(np.minimum(rr * risk[exposed], 1.0).sum()) / expected if expected > 0 else rr
    truth.planted.append(Effect(a, b, reached, expected))
    has = exposed & (first_b <= first_a + HORIZON)
    if rr < 1:
        struck = has & (rng.random(n) < 1 - rr)
        out = np.zeros(len(slots.code), bool)
        out[inside] = (slots.code[inside] == b) & struck[slots.person[inside]]
        return Slots(*(column[~out] for column in slots))
    chosen = exposed & ~has & (rng.random(n) * (1 - risk) < (rr - 1) * risk)
    mine = inside[chosen[slots.person[inside]]]
    mine = mine[np.argsort(slots.person[mine], kind="stable")]
    weight = np.cumsum(coding.chance[slots.cell[mine], b])
    ends = np.cumsum(np.bincount(slots.person[mine], minlength=n)[chosen])
    base = np.concatenate([[0.0], weight[ends[:-1] - 1]]) if len(ends) else np.zeros(0)
    top = weight[ends - 1] if len(ends) else base
    drawn = mine[np.minimum(np.searchsorted(weight, base + rng.random(len(ends)) * (top - base)), ends - 1)]
    added = Slots(*(column[drawn] for column in slots))._replace(code=np.full(len(drawn), b, np.int32))
    return Slots(*(np.concatenate(both) for both in zip(slots, added, strict=True)))


def _first_days(slots: Slots, code: int, persons: int) -> NDArray[np.int32]:
    first = np.full(persons, 10 * DAYS, np.int32)
    mine = slots.code == code
    np.minimum.at(first, slots.person[mine], slots.day[mine])
    return first


def _decoys(rng: np.random.Generator, coding: Coding, used: set[int]) -> dict[str, list[tuple[int, int]]]:
    """Pairs that go together by age, sex, calendar time or use of hospital alone."""
    alike = {
        "age": np.argsort(coding.age_slope)[-40:],
        "sex": np.argsort(coding.sex_lean)[-40:],
        "calendar": np.argsort(coding.drift)[-40:],
        "utilisation": np.argsort(coding.stay_lean)[-40:],
    }
    decoys = {}
    for kind, codes in alike.items():
        left = [int(code) for code in rng.permutation(codes) if int(code) not in used]
        decoys[kind] = list(zip(left[0::2], left[1::2], strict=False))
    replaced = [(int(old), int(new)) for old, new in coding.recoded if not {int(old), int(new)} & used]
    decoys["calendar"] += replaced
    return decoys
