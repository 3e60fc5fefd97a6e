"""Fees of general practice and specialists: one line a service, provider and week; SYSI until 2005, SSSY since."""

from __future__ import annotations

from lakehouse.data_model import Setting
from lakehouse.declarations.helpers import person, prefixed
from lakehouse.declarations.schema import DATED, FORMS, Event, Field, Join, Source, Table, Type

CHILD = (
    "filter(CAST(child.children AS ARRAY<STRUCT<person_id: STRING, birth_date: DATE>>), c -> "
    "c.birth_date <= coalesce(row.treated_on, date_add(row.week, 6)) "
    "AND c.birth_date > add_months(row.week, -216))"
)
"""A parent's children under 18 in the week of the service."""
OF_CHILD = f"row.child_marker = '1' AND size({CHILD}) = 1"
"""Only one child can be meant; of several nobody knows which."""

SERVICES = Table(
    name="sssy_services",
    files=rf"(.*/)?(sssy|sysi)/{DATED}(sssy|sysi)(_?\d{{4}})?{FORMS}",
    encoding="cp1252",
    fields=(
        person(),
        Field("provider", Type.CODE, aliases=("ydernr", "ydernummer"), pad=6, pattern=r"\d{6}"),
        Field("service", Type.CODE, aliases=("speciale",), filled=True, pad=6, pattern=r"\d{6}"),
        Field("services", Type.INTEGER, aliases=("ydlant",), filled=True),
        Field("service_kind", Type.CODE, aliases=("ydtyp",), required=False),
        Field("time_of_day", Type.CODE, aliases=("ydltid",), required=False),
        Field("settled_in", Type.CODE, aliases=("afrper",), required=False),
        Field("week", Type.WEEK, aliases=("honuge",), filled=True),
        Field("gross_fee", Type.NUMBER, aliases=("bruhon",)),
        Field("child_marker", Type.CODE, aliases=("barnmak",), values={"0": "0", "1": "1"}),
        Field("contact", Type.CODE, aliases=("kontakt",), required=False),
        Field("patient_group", Type.CODE, aliases=("patgrp", "pattyp"), required=False),
        Field("insurance_group", Type.CODE, aliases=("sikgrup",), required=False, pattern=r"[12]"),
        Field("sex_imputed", Type.CODE, aliases=("koenimp",), required=False),
        Field("age_imputed", Type.CODE, aliases=("alderimp",), required=False),
        Field("treated_on", Type.DATE, aliases=("behandlingsdato",), required=False),
    ),
    events=(
        Event(
            {
                "person_id": f"CASE WHEN {OF_CHILD} THEN {CHILD}[0].person_id ELSE row.person_id END",
                "time_start": "CAST(coalesce(row.treated_on, row.week) AS TIMESTAMP_NTZ)",
                "time_precision": "CASE WHEN row.treated_on IS NULL THEN 'week' ELSE 'day' END",
                "domain": "'primary_care'",
                "code_system": "'SSSY'",
                "code_raw": "row.service",
                "code": prefixed("SSSY", "row.service"),
                "code_role": f"CASE WHEN {OF_CHILD} THEN 'child' WHEN row.child_marker = '1' "
                "THEN 'for_child' ELSE 'main' END",
                "quantity": "row.services",
                "cost_dkk": "row.gross_fee",
                "place": "row.provider",
                "setting": f"{Setting.PRIMARY_CARE:d}",
            },
            joins=(Join("child", "person_id", "parent_id"),),
        ),
    ),
)
SOURCE = Source(name="sssy", format="danish", identifier="cpr", tables=(SERVICES,), levels=True)
