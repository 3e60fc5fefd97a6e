"""The register of organisations: what the codes of places stand for, with validity."""

from __future__ import annotations

from lakehouse.declarations.schema import DATED, FORMS, Field, Places, Source, Table, Type

SOR = {
    "place": "place",
    "place_system": "'SOR'",
    "name": "name",
    "kind": "kind",
    "institution": "institution",
    "specialty": "specialty",
    "region": "region",
    "valid_from": "valid_from",
    "valid_to": "valid_to",
}
ORGANISATIONS = Table(
    name="sor_organisations",
    files=rf"(.*/)?sor/organisationer(_.*)?{FORMS}",
    encoding="cp1252",
    once=True,
    fields=(
        Field("place", Type.CODE, aliases=("sorenhed",), filled=True, pattern=r"\d{6,}"),
        Field("name", aliases=("sorenhed_tekst",)),
        Field("kind", aliases=("sorenhed_type",), required=False),
        Field("owner", aliases=("institutionsejer",), required=False),
        Field("institution", aliases=("sundhedsinstitution",), required=False),
        Field("specialty", aliases=("hovedspeciale",), required=False),
        Field("shak_hospital", Type.CODE, aliases=("shak_sgh",), required=False, pad=4),
        Field("shak_department", Type.CODE, aliases=("shak_afd",), required=False),
        Field("region", Type.CODE, required=False),
        Field("valid_from", Type.DATE, aliases=("gyldig_fra",)),
        Field("valid_to", Type.DATE, aliases=("gyldig_til",)),
    ),
    places=Places(SOR | {"shak": "coalesce(shak_department, shak_hospital)"}),
)
UNITS = Table(
    name="sor_units",
    files=rf"(.*/)?sor/{DATED}sor_?(export|complete)?{FORMS}",
    encoding="cp1252",
    role="sor",
    once=True,
    fields=(
        Field("place", Type.CODE, aliases=("sor-kode",), filled=True, pattern=r"\d{6,}"),
        Field("parent", Type.CODE, aliases=("parent-sor-kode",), pattern=r"\d{6,}"),
        Field("name", aliases=("enhedsnavn",), filled=True),
        Field("kind", aliases=("enhedstype",), required=False),
        Field("sor_kind", aliases=("sor-type",), required=False),
        Field("valid_from", Type.DATE, aliases=("gaeldende_fra_dato",), filled=True),
        Field("valid_to", Type.DATE, aliases=("ophoert_dato",)),
        Field("shak", Type.CODE, aliases=("sghafd-kode",), required=False),
        Field("owner", aliases=("institutionsejer",), required=False),
        Field("institution", aliases=("sundhedsinstitution",), required=False),
        Field("provider", Type.CODE, aliases=("ydernummer",), required=False, pad=6),
        Field("region", Type.CODE, required=False, pattern=r"\d{4}"),
        Field("specialty", aliases=("hovedspeciale",), required=False),
        Field("cvr", Type.CODE, required=False, pad=8),
        Field("p_number", Type.CODE, aliases=("p-nummer",), required=False),
    ),
    places=Places(SOR | {"parent": "parent", "shak": "shak", "provider": "provider"}),
)
"""The export of the whole register: one row a unit and validity, each below its parent."""
SOURCE = Source(name="sor", format="danish", identifier="cpr", tables=(ORGANISATIONS, UNITS), levels=True)
