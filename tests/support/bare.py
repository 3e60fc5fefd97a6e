"""The yardstick of the benchmark: bands are cut, then the two counting passes are one plain compiled loop each.

No halves, no packing, no exact sums, no third pass: what counting alone costs one core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numba
import numpy as np

from experiments.kernels.bands import banded
from experiments.kernels.design import PairScanSettings
from experiments.kernels.exposures import ExposureFinder
from experiments.kernels.persons import Persons
from experiments.kernels.strata import StrataIndex

BATCH = 16_384


@numba.njit(cache=True)
def first_pass(offsets, codes, days, rows, horizon, followed, not_at_risk, exposures):  # type: ignore[no-untyped-def]
    """M and not-at-risk by stratum and code."""
    for person in range(len(offsets) - 1):
        start, end = offsets[person], offsets[person + 1]
        for a in range(start, end):
            row, day = rows[a], days[a]
            exposures[row] += 1
            for b in range(start, end):
                if days[b] <= day:
                    not_at_risk[row, codes[b]] += 1
                elif days[b] <= day + horizon:
                    followed[row, codes[b]] += 1
                else:
                    break


@numba.njit(cache=True)
def second_pass(offsets, codes, days, rows, horizon, p, observed, exposed, corrected, spread):  # type: ignore[no-untyped-def]
    """O by pair, A by code and stratum, and what exposures not at risk take off the expectation."""
    for person in range(len(offsets) - 1):
        start, end = offsets[person], offsets[person + 1]
        for a in range(start, end):
            code, row, day = codes[a], rows[a], days[a]
            exposed[code, row] += 1
            for b in range(start, end):
                if days[b] <= day:
                    risk = p[row, codes[b]]
                    corrected[code, codes[b]] += risk
                    spread[code, codes[b]] += risk * (1 - risk)
                elif days[b] <= day + horizon:
                    observed[code, codes[b]] += 1
                else:
                    break


def two_passes(persons: Persons, settings: PairScanSettings) -> int:
    """Run both passes over persons in memory; the number of ordered pairs of codes seen at least once."""
    return two_passes_over(lambda: [persons], settings)


def two_passes_over(source: Callable[[], Iterable[Persons]], settings: PairScanSettings) -> int:
    """Run both passes, each over what ``source`` gives anew; the number of ordered pairs seen at least once."""

    def run(counting: type[Any], arguments: Mapping[str, Any]) -> Any:
        counter = counting(**arguments)
        for part in source():
            counter.add(part)
        return counter.result()

    settings = banded(run, settings)
    n, horizon = settings.n_codes, settings.horizon_days
    finder, strata = ExposureFinder(settings), StrataIndex()
    capacity = 1024
    followed, not_at_risk = np.zeros((capacity, n), np.int32), np.zeros((capacity, n), np.int32)
    exposures = np.zeros(capacity, np.int64)
    for part in batches(source()):
        found = finder.find(part)
        rows = strata.rows(found.keys)
        if strata.count > capacity:
            capacity = 2 * strata.count
            followed, not_at_risk = grown(followed, capacity), grown(not_at_risk, capacity)
            exposures = np.concatenate([exposures, np.zeros(capacity - len(exposures), np.int64)])
        first_pass(found.offsets, found.codes, found.days, rows, horizon, followed, not_at_risk, exposures)
    at_risk = exposures[:, None] - not_at_risk
    p = np.divide(followed, at_risk, out=np.zeros(at_risk.shape), where=at_risk > 0)
    observed, exposed = np.zeros((n, n), np.int32), np.zeros((n, strata.count), np.int32)
    corrected, spread = np.zeros((n, n)), np.zeros((n, n))
    finder = ExposureFinder(settings)
    for part in batches(source()):
        found = finder.find(part)
        rows = strata.rows(found.keys)
        arrays = (found.offsets, found.codes, found.days, rows)
        second_pass(*arrays, horizon, p, observed, exposed, corrected, spread)
    return int((observed > 0).sum())


def batches(parts: Iterable[Persons]) -> Iterator[Persons]:
    """Parts cut small enough for what is made of them to stay in cache."""
    for persons in parts:
        for start in range(0, persons.count, BATCH):
            yield persons.part(start, min(start + BATCH, persons.count))


def grown(array: np.ndarray, capacity: int) -> np.ndarray:
    """The array with more rows."""
    larger = np.zeros((capacity, array.shape[1]), array.dtype)
    larger[: len(array)] = array
    return larger
