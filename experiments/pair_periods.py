"""Is a pair found among exposures of earlier years found again among those of later ones?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.called_counts import CalledCounts
from experiments.kernels.design import describe_strata
from experiments.kernels.reference import EXPOSED, ReferenceCounts
from experiments.kernels.removed import ALL, exposed_removed
from experiments.statistics.replication import replicate
from experiments.statistics.tails import mid_p_tails, two_sided_log10


def replicate_later(
    closer: list[tuple[CalledCounts, ReferenceCounts]], harmful: NDArray[np.bool_], level: float, tested: int
) -> NDArray[np.int8]:
    """Verdict by called pair: 1 found again in the later years, 0 not, -1 not found in the earlier ones alone.

    A person is exposed to a code once, so earlier and later exposures are other persons'; each period is held
    against its own reference. Years are cut where half of all exposures lie before. A candidate must pass, in
    the earlier period, the limit that calling so many of ``tested`` pairs set; the later test is one-sided,
    corrected for the candidates.
    """
    years = describe_strata(closer[0][1].keys)["year"]
    cut = middle_year(closer[0][1], years)
    early, late = (
        np.concatenate([_sums(counts, reference, chosen) for counts, reference in closer])
        for chosen in (years < cut, years >= cut)
    )
    observed, before, after, variance, uncertainty = early.T
    expected = before + after
    log10_p = two_sided_log10(*mid_p_tails(observed, expected, variance + uncertainty))
    limit = np.log10(level * len(early) / max(tested, len(early), 1))
    candidate = (expected > 0) & (log10_p <= limit) & ((observed > expected) == harmful)
    return replicate(late, harmful, candidate, level)


def middle_year(reference: ReferenceCounts, years: NDArray[np.int64]) -> int:
    """First year of the later period: half of all exposures lie in the years before, as nearly as whole years allow."""
    exposures = reference.cells[:, :, EXPOSED].sum(axis=(1, 2), dtype=np.int64)
    names, place = np.unique(years, return_inverse=True)
    running = np.cumsum(np.bincount(place, weights=exposures))
    if len(names) < 2:
        return int(names[0]) if len(names) else 0
    gaps = np.abs(running[:-1] - running[-1] / 2)
    return int(names[int(np.argmin(gaps)) + 1])


def _sums(counts: CalledCounts, reference: ReferenceCounts, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """O, E before, E after, V and W of each pair over the chosen strata alone."""
    rows = np.flatnonzero(chosen)
    if not len(rows):
        return np.zeros((len(counts.pairs), 5))
    place = np.full(len(chosen), -1, np.int32)
    place[rows] = np.arange(len(rows))
    stratum = place[counts.cells[1]]
    kept = stratum >= 0
    cells = counts.cells[:, kept].copy()
    cells[1] = stratum[kept]
    part = replace(counts, keys=counts.keys[rows], cells=cells, cell_counts=counts.cell_counts[kept])
    return exposed_removed(replace(reference, keys=reference.keys[rows], cells=reference.cells[rows]), part)[
        :, ALL
    ]
