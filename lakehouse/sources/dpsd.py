"""Adverse events: reports on one patient become events; collective reports are counts and belong to nobody."""

from __future__ import annotations

from lakehouse.data_model import Setting
from lakehouse.declarations.helpers import person, prefixed
from lakehouse.declarations.schema import DATED, FORMS, Event, Field, Source, Table, Type

HARM = {"INGEN": "0", "UKENDT": "U", "LET": "1", "MILD": "1", "ALVORLIG": "3", "DØDELIG": "4"}
SEVERITY = (
    "CASE WHEN row.actual = '4' THEN 'DOEDELIG' WHEN row.actual = '3' THEN 'ALVORLIG' "
    "WHEN row.possible IN ('3', '4') THEN 'RISIKO' WHEN row.actual = '1' THEN 'LET' ELSE 'INGEN' END"
)
"""Severity from the actual and the possible consequence; the scale of reports since 1 July 2023.

``RISIKO`` is a serious risk to patient safety: none or mild happened, serious or fatal could have.
"""
OLD = {"INGEN": "INGEN", "MILD": "MILD", "MODERAT": "MODERAT", "ALVORLIG": "ALVORLIG", "DØDELIG": "DOEDELIG"}
CHANGED = "DATE'2023-07-01'"
SCALE = (
    f"CASE WHEN row.happened_on < {CHANGED} THEN concat('//OLD_', coalesce(row.old_severity, 'UKENDT')) "
    f"ELSE concat('//SEV_', {SEVERITY}) END"
)
"""The two scales are kept apart: one is no continuation of the other."""
GROUPS = {"1": "ADM", "2": "BEH", "3": "MED", "4": "FALD", "5": "INF", "6": "UDSTYR", "9": "ANDET"}
MUNICIPALITY = Field(
    "municipality", Type.CODE, aliases=("kommune",), required=False, pad=3, pattern=r"0?\d{3}"
)

REPORTS = Table(
    name="dpsd_reports",
    files=rf"(.*/)?dpsd/{DATED}(haendelser|sager)(_?\d{{4}})?{FORMS}",
    encoding="cp1252",
    fields=(
        Field("report_id", Type.KEY, aliases=("sagsnr",), filled=True, domain="dpsd"),
        person(filled=False),
        Field("case_status", aliases=("sagsstatus",), required=False),
        Field("created_on", Type.DATE, aliases=("oprettet",), required=False),
        Field("happened_on", Type.DATE, aliases=("haendelsesdato",), filled=True),
        Field("happened_at", Type.TIME, aliases=("haendelsestid",), required=False),
        Field("headline", Type.RESTRICTED, aliases=("overskrift",), required=False),
        Field("description", Type.RESTRICTED, aliases=("beskrivelse",), required=False),
        Field("place", Type.CODE, aliases=("lokation_sor",), pattern=r"\d{6,}"),
        Field("main_group", Type.CODE, aliases=("hovedgruppe",), filled=True, values=GROUPS),
        Field("actual", Type.CODE, aliases=("faktisk_konsekvens",), values=HARM),
        Field("possible", Type.CODE, aliases=("mulig_konsekvens",), values=HARM),
        Field("old_severity", Type.CODE, aliases=("alvorlighed",), values=OLD, required=False),
        Field("atc", Type.CODE, required=False, pattern=r"[A-V](\d{2}([A-Z]([A-Z](\d{2})?)?)?)?"),
        Field("covid", Type.CODE, aliases=("covid19",), required=False),
    ),
    events=(
        Event(
            {
                "time_start": "CAST(concat(row.happened_on, ' ', coalesce(row.happened_at, '00:00:00')) "
                "AS TIMESTAMP_NTZ)",
                "time_precision": "CASE WHEN coalesce(row.happened_at, '00:00:00') = '00:00:00' THEN 'day' "
                "ELSE 'minute' END",
                "domain": "'adverse_event'",
                "code_system": "'DPSD'",
                "code_raw": "row.main_group",
                "code": prefixed("DPSD", f"concat(row.main_group, {SCALE})"),
                "value_text": "row.atc",
                "place": "row.place",
                "setting": f"{Setting.UNKNOWN:d}",
            },
            where="person_id IS NOT NULL",
        ),
    ),
)
COLLECTIVE = Table(
    name="dpsd_collective",
    files=rf"(.*/)?dpsd/{DATED}samlerapport(er)?(_?\d{{4}})?{FORMS}",
    encoding="cp1252",
    fields=(
        Field("month", Type.CODE, aliases=("maaned",), filled=True, pattern=r"\d{4}-\d{2}"),
        MUNICIPALITY,
        Field("place", Type.CODE, aliases=("lokation_sor",), required=False, pattern=r"\d{6,}"),
        Field("kind", Type.CODE, aliases=("type",), filled=True),
        Field("reports", Type.INTEGER, aliases=("antal",), filled=True),
    ),
)
SOURCE = Source(name="dpsd", format="danish", identifier="cpr", tables=(REPORTS, COLLECTIVE), levels=True)
