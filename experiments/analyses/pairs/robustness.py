"""Is a pair found among persons of some places found again among those of the others?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.analyses.pairs.scan import MEMORY, closer_counts, count_reference
from experiments.kernels.design import PairScanSettings
from experiments.kernels.pairs.reference import ReferenceCounts
from experiments.kernels.pairs.removed import LOCKED, exposed_removed
from experiments.kernels.pairs.significant_counts import SignificantCounts
from experiments.kernels.passes import RunPass
from experiments.statistics.error_control.replication import replicate_apart

FIRST, OTHER = 0, 1
"""Halves of the places: what is found in the first is looked for in the other."""


def balanced_halves(persons: Mapping[str, int]) -> dict[str, int]:
    """Places in two groups of about equal numbers of persons: the largest first, each to the group that has fewer.

    Depends on nothing but the places and how many persons each has.
    """
    halves, sizes = {}, [0, 0]
    for place in sorted(persons, key=lambda name: (-persons[name], name)):
        halves[place] = OTHER if sizes[OTHER] < sizes[FIRST] else FIRST
        sizes[halves[place]] += persons[place]
    return halves


def replicate_sites(
    run_pass: RunPass, settings: PairScanSettings, table: pa.Table, level: float, memory: int = MEMORY
) -> tuple[pa.Table, str]:
    """The table of a scan with ``replicated_site``, and in words how many were found again.

    ``run_pass`` runs over the persons whose place is known, their ``half`` being that of the place. A person lives
    in one place, so the two groups share nobody; each is held against its own reference. Of the first a candidate
    must pass the limit that calling set, the test in the other is one-sided and corrected for the candidates. Null
    where a pair is not significant or no candidate.
    """
    significant = np.flatnonzero(np.asarray(table.column("called")))
    verdict = np.full(table.num_rows, -1, np.int8)
    if len(significant):
        reference = count_reference(run_pass, settings, memory)
        a, b, both, o, e = (
            np.asarray(table.column(name))[significant] for name in ("code_a", "code_b", "n_person", "O", "E")
        )
        pairs = np.stack([a, b], axis=1).astype(np.int32)
        sums = np.zeros((2, len(pairs), 5))
        for batch, counts, against in closer_counts(
            run_pass, settings, reference, pairs, both.astype(np.int64)
        ):
            sums[OTHER, batch] = exposed_removed(against, counts)[:, LOCKED]
            sums[FIRST, batch] = exposed_removed(*mirrored(against, counts))[:, LOCKED]
        tested = int(np.asarray(table.column("tested")).sum())
        verdict[significant] = replicate_apart(sums[FIRST], sums[OTHER], o > e, level, tested)
    return table.append_column("replicated_site", pa.array(verdict == 1, mask=verdict < 0)), (
        f"Replication by place: the municipalities persons live in were put into two groups of about as many "
        f"persons. Of {len(significant):,} significant pairs, {(verdict >= 0).sum():,} are found in the first group alone, "
        f"{(verdict == 1).sum():,} of them again in the other. Persons whose municipality is not known are in "
        "neither."
    )


def mirrored(
    reference: ReferenceCounts, counts: SignificantCounts
) -> tuple[ReferenceCounts, SignificantCounts]:
    """The same counts with the halves exchanged."""
    cells, every, crowd = (
        np.ascontiguousarray(each[:, ::-1]) for each in (reference.cells, reference.every, reference.crowd)
    )
    turned = counts.cells.copy()
    turned[2] = 1 - turned[2]
    order = np.lexsort((turned[2], turned[1], turned[0]))
    return (
        replace(reference, cells=cells, every=every, crowd=crowd, persons=reference.persons[::-1].copy()),
        replace(counts, cells=turned[:, order], cell_counts=counts.cell_counts[order]),
    )


BESIDE = ("called", "rr", "direction")
"""Columns of the scan without wash-out that stand beside a significant pair, under ``<name>_without_washout``."""


def beside_without_washout(table: pa.Table, plain: pa.Table, washout_days: int) -> tuple[pa.Table, str]:
    """The table of a scan with the verdict of ``plain``, the scan without wash-out, at its significant pairs; and in words.

    Both list pairs by code number, in order. Whoever is an exposure with wash-out is one without it, so ``plain``
    has every pair of ``table``.
    """
    significant, place = _flags(table), np.searchsorted(_keys(plain), _keys(table))
    rows = pa.array(place, mask=~significant)
    for name in BESIDE:
        table = table.append_column(f"{name}_without_washout", plain.column(name).take(rows))
    there = place[significant]
    both = _flags(plain)[there]
    alike = both & (_more(table)[significant] == _more(plain)[there])
    order = np.asarray(table.column("direction").to_pylist(), dtype=object)[significant]
    order_there = np.asarray(plain.column("direction").take(pa.array(there)).to_pylist(), dtype=object)
    return table, (
        f"Wash-out: a first time within {washout_days} days of a person's first event counts as neither exposure nor "
        f"outcome. Of {significant.sum():,} pairs significant so, {both.sum():,} are significant without wash-out as well: "
        f"{alike.sum():,} of them to the same side (more, or less, often than expected), "
        f"{(alike & (order == order_there)).sum():,} with the same order of the two codes. Without wash-out "
        f"{_flags(plain).sum():,} pairs are significant in all."
    )


def _keys(table: pa.Table) -> NDArray[np.int64]:
    """A number for each ordered pair, ascending as the rows are."""
    a, b = (np.asarray(table.column(name)).astype(np.int64) for name in ("code_a", "code_b"))
    return a << 32 | b


def _flags(table: pa.Table) -> NDArray[np.bool_]:
    return np.asarray(table.column("called")).astype(bool)


def _more(table: pa.Table) -> NDArray[np.bool_]:
    more: NDArray[np.bool_] = np.asarray(table.column("O")) > np.asarray(table.column("E"))
    return more
