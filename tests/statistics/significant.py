"""Do significant sets and sequences keep their promises? Null worlds stay quiet, planted ones are found, others are not."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.analyses.itemsets.significance import (
    SearchSettings,
    SignificantSets,
    significant_itemsets,
    significant_sequences,
)
from experiments.kernels.histories import Histories, HistoryPass, Landmark, in_bands
from experiments.kernels.passes import OverPersons
from experiments.kernels.sequences import Limits
from tests.support.worlds import World, null_world

LANDMARK = 17_167 + 1_826
STRONG = 7.0
"""Standard deviations above chance expected of a planted pattern: 99 % power after correction for all tested."""


def before_landmark(world: World, outcome: int) -> Histories:
    """Two years of history, two years of outcome."""
    kept = np.ones(world.n_codes, bool)
    kept[[outcome, world.death]] = False
    mark = Landmark(LANDMARK, 730, 730, outcome, (world.death,))
    histories: Histories = OverPersons(world.persons)(HistoryPass, {"landmark": mark, "kept": kept})
    return in_bands(histories)


def search(
    histories: Histories, codes: int, kind: str, draws: int = 200, support: int = 60
) -> SignificantSets:
    """The search as a job would run it."""
    wanted = SearchSettings(support=support, longest=3, draws=draws)
    if kind == "itemset":
        return significant_itemsets(histories, codes, wanted, seed=5, window="w")
    return significant_sequences(histories, codes, wanted, Limits(1, 365), seed=5, window="w")


def null_figures(seed: int, kind: str, persons: int = 40_000, codes: int = 150) -> dict[str, Any]:
    """Patterns significant where nothing leads to anything, though persons differ in how much they use care."""
    world = null_world(seed, bursts=True, persons=persons, codes=codes)
    outcome = int(np.argsort(np.bincount(world.persons.codes, minlength=codes)[:codes])[-1 - seed % 20])
    table = search(before_landmark(world, outcome), world.n_codes, kind).table
    tested = sum(table.column("tested").to_pylist())
    return {"seed": seed, "tested": tested, "significant": sum(table.column("called").to_pylist())}


def planted_figures(
    seed: int, kind: str, persons: int = 40_000, codes: int = 60, planted: int = 4
) -> dict[str, Any]:
    """Of planted patterns with 99 % power how many are significant, and how many significant ones share no planted item.

    The outcome is added after the landmark for a share of those who have both codes (in this order for sequences).
    """
    rng = np.random.default_rng(seed)
    world = null_world(seed, bursts=True, persons=persons, codes=codes)
    common = np.argsort(np.bincount(world.persons.codes, minlength=codes)[:codes])[::-1]
    outcome, pool = int(common[30]), rng.permutation(common[:24])
    histories = before_landmark(world, outcome)
    label, patterns = histories.label.copy(), []
    for k in range(planted):
        pair = (int(pool[2 * k]), int(pool[2 * k + 1]))
        who = np.array([_has(histories, person, pair, kind) for person in range(histories.persons)])
        hit = who & (label == 0) & (rng.random(histories.persons) < 0.4)
        label[hit] = 1
        patterns.append((tuple(sorted(pair)) if kind == "itemset" else pair, who, int(hit.sum())))
    strong = [pattern for pattern, who, hits in patterns if _powered(histories, label, who, hits)]
    table = search(_with(histories, label), world.n_codes, kind).table
    significant = [
        tuple(row["items"]) for row in table.select(["items", "called"]).to_pylist() if row["called"]
    ]
    near = {code for pattern, _, _ in patterns for code in pattern}
    return {
        "seed": seed, "eligible": len(strong), "eligible_significant": len(set(strong) & set(significant)),
        "significant": len(significant), "false": sum(not set(items) & near for items in significant),
    }  # fmt: skip


def _powered(histories: Histories, label: np.ndarray, who: np.ndarray, hits: int) -> bool:
    """Whether so many more hits lie far above what comparable persons, the planted ones included, would give."""
    _, stratum = np.unique(histories.stratum, return_inverse=True)
    rate = np.bincount(stratum, weights=label) / np.bincount(stratum)
    expected = float(rate[stratum][who].sum())
    return int(who.sum()) >= 80 and hits >= STRONG * np.sqrt(max(expected, 1.0))


def _with(histories: Histories, label: np.ndarray) -> Histories:
    return Histories(**{**vars(histories), "label": label.astype(np.int8)})


def _has(histories: Histories, person: int, pair: tuple[int, int], kind: str) -> bool:
    start, stop = histories.offsets[person], histories.offsets[person + 1]
    codes, days = histories.codes[start:stop], histories.days[start:stop]
    first, second = (days[codes == code] for code in pair)
    if not len(first) or not len(second):
        return False
    gaps = np.subtract.outer(second, first)
    return kind == "itemset" or bool(((gaps >= 1) & (gaps <= 365)).any())
