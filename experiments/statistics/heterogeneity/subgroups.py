"""Where does a treatment's effect differ? Doubly robust scores, a beam search, and an error rate for the search."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RIDGE = 1.0


class Scores(NamedTuple):
    """What each person adds to the effect: ``weight`` (t − e)², ``product`` (t − e)(y − m); ``effect`` their ratio.

    e is the chance of the treatment and m that of the outcome, given everything known on the first day.
    """

    weight: NDArray[np.float64]
    product: NDArray[np.float64]
    effect: float


def scores(treated: NDArray[np.bool_], outcome: NDArray[np.bool_], known: NDArray[np.floating]) -> Scores:
    """Scores of the partially linear model (Robinson 1988): the effect is a difference in risk.

    If the effect is the same for everybody, product − effect × weight is centred on 0 in every subgroup, however
    the subgroup changes the chance of treatment or of the outcome.

    ``treated`` and ``outcome`` [person], ``known`` [person, covariate].
    """
    residual_t = treated - logistic_fit(known, treated)
    residual_y = outcome - logistic_fit(known, outcome)
    weight, product = residual_t**2, residual_t * residual_y
    return Scores(weight, product, float(product.sum() / weight.sum()))


def logistic_fit(
    known: NDArray[np.floating], label: NDArray[np.bool_], rounds: int = 12
) -> NDArray[np.float64]:
    """Fitted probabilities of a ridge logistic regression (Newton's method, intercept free).

    ``known`` [person, covariate], ``label`` [person]; returns [person].
    """
    x = np.concatenate([np.ones((len(known), 1)), np.asarray(known, np.float64)], axis=1)
    penalty = np.full(x.shape[1], RIDGE)
    penalty[0] = 1e-6
    share = float(np.clip(label.mean(), 1e-6, 1 - 1e-6))
    beta = np.zeros(x.shape[1])
    beta[0] = np.log(share / (1 - share))
    for _ in range(rounds):
        p = 1.0 / (1.0 + np.exp(-np.clip(x @ beta, -30, 30)))
        gradient = x.T @ (label - p) - penalty * beta
        hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        beta += step
        if np.abs(step).max() < 1e-8:
            break
    fitted: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.clip(x @ beta, -30, 30)))
    return fitted


class SubgroupSearch(NamedTuple):
    """Subgroups looked at, in order of size of z: ``conditions`` (columns that all hold), ``z`` of the difference
    between the effect inside and outside, both effects, standard error of the difference, family-wise p."""

    conditions: list[tuple[int, ...]]
    z: NDArray[np.float64]
    inside: NDArray[np.float64]
    outside: NDArray[np.float64]
    se: NDArray[np.float64]
    p: NDArray[np.float64]


def search(
    holds: NDArray[np.bool_],
    scored: Scores,
    arms: NDArray[np.bool_],
    *,
    fewest: int,
    depth: int = 3,
    beam: int = 8,
    flips: int = 199,
    seed: int = 0,
) -> SubgroupSearch:
    """Beam search over conjunctions of the columns of ``holds`` [person, condition].

    A subgroup counts where it and the rest have ``fewest`` persons of each arm (``arms``: treated or not). The
    whole search is done again ``flips`` times with the sign of everybody's residual drawn at random, which keeps
    each subgroup's spread and their overlap but leaves no difference; p is the rank of a subgroup's |z| among
    the largest of each search: one error rate for everything looked at, at every depth.
    """
    residual = scored.product - scored.effect * scored.weight
    x = np.asarray(holds, np.float32)
    game = _Game(x, residual, scored.weight, arms, fewest, depth, beam)
    seen = game.play(np.ones(len(residual)))
    rng = np.random.default_rng(seed)
    top = np.array(
        [
            max((abs(z) for z in game.play(rng.choice([-1.0, 1.0], len(residual))).values()), default=0.0)
            for _ in range(flips)
        ]
    )
    order = sorted(seen, key=lambda conditions: (-abs(seen[conditions]), conditions))
    z = np.array([seen[conditions] for conditions in order])
    p = (1 + (top[None, :] >= np.abs(z)[:, None] - 1e-9).sum(axis=1)) / (flips + 1)
    effects = [effect_in(holds, scored, conditions) for conditions in order]
    inside, outside, se = np.array(effects).reshape(-1, 3).T
    return SubgroupSearch(order, z, inside, outside, se, p)


def effect_in(
    holds: NDArray[np.bool_], scored: Scores, conditions: tuple[int, ...]
) -> tuple[float, float, float]:
    """Effect inside and outside a subgroup, and the standard error of their difference (each with its own centre).

    ``holds`` [person, condition]; ``conditions`` are its columns that must all hold; effects are differences
    in risk.
    """
    member = holds[:, list(conditions)].all(axis=1)
    effects, variances = [], []
    for part in (member, ~member):
        weight, product = scored.weight[part], scored.product[part]
        effect = float(product.sum() / weight.sum())
        effects.append(effect)
        variances.append(float(((product - effect * weight) ** 2).sum() / weight.sum() ** 2))
    return effects[0], effects[1], float(np.sqrt(sum(variances)))


class _Game:
    """One search, repeated with other signs: sums over subgroups by matrix products."""

    def __init__(
        self,
        x: NDArray[np.float32],
        residual: NDArray[np.float64],
        weight: NDArray[np.float64],
        arms: NDArray[np.bool_],
        fewest: int,
        depth: int,
        beam: int,
    ) -> None:
        self._x, self._residual = x, residual
        self._fixed = np.stack([weight, residual**2, arms, ~arms], axis=1).astype(np.float32)
        self._all = self._fixed.sum(axis=0, dtype=np.float64)
        self._fewest, self._depth, self._beam = fewest, depth, beam
        self._known: dict[tuple[int, ...], NDArray[np.float64]] = {}

    def play(self, signs: NDArray[np.float64]) -> dict[tuple[int, ...], float]:
        """z of every subgroup the search comes by."""
        signed = (self._residual * signs).astype(np.float32)
        total = float(signed.sum(dtype=np.float64))
        best: list[tuple[int, ...]] = [()]
        seen: dict[tuple[int, ...], float] = {}
        for _ in range(self._depth):
            masks = np.stack([self._x[:, list(c)].all(axis=1) for c in best], axis=1).astype(np.float32)
            sums = self._x.T @ (masks * signed[:, None])
            found: dict[tuple[int, ...], float] = {}
            for at, conditions in enumerate(best):
                fixed = self._sums(conditions, masks[:, at])
                for condition in range(self._x.shape[1]):
                    grown = tuple(sorted({*conditions, condition}))
                    if condition not in conditions and grown not in seen and grown not in found:
                        z = self._z(float(sums[condition, at]), total, fixed[condition])
                        if z is not None:
                            found[grown] = z
            seen |= found
            best = sorted(found, key=lambda conditions: (-abs(found[conditions]), conditions))[: self._beam]
            if not best:
                break
        return seen

    def _sums(self, conditions: tuple[int, ...], mask: NDArray[np.float32]) -> NDArray[np.float64]:
        """What does not depend on the signs, of the subgroup with each further condition."""
        if conditions not in self._known:
            self._known[conditions] = (self._x.T @ (self._fixed * mask[:, None])).astype(np.float64)
        return self._known[conditions]

    def _z(self, inside: float, total: float, fixed: NDArray[np.float64]) -> float | None:
        weight, square, *arms = fixed
        rest = self._all - fixed
        if min(*arms, *rest[2:]) < self._fewest or weight <= 0 or rest[0] <= 0:
            return None
        difference = inside / weight - (total - inside) / rest[0]
        return float(difference / np.sqrt(square / weight**2 + rest[1] / rest[0] ** 2))
