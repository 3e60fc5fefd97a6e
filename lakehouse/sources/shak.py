"""SHAK, the older codes of hospitals, departments and wards: fixed width, validity-dated; a shorter code is the parent."""

from __future__ import annotations

from lakehouse.declarations.schema import DATED, DerivedColumn, Field, Places, Source, Table, Type


def parent(place: str | None) -> str | None:
    """The unit above: a ward's department, a department's hospital."""
    return place and {7: place[:6], 6: place[:4]}.get(len(place))


UNITS = Table(
    name="shak_units",
    files=rf"(.*/)?shak/{DATED}shak(complete|delta\d{{4}}_\d{{2}})\.txt(\.gz)?",
    encoding="latin-1",
    role="shak",
    once=True,
    fields=(
        Field("place", Type.CODE, span=(1, 7), filled=True, pattern=r"[0-9A-Z]{4}([0-9A-Z]{2}([0-9A-Z])?)?"),
        Field("valid_from", Type.DATE, span=(8, 15), filled=True),
        Field("changed_on", Type.DATE, span=(16, 23)),
        Field("valid_to", Type.DATE, span=(24, 31)),
        Field("name", span=(32, 151), filled=True),
        Field("region", Type.CODE, span=(152, 155), pattern=r"\d{4}"),
    ),
    derived={
        "parent": DerivedColumn(Type.TEXT, ("place",), parent),
    },
    places=Places(
        {
            "place": "place",
            "place_system": "'SHAK'",
            "parent": "parent",
            "name": "name",
            "institution": "left(place, 4)",
            "shak": "place",
            "region": "region",
            "valid_from": "valid_from",
            "valid_to": "valid_to",
        }
    ),
)
SOURCE = Source(name="shak", format="danish", identifier="cpr", tables=(UNITS,), levels=True)
