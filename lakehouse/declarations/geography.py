"""What a municipality's or region's code stood for on a day: numbers were used again in 2007, regions merge in 2027."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from lakehouse.declarations.helpers import codelist

REFORM = datetime.date(2007, 1, 1)
"""Numbers of before this day are another list: 707 and 849 mean other places since."""
CHRISTIANSO = "411"
"""Outside the 98 municipalities, and in the data."""


@dataclass(frozen=True)
class Place:
    """A municipality or region for as long as it was one; open ends are None."""

    code: str
    name: str
    valid_from: datetime.date
    valid_to: datetime.date | None
    region: str = ""

    def on(self, day: datetime.date) -> bool:
        """Whether it existed on the day."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    @property
    def id(self) -> str:
        """One id for one meaning: the code, with ``-1970`` behind it for the list that ended in 2006."""
        return f"{self.code}-1970" if self.valid_from < REFORM else self.code


def as_day(text: str) -> datetime.date | None:
    """A date of a list; None for an open end."""
    return datetime.date.fromisoformat(text) if text else None


def municipalities() -> tuple[Place, ...]:
    """Every known municipality with its validity, three digits."""
    now = [
        Place(row["code"][-3:], row["name"], REFORM, None, row["region"])
        for row in codelist("municipalities")
    ]
    before = [
        Place(
            row["code"][-3:],
            row["name"],
            datetime.date.fromisoformat(row["valid_from"]),
            as_day(row["valid_to"]),
        )
        for row in codelist("municipalities_before_2007")
    ]
    return (*now, *before)


def regions() -> tuple[Place, ...]:
    """The regions with their validity; ``region`` names the one that took over.

    The number of Region Østdanmark had not been published when this was written: its code is a placeholder in
    ``conf/codelists/regions.csv`` and nothing in the code knows it.
    """
    return tuple(
        Place(
            row["code"],
            row["name"],
            datetime.date.fromisoformat(row["valid_from"]),
            as_day(row["valid_to"]),
            row["successor"],
        )
        for row in codelist("regions")
    )


def municipality_on(code: str, day: datetime.date) -> Place | None:
    """The municipality a code (three digits, or four with a leading zero) stood for on a day."""
    return next((place for place in municipalities() if place.code == code[-3:] and place.on(day)), None)


def region_on(municipality: str, day: datetime.date) -> str | None:
    """Region of a municipality on a day: the successor once a region has ended; None before there were regions."""
    place = municipality_on(municipality, day)
    if place is None or not place.region:
        return None
    known = {region.code: region for region in regions()}
    region = known[place.region]
    while not region.on(day) and region.region:
        region = known[region.region]
    return region.code


def municipality_sql(code: str, day: str) -> str:
    """SQL of one id for one meaning of a municipality code on a day (both SQL)."""
    return f"concat(right({code}, 3), CASE WHEN {day} < DATE'{REFORM}' THEN '-1970' ELSE '' END)"


def region_sql(code: str, day: str) -> str:
    """SQL of the region of a municipality (code as SQL) on a day: ``region_at_event`` of a residence."""
    changes = sorted({place.valid_from for place in regions()}, reverse=True)
    whens = []
    for begin in changes:
        pairs = {place.code: region_on(place.code, begin) for place in municipalities()}
        listed = ", ".join(
            f"'{municipality}', '{region}'" for municipality, region in pairs.items() if region
        )
        whens.append(f"WHEN {day} >= DATE'{begin}' THEN try_element_at(map({listed}), right({code}, 3))")
    return f"CASE {' '.join(whens)} END"
