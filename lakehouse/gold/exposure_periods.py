"""Exposure periods of medicines: dispensings turned into days under treatment, by a model that has a name.

``ddd1-grace30``: a dispensing covers as many days as it holds defined daily doses (at least one, at most a year); a
person's dispensings of one ATC code belong to one period as long as each falls at most 30 days after the cover
reached so far; a period ends with its cover. Nothing is carried over: what is left of an earlier package when the
next one is fetched counts no days of its own. Durations are estimates: the registers hold what was fetched, not what
was taken, and neither hospital medicine nor most of what is sold without prescription.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lakehouse.gold.chaining import chain_starts

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODEL = "ddd1-grace30"
GRACE_DAYS = 30
MOST_DAYS = 365
FETCHED = "domain = 'medicine' AND status = 'active' AND quantity > 0 AND code IS NOT NULL"
"""SQL over ``gold.event``: what counts as a dispensing; one of nobody knows what belongs to no period."""


class Periods(NamedTuple):
    """Exposure periods as arrays, in order of person, medicine and time."""

    person: NDArray[np.int64]
    medicine: NDArray[np.int64]
    start_day: NDArray[np.int64]
    end_day: NDArray[np.int64]
    dispensings: NDArray[np.int64]
    ddd: NDArray[np.float64]


def exposure_periods(
    person: NDArray[np.int64],
    medicine: NDArray[np.int64],
    day: NDArray[np.int64],
    quantity: NDArray[np.float64],
) -> Periods:
    """Periods from dispensings in any order; persons and medicines are numbers from 0, their product below 2**37.

    The arrays are [dispensing]: ``day`` in days since 1970, ``quantity`` in defined daily doses.
    """
    until = day + np.clip(np.ceil(quantity), 1, MOST_DAYS).astype(np.int64)  # first day no longer covered
    medicines = int(medicine.max(initial=0)) + 1
    group = person * medicines + medicine
    order = np.lexsort((quantity, until, day, group))
    group, day, until, quantity = group[order], day[order], until[order], quantity[order]
    starts = chain_starts(group, day, until, GRACE_DAYS)
    if not len(starts):
        none = np.zeros(0, np.int64)
        return Periods(none, none, none, none, none, np.zeros(0))
    who, what = np.divmod(group[starts], medicines)
    return Periods(
        who,
        what,
        day[starts],
        np.maximum.reduceat(until, starts) - 1,
        np.diff(starts, append=len(group)),
        np.add.reduceat(quantity, starts),
    )
