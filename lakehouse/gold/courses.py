"""Courses of care across sectors: a person's contacts anywhere, chained as long as no long break lies between.

``gap30``: a day with a contact in hospital, in general or specialist practice or in municipal care belongs to the
course before it when at most 30 days lie between that course's end and it. A stay or a spell of help counts until its
end. Dispensings, laboratory results, plans and housing are no contacts. A hand-over is a change of sector from one
contact to the next in time: the seams at which readmissions and medication errors are looked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lakehouse.data_model import Setting
from lakehouse.gold.chaining import chain_starts

if TYPE_CHECKING:
    from numpy.typing import NDArray

GAP_DAYS = 30
MODEL = f"gap{GAP_DAYS}"
SECTORS = {
    "hospital": (Setting.INPATIENT, Setting.OUTPATIENT, Setting.EMERGENCY),
    "municipality": (Setting.MUNICIPAL,),
    "practice": (Setting.PRIMARY_CARE,),
}
"""Settings by sector, in the order of names that decides between contacts of one day."""
CONTACTS = ("contact", "diagnosis", "procedure", "primary_care", "condition", "rating")
"""Domains whose rows mean that somebody met, treated or looked after the person on that day."""
SECTOR = " ".join(
    f"WHEN setting IN ({', '.join(str(int(each)) for each in settings)}) THEN {number}"
    for number, settings in enumerate(SECTORS.values())
)
SECTOR = (
    f"CASE WHEN domain IN ({', '.join(repr(name) for name in CONTACTS)}) "
    f"AND coalesce(status, 'active') IN ('active', 'open') THEN CASE {SECTOR} END END"
)
"""SQL over ``gold.event``: the number of the sector a contact was in, null where a row is no contact."""
UNTIL = "greatest(day, coalesce(datediff(CAST(time_end AS DATE), DATE'1970-01-01'), day))"
"""SQL over ``gold.event``: the last day a contact counts."""


class Courses(NamedTuple):
    """Courses as arrays, in order of person and time; sectors are numbers, ``sectors`` holds a bit for each."""

    person: NDArray[np.int64]
    start_day: NDArray[np.int64]
    end_day: NDArray[np.int64]
    sectors: NDArray[np.int64]
    first_sector: NDArray[np.int64]
    last_sector: NDArray[np.int64]
    contacts: NDArray[np.int64]
    handovers: NDArray[np.int64]


def courses(
    person: NDArray[np.int64],
    sector: NDArray[np.int64],
    day: NDArray[np.int64],
    until: NDArray[np.int64],
) -> Courses:
    """Courses from contacts in any order; persons are numbers from 0, below 2**37.

    Of several contacts of one sector on one day the longest counts, as one.
    The arrays are [contact]: ``day`` and ``until`` in days since 1970, ``sector`` a number of ``SECTORS``.
    """
    order = np.lexsort((until, sector, day, person))
    person, sector, day, until = person[order], sector[order], day[order], until[order]
    again = (person[1:] == person[:-1]) & (day[1:] == day[:-1]) & (sector[1:] == sector[:-1])
    longest = np.flatnonzero(np.concatenate((~again, [True] * bool(len(person)))))
    person, sector, day, until = person[longest], sector[longest], day[longest], until[longest]
    starts = chain_starts(person, day, until, GAP_DAYS)
    if not len(starts):
        return Courses(*(np.zeros(0, np.int64) for _ in Courses._fields))
    over = np.concatenate(([0], (sector[1:] != sector[:-1]).astype(np.int64)))
    over[starts] = 0
    contacts = np.diff(starts, append=len(person))
    return Courses(
        person[starts],
        day[starts],
        np.maximum.reduceat(until, starts),
        np.bitwise_or.reduceat(1 << sector, starts),
        sector[starts],
        sector[starts + contacts - 1],
        contacts,
        np.add.reduceat(over, starts),
    )


def named(sectors: int) -> str:
    """Names of a set of sectors, commas between."""
    return ",".join(name for number, name in enumerate(SECTORS) if sectors >> number & 1)
