"""The register of deaths: the date, which comes sooner here than in the person register, and the cause."""

from __future__ import annotations

from lakehouse.data_model import Setting
from lakehouse.declarations.schema import FORMS, Event, Facts, Field, Source, Table, Type

ICD10 = r"[A-Z]\d{2}[0-9A-Z]{0,3}"
"""Plain ICD-10: here a D in front is a chapter, as in D46."""

DEATHS = Table(
    name="dod_deaths",
    files=rf"(.*/)?dod/(dod(saars|aars)?|dar)(_?\d{{4}})?{FORMS}",
    encoding="cp1252",
    once=True,
    fields=(
        Field("person_id", Type.PERSON, aliases=("pnr", "cpr", "v_pnr"), filled=True),
        Field("death_date", Type.DATE, aliases=("d_dodsdato", "d_dodsdto"), filled=True, sas=True),
        Field("cause", Type.CODE, aliases=("c_dod1a",), required=False, pattern=ICD10),
        Field("cause_b", Type.CODE, aliases=("c_dod1b",), required=False, pattern=ICD10),
        Field("cause_c", Type.CODE, aliases=("c_dod1c",), required=False, pattern=ICD10),
        Field("cause_d", Type.CODE, aliases=("c_dod1d",), required=False, pattern=ICD10),
        Field("underlying", Type.CODE, aliases=("c_dodtilgrundl_acme",), required=False, pattern=ICD10),
        Field("manner", Type.CODE, aliases=("c_dodsmaade",), required=False),
    ),
    facts=(Facts({"death_date": "death_date"}),),
    events=(
        Event(
            {
                "time_start": "CAST(row.death_date AS TIMESTAMP_NTZ)",
                "domain": "'cause_of_death'",
                "code_system": "'ICD10'",
                "code_raw": "coalesce(row.underlying, row.cause)",
                "code": "concat('ICD10//', coalesce(row.underlying, row.cause))",
                "code_role": "'cause_of_death'",
                "setting": f"{Setting.REGISTER:d}",
            },
            where="coalesce(underlying, cause) IS NOT NULL",
        ),
    ),
)
SOURCE = Source(
    name="dod", format="danish", identifier="cpr", tables=(DEATHS,), death_code="CPR//DEATH", levels=True
)
