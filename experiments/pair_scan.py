"""Does code b follow code a more, or less, often than comparable persons' comparable days? All pairs at once.

Two passes count, one matrix product expects, every pair of codes frequent enough is tested, and a third pass
looks closer at what was called. Who carries the passes over the persons is the caller's business: one process
(:class:`InProcess`) or a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.kernels.baseline import Baseline
from experiments.kernels.design import OPEN
from experiments.kernels.pair_scan import (
    COUNTS,
    PASSES,
    CalledCounts,
    Counts,
    PairCounts,
    PairScanSettings,
    Persons,
    ReferenceCounts,
)
from experiments.kernels.reference import EXPOSED
from experiments.pair_called import Called, look_closer
from experiments.pair_table import pair_table
from experiments.statistics.empirical_null import EmpiricalNull
from experiments.statistics.expected import at_risk, expected_counts, over_all_exposures
from experiments.statistics.screen import Screen, screen, screen_half

RunPass = Callable[[str, dict[str, Any]], Counts]
"""Runs the pass of that name, made with these arguments, over all persons and merges what it counts."""

_RECORDS_AT_ONCE = 48_000_000


@dataclass(frozen=True)
class PairScan:
    """What a scan found.

    ``table`` has a row for every ordered pair of different codes that both occur, codes as numbers. ``null``
    is the spread of z over tested pairs with E >= 5: above 1.1 the comparison is not fair.
    """

    table: pa.Table
    null: EmpiricalNull
    persons: int
    exposures: int
    strata: int
    tested: int
    called: int
    replicated: int


class InProcess:
    """Runs passes over persons in memory: the same scan without Spark.

    ``pieces`` cuts the persons into so many parts, counted apart and merged, as a cluster would.
    """

    def __init__(self, persons: Persons, pieces: int = 1) -> None:
        self._persons, self._pieces = persons, pieces

    def __call__(self, name: str, arguments: dict[str, Any]) -> Counts:
        """Merged counts of the pass called ``name``."""
        cuts = np.linspace(0, self._persons.count, self._pieces + 1).astype(int)
        parts = []
        for start, stop in pairwise(cuts.tolist()):
            counter = PASSES[name](**arguments)
            counter.add(self._persons.part(start, stop))
            parts.append(counter.result())
        return cast("Counts", cast("Any", COUNTS[name]).merge(parts))


def scan(
    run_pass: RunPass,
    settings: PairScanSettings,
    *,
    terminal: Sequence[int] = (),
    min_persons: int = 5,
    level: float = 0.05,
    family: NDArray[np.int64] | None = None,
) -> PairScan:
    """Scan all ordered pairs of codes.

    A pair is tested where both codes have ``min_persons`` persons and the first is not ``terminal`` (nothing
    can follow death); it is called where its BH q-value is at most ``level``. Codes with the same number in
    ``family`` (-1: none) are flagged as overlapping.
    """
    reference = cast("ReferenceCounts", run_pass("ReferencePass", {"settings": settings}))
    shared = {"settings": settings, "reference": reference}
    exposed = reference.cells[:, 0, EXPOSED] + reference.cells[:, 1, EXPOSED]
    with ThreadPoolExecutor(1) as beside:
        product = beside.submit(lambda: over_all_exposures(exposed, reference.probabilities()))
        arguments = {"settings": settings, "baseline": Baseline.of(reference)}
        counts = cast("PairCounts", run_pass("PairPass", arguments))
    persons_with: NDArray[np.int64] = exposed.sum(axis=0, dtype=np.int64)
    testable = _testable(persons_with, terminal, min_persons)
    tested = np.logical_and.outer(testable, persons_with >= min_persons)
    observed = counts.followed.sum(axis=2, dtype=np.float64)
    barred = counts.barred.transpose(1, 0, 2)
    expected = at_risk(*product.result(), barred[:, :, :2])
    found = screen(observed, *expected, tested, persons_with > 0)
    pairs = found.pairs[found.q_bh <= level]
    called = None
    if len(pairs):
        half = reference.cells[:, OPEN, EXPOSED]
        expected = expected_counts(half, reference.probabilities(OPEN), barred[:, :, 2:])
        q_open, more = screen_half(counts.followed[:, :, 0], *expected, tested, persons_with > 0)
        agrees = more == (found.observed > found.expected)
        called = _look_closer(run_pass, shared, counts, found, (q_open <= level) & agrees, pairs, level)
    table = pair_table(found, counts, persons_with, called, settings.horizon_days, level, family)
    return PairScan(
        table,
        found.null,
        int(reference.persons.sum()),
        int(persons_with.sum()),
        len(reference.keys),
        int(found.tested.sum()),
        len(pairs),
        int((called.replicated == 1).sum()) if called else 0,
    )


def _testable(persons_with: NDArray[np.int64], terminal: Sequence[int], least: int) -> NDArray[np.bool_]:
    testable = persons_with >= least
    testable[list(terminal)] = False
    return testable


def _look_closer(
    run_pass: RunPass,
    shared: dict[str, Any],
    counts: PairCounts,
    found: Screen,
    candidate: NDArray[np.bool_],
    pairs: NDArray[np.int32],
    level: float,
) -> Called:
    """The third pass, in as many goes as keep the records of each within memory."""
    observed = counts.followed.sum(axis=2, dtype=np.int64)
    both = observed + observed.T + counts.same_day
    records = np.cumsum(both[pairs[:, 0], pairs[:, 1]])
    parts = np.split(pairs, np.flatnonzero(np.diff(records // _RECORDS_AT_ONCE)) + 1)
    closer = [
        (cast("CalledCounts", run_pass("CalledPass", {**shared, "pairs": part})), shared["reference"])
        for part in parts
    ]
    chosen = found.q_bh <= level
    return look_closer(
        closer,
        found.observed[chosen] > found.expected[chosen],
        candidate[chosen],
        observed,
        level,
        shared["settings"].horizon_days,
        int(found.tested.sum()),
    )
