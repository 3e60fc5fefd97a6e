"""Does code b follow code a more, or less, often than comparable persons' comparable days? All pairs at once.

Two passes count, one matrix product expects, every pair of codes frequent enough is tested, and a third pass
looks closer at what was significant. Who runs the passes over the persons is the caller's business: one process
(:class:`experiments.kernels.passes.OverPersons`) or a cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.analyses.pairs.table import PairSums, SignificantPairs, later_strata, look_closer, pair_table
from experiments.kernels.bands import banded
from experiments.kernels.design import HALVES, OPEN, PairScanSettings
from experiments.kernels.pairs.baseline import Baseline
from experiments.kernels.pairs.followed import PairCounts, PairPass
from experiments.kernels.pairs.grouping import Block
from experiments.kernels.pairs.reference import EXPOSED, ReferenceCounts, ReferencePass, rounder_for
from experiments.kernels.pairs.reference_blocks import ReferenceBlocks, blocks_within
from experiments.kernels.pairs.significant import SignificantPass
from experiments.kernels.pairs.significant_counts import SignificantCounts
from experiments.kernels.passes import RunPass
from experiments.statistics.error_control.empirical_null import EmpiricalNull
from experiments.statistics.hypothesis_tests.screen import Screen, screen, screen_half
from experiments.statistics.observed_expected.expected import at_risk, over_all_exposures

MEMORY = 4 << 30
"""Bytes that the counters of one process may take unless told otherwise."""

LEAST_OVERLAP = 0.2
"""Of a code's expectation at least so much must come from persons who do not have the code, or nothing is compared."""

ALL_AT_ONCE = 1 << 62
"""As ``memory``: for whoever needs the reference of all codes in one piece."""

_ENTRIES_AT_ONCE, _ENTRIES_A_EXPOSURE = 1 << 27, 8
"""Entries that a batch of the third pass may come to: of a pair one for each exposure of each person who has both codes.

Small batches are kind to memory and caches; below so many entries for each exposure, finding the exposures again costs more.
"""
_STRATA = 1 << 14
"""So many strata are expected before any is met."""


@dataclass(frozen=True)
class PairScan:
    """What a scan found.

    ``table`` has a row for every ordered pair of different codes that both occur, codes as numbers. ``null``
    is the calibration (mean and SD of z, in all and by E) over tested pairs with E >= 5: above 1.1 the comparison is not
    fair. ``settings`` are those of the counts, with the bands of earlier events that were used; ``not_comparable`` are the
    frequent codes whose reference is nearly all of their own persons, so that none of their pairs was tested.
    """

    table: pa.Table
    settings: PairScanSettings
    not_comparable: tuple[int, ...]
    null: EmpiricalNull
    persons: int
    exposures: int
    strata: int
    tested: int
    significant: int
    replicated: int


