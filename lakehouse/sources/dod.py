"""The register of deaths: the date, which comes sooner here than in the person register, and the cause."""

from __future__ import annotations

from lakehouse.schema import FORMS, Facts, Field, Source, Table, Type

DEATHS = Table(
    name="dod_deaths",
    files=rf"(.*/)?dod/dod(saars)?(_?\d{{4}})?{FORMS}",
    encoding="cp1252",
    once=True,
    fields=(
        Field("person_id", Type.PERSON, aliases=("pnr", "cpr", "v_pnr"), filled=True),
        Field("death_date", Type.DATE, aliases=("d_dodsdato", "d_dodsdto"), filled=True),
        Field("cause", Type.CODE, aliases=("c_dod1a",), required=False, pattern=r"[A-Z]\d{2}[0-9A-Z]{0,3}"),
    ),
    facts=(Facts({"death_date": "death_date"}),),
)
SOURCE = Source(
    name="dod", format="danish", identifier="cpr", tables=(DEATHS,), death_code="CPR//DEATH", levels=True
)
