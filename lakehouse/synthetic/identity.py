"""Which number a person goes by on a day: some got a new one, and rows from before carry the former."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from lakehouse.synthetic.population import NEVER, People
from lakehouse.synthetic.rates import Ints

if TYPE_CHECKING:
    from lakehouse.synthetic.block import Block, World

FORMER_SERIES = 9000
"""Seventh digit 9 and the block: a series that no current synthetic number uses."""
BLOCKS_APART = 500


def renumbered(block: Block, world: World, rate: float) -> Block:
    """The block with a share of persons who got a new number on some day of the period.

    The former number has the other sex digit, as after a change of sex. Only births from 1937 on, whose
    century the seventh digit 9 tells.
    """
    people, calendar = block.people, world.calendar
    rng = np.random.default_rng([world.seed, block.number, 300])
    able = (people.birth_year >= 1937) & (people.birth < calendar.first)
    chosen = able & (rng.random(people.count) < rate)
    day = calendar.first + rng.integers(30, int(calendar.lengths.sum()) - 30, people.count)
    former = (
        people.cpr // 10_000 * 10_000 + FORMER_SERIES + 2 * (block.number % BLOCKS_APART) + 1 - people.sex
    )
    changed = np.where(chosen, day, -NEVER)
    return replace(block, people=replace(people, former=np.where(chosen, former, 0), changed=changed))


def numbers(people: People, person: Ints, day: Ints) -> pa.Array:
    """The number each person goes by on each day (since 1970), as text."""
    if people.former is None or people.changed is None:
        return pa.array(people.cpr[person]).cast(pa.string())
    before = day < people.changed[person]
    return pa.array(np.where(before, people.former[person], people.cpr[person])).cast(pa.string())