def scan(
    run_pass: RunPass,
    settings: PairScanSettings,
    *,
    terminal: Sequence[int] = (),
    contacts: Sequence[int] = (),
    min_persons: int = 5,
    level: float = 0.05,
    family: NDArray[np.int64] | None = None,
    memory: int = MEMORY,
) -> PairScan:
    """Scan all ordered pairs of codes.

    A pair is tested where both codes have ``min_persons`` persons, the first is not ``terminal`` (nothing can follow
    death) and none of ``contacts`` (what is recorded at one belongs to it), and enough of the first one's reference
    is of persons without it; it is significant where its BH q-value is at most ``level``. Codes with the same number
    in ``family`` (-1: none) are flagged as overlapping. Where the counters of all codes would take more than
    ``memory`` bytes in one process, persons are passed over once for each block of outcomes: the same table. Without
    bands in ``settings`` these are cut of all exposures first.

    ``family`` [code]; ``level`` is a false discovery rate; an outcome counts within
    ``settings.horizon_days``.
    """
    settings = banded(run_pass, settings)
    reference = count_reference(run_pass, settings, memory)
    rounder = rounder_for(reference.persons)
    expected, counts = _expected(run_pass, settings, reference, rounder)
    pairs_counted = _beside_one_another(counts)
    frequent = _testable(reference.persons_with, (*terminal, *contacts), min_persons)
    testable = frequent & (reference.shares[None].own <= 1.0 - LEAST_OVERLAP)
    tested = np.logical_and.outer(testable, reference.persons_with >= min_persons)
    occurs = reference.persons_with > 0
    observed = pairs_counted.followed.sum(axis=2, dtype=np.float64)
    found = screen(observed, expected[0], expected[1], tested, occurs, reference.shares[None].shared)
    del observed
    pairs = found.pairs[found.q_bh <= level]
    significant = None
    if len(pairs):
        for number, (low, high) in enumerate(reference.blocks):
            product_open = _over_all_exposures(reference, number, OPEN, rounder)
            not_at_risk = counts[number].not_at_risk.transpose(1, 0, 2)[:, :, 2:]
            expected[:, :, low:high] = at_risk(*product_open, not_at_risk)
        q_open, more = screen_half(
            pairs_counted.followed[:, :, OPEN],
            expected[0],
            expected[1],
            tested,
            occurs,
            reference.shares[OPEN].shared,
        )
        agrees = more == (found.observed > found.expected)
        candidate = (q_open <= level) & agrees
        del counts, expected
        significant = _look_closer(
            run_pass, settings, reference, pairs_counted, found, candidate, pairs, level
        )
    persons_with = reference.persons_with
    table = pair_table(
        found,
        pairs_counted,
        persons_with,
        1.0 - reference.shares[None].own,
        significant,
        settings.horizon_days,
        level,
        family,
    )
    return PairScan(
        table,
        settings,
        tuple(np.flatnonzero(frequent & ~testable).tolist()),
        found.null,
        int(reference.persons.sum()),
        int(persons_with.sum()),
        len(reference.keys),
        int(found.tested.sum()),
        len(pairs),
        int((significant.replicated == 1).sum()) if significant else 0,
    )


def _expected(
    run_pass: RunPass, settings: PairScanSettings, reference: ReferenceBlocks, rounder: float
) -> tuple[NDArray[np.float64], list[PairCounts]]:
    """The second pass: E and V of everybody [which, a, b], and what was counted for each block of outcomes."""
    expected = np.empty((2, settings.n_codes, settings.n_codes))
    counts = []
    for number, (low, high) in enumerate(reference.blocks):
        part = reference.block(number)
        with ThreadPoolExecutor(1) as beside:
            product = beside.submit(_over_all_exposures, reference, number, None, rounder)
            arguments: dict[str, Any] = {"settings": settings}
            if not getattr(run_pass, "weighs", False):
                arguments["baseline"] = Baseline.of(part)
            del part
            counts.append(cast("PairCounts", run_pass(PairPass, arguments)))
        not_at_risk = counts[-1].not_at_risk.transpose(1, 0, 2)[:, :, :2]
        expected[:, :, low:high] = at_risk(*product.result(), not_at_risk)
    return expected, counts


def count_reference(run_pass: RunPass, settings: PairScanSettings, memory: int) -> ReferenceBlocks:
    """The first pass, in as many blocks of codes as ``memory`` asks for; how many strata there are shows in the first."""

    def counted(block: Block) -> ReferenceCounts:
        whole = block == (0, settings.n_codes)
        arguments = {"settings": settings} | ({} if whole else {"block": block})
        return cast("ReferenceCounts", run_pass(ReferencePass, arguments))

    blocks = blocks_within(memory, settings.n_codes, _STRATA)
    first = counted(blocks[0])
    needed = blocks_within(memory, settings.n_codes, len(first.keys))
    if len(needed) > len(blocks):
        blocks, first = needed, counted(needed[0])
    reference = ReferenceBlocks(blocks, first)
    del first
    for block in blocks[1:]:
        reference.add(counted(block))
    return reference


