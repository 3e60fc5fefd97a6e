"""What the patient register's several models have in common: codes and their parents, moments, fields by name."""

from __future__ import annotations

from lakehouse.declarations.quality import clock, joined, recent, register_break
from lakehouse.declarations.schema import Event, Field, Join, Type

DIAGNOSIS = r"D[A-Z]\d{2}[0-9A-Z]{0,5}"
ICD8 = r"\d{3,6}"
PROCEDURE = r"[KBNUWZAFERTVY][A-Z0-9]{2,9}"
PERSON = ("cpr", "pnr", "v_cpr", "v_pnr", "pnr12", "cprnummer")
ENCOUNTER = Join("encounter", "contact_id", "contact_id")
RULED_OUT = r"^DZ03"
"""Observation for a disease that was suspected and not found."""


def moment(day: str, time: str) -> str:
    """SQL of a date and a clock time as one moment."""
    return f"CAST(concat({day}, ' ', coalesce({time}, '00:00:00')) AS TIMESTAMP_NTZ)"


def precision(time: str) -> str:
    """SQL: midnight is how registers write an unknown time."""
    return f"CASE WHEN coalesce({time}, '00:00:00') = '00:00:00' THEN 'day' ELSE 'minute' END"


def precision_of(stamp: str) -> str:
    """The same of a moment in one column."""
    return f"CASE WHEN {stamp} > CAST(CAST({stamp} AS DATE) AS TIMESTAMP_NTZ) THEN 'minute' ELSE 'day' END"


def hour_moment(day: str, hour: str, minute: str) -> str:
    """SQL of a date with hour (0 to 24) and minute in columns of their own."""
    clock_time = f"60 * (coalesce(CAST({hour} AS INT), 0) % 24) + coalesce(CAST({minute} AS INT), 0)"
    return f"timestampadd(MINUTE, {clock_time}, CAST({day} AS TIMESTAMP_NTZ))"


def hour_precision(hour: str, minute: str) -> str:
    """SQL: without an hour, at 0 and at 24 o'clock the time is unknown."""
    known = f"coalesce(CAST({hour} AS INT), 0) % 24 + coalesce(CAST({minute} AS INT), 0) > 0"
    return f"CASE WHEN {known} THEN 'minute' ELSE 'day' END"


def diagnosis_system(code: str) -> str:
    """SQL of the code system of a Danish diagnosis code.

    The blocks DU and DV are Danish alone: the letters mean something else in ICD-10.
    """
    return (
        f"CASE WHEN {code} RLIKE r'^{ICD8}$' THEN 'ICD8' WHEN {code} RLIKE r'^D[UV]' THEN 'SKS' "
        f"WHEN {code} RLIKE r'^{DIAGNOSIS}$' THEN 'ICD10' ELSE 'SKS' END"
    )


def diagnosis_code(code: str) -> str:
    """SQL of a diagnosis as ``system//code``: the D taken off, a Danish extension led back to its ICD-10 parent.

    ICD-10 has four characters, and five in the chapters of joints (M), injuries (S, T) and their causes.
    """
    four, five = r"^[A-Z][0-9]{2}[0-9]?", r"^[A-Z][0-9]{2}[0-9]{0,2}"
    body = f"substr({code}, 2)"
    parent = (
        f"CASE WHEN substr({code}, 2, 1) IN ('M', 'S', 'T', 'W', 'X', 'Y') "
        f"THEN regexp_extract({body}, r'{five}', 0) ELSE regexp_extract({body}, r'{four}', 0) END"
    )
    return (
        f"CASE {diagnosis_system(code)} WHEN 'ICD10' THEN concat('ICD10//', {parent}) "
        f"ELSE concat({diagnosis_system(code)}, '//', {code}) END"
    )


def diagnosis_event(
    code: str = "row.code",
    role: str = "row.kind",
    refuted: str = "false",
    where: str = "true",
    extra: str = "NULL",
) -> Event:
    """A diagnosis with time, place and setting of its contact.

    ``role`` is SQL of the delivered type: A main, + add-on, H referral, all others secondary. ``extra`` is SQL
    for a further flag.
    """
    ruled_out = f"CASE WHEN {code} RLIKE '{RULED_OUT}' THEN 'ruled_out' END"
    return Event(
        {
            "person_id": "encounter.person_id",
            "time_start": "encounter.time_start",
            "time_end": "encounter.time_end",
            "time_precision": "encounter.time_precision",
            "domain": "'diagnosis'",
            "code_system": diagnosis_system(code),
            "code_raw": code,
            "code": diagnosis_code(code),
            "code_role": f"CASE {role} WHEN 'A' THEN 'main' WHEN '+' THEN 'addon' WHEN 'H' THEN 'referral' "
            "ELSE 'secondary' END",
            "encounter_id": "row.contact_id",
            "place": "encounter.place",
            "setting": "encounter.setting",
            "status": f"CASE WHEN {refuted} THEN 'refuted' WHEN encounter.superseded THEN 'superseded' "
            "ELSE 'active' END",
            "quality": joined(
                "row.remarks",
                ruled_out,
                extra,
                clock("encounter.time_start", "encounter.time_precision"),
                recent("row.delivered", "encounter.time_start"),
                register_break("encounter.time_start"),
            ),
        },
        where=where,
        joins=(ENCOUNTER,),
    )


def code_field(name: str, alias: str, pattern: str, *, filled: bool = False, required: bool = False) -> Field:
    """A coded column."""
    return Field(name, Type.CODE, aliases=(alias,), filled=filled, required=required, pattern=pattern)


def loose(name: str, *aliases: str, type: Type = Type.CODE, pad: int = 0) -> Field:
    """A column that need not be there."""
    return Field(name, type, aliases=aliases, required=False, pad=pad)
