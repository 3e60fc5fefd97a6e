"""The register of organisations: what the codes of places stand for, with validity."""

from __future__ import annotations

from lakehouse.schema import FORMS, Field, Source, Table, Type

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
)
SOURCE = Source(name="sor", format="danish", identifier="cpr", tables=(ORGANISATIONS,), levels=True)
