"""Exposures in the order that keeps counters in cache: what a pass visits together lies together.

Persons come one after another, but the counters of a pass are laid out by stratum or by code. Walking a
batch in that order instead of person by person changes no count and reads the same memory far less often.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.accelerate import compiled
from experiments.kernels.exposures import Exposures

START, FIRST, LATER, REACH, END, ROW, CODE, HALF = range(8)
"""Columns of :attr:`Batch.facts`."""


Block = tuple[int, int]
"""Codes from the first number up to the second, which is not of them."""

_OUTSIDE = np.uint32(2**32 - 1)


class Batch(NamedTuple):
    """Exposures of a batch of persons, ready to be walked in any order.

    ``facts`` [exposure, 8] says of each where its person starts, where its day starts, where the next day
    starts, the first exposure beyond its horizon, where its person ends, its row, code and half (indices of
    exposures; one cache line). ``codes`` and ``rows`` hold two of these again, for runs of neighbours.
    Within a block of codes ``codes`` and every index are of the block's exposures alone, counted from its first.
    """

    facts: NDArray[np.uint32]
    codes: NDArray[np.uint32]
    rows: NDArray[np.uint32]


def batch_of(
    exposures: Exposures,
    rows: NDArray[np.int32],
    half: NDArray[np.int8],
    horizon: int,
    *,
    looking_back: bool = False,
) -> Batch:
    """Exposures with the rows of their strata and the half of each person.

    ``looking_back`` puts the first exposure of the horizon before the day where the person's start would be, and
    lets no run of indices begin before the person's first exposure: what is prevalent was followed by nothing, but
    takes every later exposure out of the risk set.

    ``rows`` [entry of ``exposures``] are stratum numbers, ``half`` [person]; ``horizon`` in days.
    """
    codes = exposures.codes.view(np.uint32)
    facts = np.empty((len(codes), 8), np.uint32)
    since = exposures.starts if looking_back else exposures.offsets[:-1]
    _describe(exposures._replace(codes=codes), since, rows, half.view(np.uint8), horizon, looking_back, facts)  # type: ignore[arg-type]
    return Batch(facts, codes, rows.view(np.uint32))


def within(batch: Batch, block: Block) -> Batch:
    """The same exposures, each beside those alone whose code lies in a block; codes outside it are no number of it."""
    codes = batch.codes - np.uint32(block[0])
    inside = codes < block[1] - block[0]
    kept = np.zeros(len(codes) + 1, np.uint32)
    np.cumsum(inside, out=kept[1:])
    facts = batch.facts
    for column in (START, FIRST, LATER, REACH, END):
        facts[:, column] = kept[facts[:, column]]
    facts[:, CODE] = np.where(inside, codes, _OUTSIDE)
    return Batch(facts, codes[inside], batch.rows[inside])


def order_by(keys: NDArray[np.uint32], groups: int) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Indices sorted by key (0 .. groups − 1), equal ones in their order, and where each key's begin.

    ``keys`` [item]; returns the order [item] and the starts [group + 1].
    """
    starts = np.zeros(groups + 1, np.int64)
    np.cumsum(np.bincount(keys, minlength=groups), out=starts[1:])
    order = np.empty(len(keys), np.uint32)
    _place(keys, starts[:-1].copy(), order)
    return order, starts


@compiled
def _place(keys: NDArray[np.uint32], filled: NDArray[np.int64], order: NDArray[np.uint32]) -> None:
    for at in range(len(keys)):
        order[filled[keys[at]]] = at
        filled[keys[at]] += 1


@compiled
def _describe(
    exposures: Exposures,
    since: NDArray[np.int64],
    rows: NDArray[np.int32],
    halves: NDArray[np.uint8],
    horizon: int,
    looking_back: bool,
    facts: NDArray[np.uint32],
) -> None:
    offsets, codes, days = exposures.offsets, exposures.codes, exposures.days
    for person in range(len(offsets) - 1):
        start, end, half = offsets[person], offsets[person + 1], halves[person]
        first, reach, back, least = start, start, since[person], since[person]
        while first < end:
            day = np.int64(days[first])
            later = first
            while later < end and days[later] == day:
                later += 1
            reach = max(reach, later)
            while reach < end and np.int64(days[reach]) <= day + horizon:
                reach += 1
            while looking_back and np.int64(days[back]) < day - horizon:
                back += 1
            for at in range(first, later):
                facts[at, 0], facts[at, 1], facts[at, 2], facts[at, 3] = (
                    back,
                    max(first, least),
                    max(later, least),
                    reach,
                )
                facts[at, 4], facts[at, 5], facts[at, 6], facts[at, 7] = end, rows[at], codes[at], half
            first = later
