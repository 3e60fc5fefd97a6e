"""MEDS data sets: one long table of coded events; births, deaths and sex as codes of their own."""

from __future__ import annotations

from lakehouse.declarations.schema import Event, Facts, Field, Names, Source, Table, Type

SEX = r"^(GENDER|SEX)//"
SEX_WORD = 'upper(regexp_replace(code, "^(GENDER|SEX)//", ""))'
CONTACT = (
    "^(((HOSPITAL|ICU|ED)_(ADMISSION|DISCHARGE|REGISTRATION|OUT)|ADMISSION|DISCHARGE|TRANSFER(_TO)?|VISIT(_DETAIL)?"
    "|ENCOUNTER|EOJ//ENCOUNTER|LPR//(ADMISSION|EMERGENCY)|SSSY)(/|$)|GP//(?!LISTED))"
)
"""Beginnings of codes, in capitals, that say somebody was met, taken in, moved or sent home.

MEDS has no column for what kind of event a row is. Listed are the stems of the public converters (MIMIC-IV, eICU, OMOP)
and those that our own export writes; every other code stays an event.
"""
DOMAIN = (
    "CASE WHEN row.code = 'MEDS_DEATH' THEN 'death' "
    f"WHEN upper(row.code) RLIKE '{CONTACT}' THEN 'contact' ELSE 'event' END"
)
FACT = f"time IS NULL OR code = 'MEDS_BIRTH' OR code RLIKE '{SEX}'"

EVENTS = Table(
    name="meds_data",
    files=r"data/(.*/)?[^/]+\.parquet",
    decimal=".",
    fields=(
        Field("person_id", Type.PERSON, aliases=("subject_id",), filled=True),
        Field("time", Type.TIMESTAMP),
        Field("code", Type.VERBATIM, filled=True),
        Field("numeric_value", Type.NUMBER, required=False),
        Field("text_value", required=False),
    ),
    facts=(
        Facts({"birth_date": "CAST(time AS DATE)"}, where="code = 'MEDS_BIRTH'"),
        Facts(
            {
                "sex": f"CASE WHEN {SEX_WORD} IN ('F', 'FEMALE', 'K', 'WOMAN') THEN 'F' "
                f"WHEN {SEX_WORD} IN ('M', 'MALE', 'MAN') THEN 'M' END"
            },
            where=f"code RLIKE '{SEX}'",
        ),
        Facts({"death_date": "CAST(time AS DATE)"}, where="code = 'MEDS_DEATH'"),
    ),
    events=(
        Event(
            {
                "time_start": "row.time",
                "time_precision": "CASE WHEN row.time = date_trunc('DAY', row.time) THEN 'day' ELSE 'minute' END",
                "domain": DOMAIN,
                "code_system": "CASE WHEN contains(row.code, '//') THEN substring_index(row.code, '//', 1) "
                "ELSE 'MEDS' END",
                "code_raw": "row.code",
                "code": "row.code",
                "value_num": "row.numeric_value",
                "value_text": "row.text_value",
            },
            where=f"NOT ({FACT})",
        ),
    ),
)
CODES = Table(
    name="meds_codes",
    files=r"metadata/codes\.parquet",
    fields=(Field("code", Type.VERBATIM, filled=True), Field("description", required=False)),
    names=(Names("code", "description"),),
)
SOURCE = Source(name="meds", format="meds", identifier="meds", tables=(CODES, EVENTS))
