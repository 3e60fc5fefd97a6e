"""Which sets or sequences of events come before an outcome more often than in comparable persons, family-wise?

Everything frequent is searched; what can never be significant is not tested; one error rate, by shuffling outcomes
among comparable persons, holds over all that is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import stats

from experiments.kernels.bitsets import Bits, as_bits, by_group, common_with_each
from experiments.kernels.histories import Histories
from experiments.kernels.itemsets import Itemsets, mine_itemsets, persons_by_item, persons_with
from experiments.kernels.sequences import Limits, closed_only, events_of, mine_sequences
from experiments.statistics.error_control.multiplicity import q_values
from experiments.statistics.hypothesis_tests.stratified import (
    Strata,
    associations,
    family_wise_p,
    log10_two_sided,
    permuted_labels,
    smallest_log10_p,
)
from experiments.statistics.hypothesis_tests.stratified import (
    able as able_to,
)

AT_ONCE = 512
"""Sets whose persons are held at once."""
SOUGHT_RATIO, POWER = 2.0, 0.8
"""The support follows from the power to see a doubling."""
PRESUMED_TESTS = 1_000


@dataclass(frozen=True)
class SearchSettings:
    """What is searched: ``support`` 0 takes it from the power to see a doubling, never under ``least``.

    ``top`` keeps the sets of most persons where there are more, and one set of each group of persons before any other of
    the same persons; ``closed`` keeps those of which no larger set of at most ``longest`` codes has the same persons.
    """

    support: int = 0
    least: int = 20
    longest: int = 4
    top: int = 20_000
    closed: bool = True
    level: float = 0.05
    draws: int = 500


@dataclass(frozen=True)
class SearchResult:
    """Patterns, whose persons ``rows`` gives as bits [pattern, word] for numbers of patterns.

    ``steps`` are codes of one time each (an itemset has one step).
    """

    steps: list[tuple[tuple[int, ...], ...]]
    rows: Callable[[NDArray[np.int64]], Bits]
    support: NDArray[np.int64]


@dataclass(frozen=True)
class SignificantSets:
    """A row for every pattern searched in ``table`` (codes as numbers), and what the search came to.

    ``alike`` of the rows are about the same persons as an earlier one, with the same figures; ``left_out`` more such
    patterns had no room.
    """

    table: pa.Table
    support: int
    persons: int
    outcomes: int
    capped: int
    alike: int = 0
    left_out: int = 0


def support_for(share: float, wanted: SearchSettings) -> int:
    """Persons with a pattern from which on a doubling of an outcome of this share is seen with the power wished for."""
    if wanted.support:
        return max(wanted.support, wanted.least)
    reach = stats.norm.isf(wanted.level / 2 / PRESUMED_TESTS) + stats.norm.ppf(POWER)
    return max(int(np.ceil(reach**2 / max(share, 1e-6) / (SOUGHT_RATIO - 1) ** 2)), wanted.least)


def significant_itemsets(
    histories: Histories, n_codes: int, wanted: SearchSettings, seed: int, window: str
) -> SignificantSets:
    """Sets of codes; the days of a history do not matter."""
    support = support_for(float(histories.label.mean()) if histories.persons else 0.0, wanted)
    bits = persons_by_item(histories.offsets, histories.codes, n_codes)
    sets = mine_itemsets(bits, support, wanted.longest, wanted.closed)
    cuts = np.split(sets.items, sets.offsets[1:-1]) if len(sets.support) else []

    def rows(chosen: NDArray[np.int64]) -> Bits:
        items = np.concatenate([cuts[k] for k in chosen]) if len(chosen) else np.zeros(0, np.int32)
        offsets = np.concatenate([[0], np.cumsum([len(cuts[k]) for k in chosen])]).astype(np.int64)
        return persons_with(Itemsets(offsets, items, sets.support[chosen]), bits)

    steps: list[tuple[tuple[int, ...], ...]] = [(tuple(each.tolist()),) for each in cuts]
    found = SearchResult(steps, rows, sets.support)
    return _each_group_once(found, histories, wanted, support, seed, window)


def significant_sequences(
    histories: Histories, n_codes: int, wanted: SearchSettings, limits: Limits, seed: int, window: str
) -> SignificantSets:
    """Sequences of codes under limits on gaps and span."""
    support = support_for(float(histories.label.mean()) if histories.persons else 0.0, wanted)
    sequences, bits = mine_sequences(
        events_of(histories.offsets, histories.codes, histories.days), n_codes, support, limits
    )
    kept = closed_only(sequences, bits) if wanted.closed else np.ones(len(sequences), bool)
    order = np.flatnonzero(kept)
    persons = np.array([sequences[k].support for k in order], np.int64)
    found = SearchResult([sequences[k].steps for k in order], lambda chosen: bits[order[chosen]], persons)
    return _each_group_once(found, histories, wanted, support, seed, window)


def _each_group_once(
    found: SearchResult, histories: Histories, wanted: SearchSettings, support: int, seed: int, window: str
) -> SignificantSets:
    """Test one pattern of each group of persons, and give the others of the same persons its figures.

    Codes that always come together make many patterns of the same persons. Tested each by itself, they would take the
    room of others in ``top`` and in what can be significant, and say nothing more.
    """
    first = _first_alike(found)
    apart = np.arange(len(first)) == first
    order = np.lexsort((-found.support, ~apart))[: wanted.top]
    tested, repeats = order[apart[order]], order[~apart[order]]
    few = SearchResult(
        [found.steps[k] for k in tested],
        lambda chosen: found.rows(tested[chosen]),
        found.support[tested],
    )
    judged = _judged(few, histories, wanted, support, seed, window)
    place = np.zeros(len(first), np.int64)
    place[tested] = np.arange(len(tested))
    rows = np.concatenate([np.arange(len(tested)), place[first[repeats]]])
    table = judged.table.take(pa.array(rows, pa.int64()))
    for name, column in _items([found.steps[k] for k in order]).items():
        table = table.set_column(table.schema.get_field_index(name), name, column)
    return replace(judged, table=table, alike=len(repeats), left_out=int((~apart).sum()) - len(repeats))


def _first_alike(found: SearchResult) -> NDArray[np.int64]:
    """The first pattern of the same persons, itself where there is none before it [pattern]."""
    first = np.arange(len(found.steps))
    seen: dict[bytes, int] = {}
    _, group, often = np.unique(found.support, return_inverse=True, return_counts=True)
    doubtful = np.flatnonzero(often[group] > 1)
    for start in range(0, len(doubtful), AT_ONCE):
        some = doubtful[start : start + AT_ONCE]
        for k, row in zip(some.tolist(), found.rows(some), strict=True):
            first[k] = seen.setdefault(blake2b(row.tobytes()).digest(), k)
    return first


def _judged(
    found: SearchResult, histories: Histories, wanted: SearchSettings, support: int, seed: int, window: str
) -> SignificantSets:
    """Test all patterns that could be significant; adjust over all of them."""
    _, stratum = np.unique(histories.stratum, return_inverse=True)
    groups = int(stratum.max(initial=-1)) + 1
    group = (stratum * 2 + histories.half).astype(np.int64)
    persons = np.bincount(group, minlength=2 * groups).reshape(groups, 2)
    outcomes = (
        np.bincount(group, weights=histories.label, minlength=2 * groups).astype(np.int64).reshape(groups, 2)
    )
    shuffled = as_bits(permuted_labels(histories.label, stratum, wanted.draws, np.random.default_rng(seed)))
    n = len(found.steps)
    having, hit = np.zeros((2, n, groups, 2), np.int64)
    drawn = np.zeros((n, wanted.draws), np.int32)
    whole = Strata(persons.sum(axis=1), outcomes.sum(axis=1))
    smallest = np.zeros(n)
    for start in range(0, n, AT_ONCE):
        stop = min(start + AT_ONCE, n)
        counted = by_group(found.rows(np.arange(start, stop)), group, histories.label, 2 * groups)
        having[start:stop], hit[start:stop] = (each.reshape(stop - start, groups, 2) for each in counted)
        smallest[start:stop] = smallest_log10_p(having[start:stop].sum(axis=2), whole)
    able = able_to(smallest, wanted.level)
    for start in range(0, n, AT_ONCE):
        stop = min(start + AT_ONCE, n)
        some = np.flatnonzero(able[start:stop])
        if len(some):
            drawn[start + some] = common_with_each(np.ascontiguousarray(found.rows(start + some)), shuffled)
    everybody = associations(hit.sum(axis=2), having.sum(axis=2), whole)
    adjusted = np.full(n, np.nan)
    adjusted[able] = family_wise_p(
        everybody.z[able], drawn[able], everybody.expected[able], everybody.variance[able]
    )
    significant = np.nan_to_num(adjusted, nan=1.0) <= wanted.level
    halves = [Strata(persons[:, half], outcomes[:, half]) for half in (0, 1)]
    again = _again(hit, having, halves, able, significant, wanted.level)
    table = _table(found, everybody, hit.sum(axis=(1, 2)), adjusted, able, significant, again, window)
    return SignificantSets(
        table, support, histories.persons, int(histories.label.sum()), int(histories.capped.sum())
    )


def _again(
    hit: NDArray[np.int64],
    having: NDArray[np.int64],
    halves: list[Strata],
    able: NDArray[np.bool_],
    significant: NDArray[np.bool_],
    level: float,
) -> NDArray[np.int8]:
    """1 confirmed in the locked half, 0 not, -1 not put to it: only what is significant in the open half alone is."""
    first = associations(hit[:, :, 0], having[:, :, 0], halves[0])
    q_open, _ = q_values(first.log10_p, able)
    candidate = significant & (np.nan_to_num(q_open, nan=1.0) <= level)
    second = associations(hit[:, :, 1], having[:, :, 1], halves[1])
    one_sided = log10_two_sided(np.maximum(second.z * np.sign(first.z), 0.0)) - np.log10(2.0)
    q, _ = q_values(one_sided, candidate)
    confirmed = np.nan_to_num(q, nan=1.0) <= level
    return np.where(candidate, confirmed, -1).astype(np.int8)


def _table(
    found: SearchResult,
    everybody: Any,
    hits: NDArray[np.int64],
    adjusted: NDArray[np.float64],
    able: NDArray[np.bool_],
    significant: NDArray[np.bool_],
    again: NDArray[np.int8],
    window: str,
) -> pa.Table:
    q_bh, q_by = q_values(everybody.log10_p, able)
    with np.errstate(divide="ignore", invalid="ignore"):
        rr = hits / everybody.expected
    numbers: dict[str, NDArray[np.float64]] = {
        "E": everybody.expected, "V": everybody.variance, "rr": rr, "z": everybody.z, "log10_p": everybody.log10_p,
        "q_bh": q_bh, "q_by": q_by, "p_family": adjusted, "odds_ratio": everybody.ratio, "odds_low": everybody.low,
        "odds_high": everybody.high,
    }  # fmt: skip
    return pa.table(
        {
            **_items(found.steps),
            "window": pa.array([window] * len(found.steps), pa.string()),
            "n_person": found.support.astype(np.int32),
            "O": hits.astype(np.int32),
            **{name: pa.array(values, mask=~np.isfinite(values)) for name, values in numbers.items()},
            "tested": able,
            "called": significant,
            "replicated_person": pa.array(again == 1, mask=again < 0),
        }
    )


def _items(patterns: list[tuple[tuple[int, ...], ...]]) -> dict[str, pa.Array]:
    items = [[code for step in steps for code in step] for steps in patterns]
    sizes = [[len(step) for step in steps] for steps in patterns]
    return {
        "items": pa.array(items, pa.list_(pa.int32())),
        "step_sizes": pa.array(sizes, pa.list_(pa.int32())),
    }