def _over_all_exposures(
    reference: ReferenceBlocks, outcomes: int, half: int | None, rounder: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums over all exposures of everybody or of one half [a, b in a block], laid out block by block of a."""
    p = reference.block(outcomes).probabilities(half, rounder)
    parts = []
    for number in range(len(reference.blocks)):
        cells = reference.block(number).cells[:, :, EXPOSED]
        exposed = cells[:, half] if half is not None else cells[:, 0] + cells[:, 1]
        parts.append(over_all_exposures(exposed, p, rounder))
    if len(parts) == 1:
        return parts[0]
    mean, variance = (np.concatenate(each) for each in zip(*parts, strict=True))
    return mean, variance


def _beside_one_another(counts: list[PairCounts]) -> PairCounts:
    """What was counted for every block of outcomes, as one; the sums of p stay where they are."""
    if len(counts) == 1:
        return counts[0]
    preceded, beside = (
        np.concatenate([getattr(part, name) for part in counts]) for name in ("preceded", "beside")
    )
    return PairCounts(preceded, beside, np.empty((0, 0, 4)), counts[0].shift)


def _testable(persons_with: NDArray[np.int64], never: Sequence[int], least: int) -> NDArray[np.bool_]:
    testable = persons_with >= least
    testable[list(never)] = False
    return testable


def _look_closer(
    run_pass: RunPass,
    settings: PairScanSettings,
    reference: ReferenceBlocks,
    counts: PairCounts,
    found: Screen,
    candidate: NDArray[np.bool_],
    pairs: NDArray[np.int32],
    level: float,
) -> SignificantPairs:
    """What the third pass comes to, for all significant pairs."""
    observed = counts.followed.sum(axis=2, dtype=np.int32)
    records = observed[pairs[:, 0], pairs[:, 1]] + observed[pairs[:, 1], pairs[:, 0]].astype(np.int64)
    records += counts.same_day[pairs[:, 0], pairs[:, 1]]
    late = later_strata(reference.keys, reference.every.sum(axis=1))
    batches, closer = [], []
    for batch, part, against in closer_counts(run_pass, settings, reference, pairs, records):
        batches.append(batch)
        closer.append(PairSums.of(part, against, late, settings.horizon_days))
    back = np.argsort(np.concatenate(batches))
    chosen = found.q_bh <= level
    return look_closer(
        pairs,
        PairSums(*(np.concatenate(each)[back] for each in zip(*closer, strict=True))),
        found.observed[chosen] > found.expected[chosen],
        candidate[chosen],
        observed,
        level,
        int(found.tested.sum()),
    )


def closer_counts(
    run_pass: RunPass,
    settings: PairScanSettings,
    reference: ReferenceBlocks,
    pairs: NDArray[np.int32],
    records: NDArray[np.int64],
) -> Iterator[tuple[NDArray[np.int64], SignificantCounts, ReferenceCounts]]:
    """The third pass, in as many batches as keep the records and the codes of each within memory.

    Each gives which of the pairs it looked at, what it counted, and the reference to hold that against. ``records``
    are the persons who have both codes of a pair.

    ``pairs`` [pair, (a, b)], ``records`` [pair]; which pairs a batch looked at is [pair of the batch],
    indices into ``pairs``.
    """
    exposures = int(reference.every.sum())
    entries = records * (1 + exposures / max(1, reference.persons.sum()))
    most = max(_ENTRIES_AT_ONCE, _ENTRIES_A_EXPOSURE * exposures)
    for batch in _batches(pairs, entries / most, reference.blocks):
        arguments = {"settings": settings, "present": reference.present, "pairs": pairs[batch]}
        part = cast("SignificantCounts", run_pass(SignificantPass, arguments))
        if len(reference.blocks) == 1:
            against = reference.block(0)
        else:
            against = reference.of(part.codes)
            places = np.searchsorted(part.codes, part.pairs).astype(np.int32)
            part = replace(part, pairs=places, codes=np.arange(len(part.codes), dtype=np.int32))
        yield batch, part, against


def _batches(
    pairs: NDArray[np.int32], share: NDArray[np.float64], blocks: list[Block]
) -> list[NDArray[np.int64]]:
    """Which pairs go together: shares that make up one batch, and where there are blocks of codes the codes of one block."""
    order = np.arange(len(pairs))
    tile = np.zeros(len(pairs), np.int64)
    if len(blocks) > 1:
        half = max(1, min(high - low for low, high in blocks) // HALVES)
        tile = pairs[:, 0].astype(np.int64) // half << 32 | pairs[:, 1] // half
        order = np.argsort(tile, kind="stable")
    full = np.cumsum(share[order]) // 1
    cuts = np.flatnonzero((np.diff(full) != 0) | (np.diff(tile[order]) != 0)) + 1
    return np.split(order, cuts)
