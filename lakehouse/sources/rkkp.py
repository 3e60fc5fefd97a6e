"""Clinical quality databases: Karbase (vascular surgery) and the adult diabetes database, wide rows become events."""

from __future__ import annotations

import datetime
import re

from lakehouse.data_model import Setting
from lakehouse.declarations.helpers import codelist, person, prefixed
from lakehouse.declarations.schema import DATED, FORMS, DerivedColumn, Event, Field, Source, Table, Type

TEXT_DATE = re.compile(r"(\d\d)/(\d\d)/(\d{4})", re.ASCII)
"""The databases write dates as text, DD/MM/YYYY; anything else stands for none."""
NOTHING_FOUND = "('N', 'NEJ', 'NOT_PERFORMED')"
WORD = "upper(item.value)"
VALUE = "try_cast(replace(item.value, ',', '.') AS DOUBLE)"


def text_date(text: str | None) -> datetime.date | None:
    """The day such a text stands for."""
    found = TEXT_DATE.fullmatch(text or "")
    try:
        return datetime.date(int(found[3]), int(found[2]), int(found[1])) if found else None
    except ValueError:
        return None


def renamed(database: str) -> dict[str, str]:
    """Old header to the variable's present name: the version table of a database."""
    rows = (row for row in codelist("rkkp_variables") if row["database"] == database)
    return {row["old"].lower(): row["variable"].lower() for row in rows if row["old"]}


def variables(system: str, day: str, place: str) -> Event:
    """One event a filled variable: Y as the code alone, numbers and words as values.

    What was answered with no, or not looked at, is kept with the flag N, so that no timeline shows it.
    """
    return Event(
        {
            "time_start": f"CAST({day} AS TIMESTAMP_NTZ)",
            "domain": "'quality'",
            "code_system": f"'{system}'",
            "code_raw": "item.first",
            "code": prefixed(system, "upper(item.first)"),
            "value_num": VALUE,
            "value_text": f"CASE WHEN {VALUE} IS NULL AND {WORD} NOT IN ('Y', 'JA') THEN item.value END",
            "flag": f"CASE WHEN {WORD} IN {NOTHING_FOUND} THEN 'N' END",
            "place": place,
            "setting": f"{Setting.OUTPATIENT:d}",
        },
        each="variables",
    )


SIDES = {"TUL1": "TUL1", "TUL2": "TUL2", "CENTRAL": "CENTRAL"}
KARBASE = Table(
    name="rkkp_karbase",
    files=rf"(.*/)?rkkp/{DATED}karbase(_v\d)?(_?\d{{4}})?{FORMS}",
    encoding="cp1252",
    fields=(
        person(also=("reg_cpr",)),
        Field("hospital", Type.CODE, aliases=("org_rap", "reg_afdeling"), pattern=r"[0-9A-Z]{4,7}"),
        Field("operated", aliases=("beh_dato", "beh_operationsdato")),
        Field("operation", Type.CODE, aliases=("beh_operation",), filled=True, pattern=r"KP[A-Z0-9]{2,6}"),
        Field("side", Type.CODE, aliases=("beh_side",), values=SIDES, required=False),
        Field("variables", Type.WIDE, gathers=r"(?:reg|beh|rec|fu)_(\w+)", renamed=renamed("karbase")),
    ),
    derived={"operated_on": DerivedColumn(Type.DATE, ("operated",), text_date)},
    events=(
        Event(
            {
                "time_start": "CAST(row.operated_on AS TIMESTAMP_NTZ)",
                "domain": "'procedure'",
                "code_system": "'SKS'",
                "code_raw": "row.operation",
                "code": prefixed("SKS", "row.operation"),
                "value_text": "row.side",
                "place": "row.hospital",
                "setting": f"{Setting.INPATIENT:d}",
            }
        ),
        variables("KARBASE", "row.operated_on", "row.hospital"),
    ),
)
DIABETES = Table(
    name="rkkp_dvdd",
    files=rf"(.*/)?rkkp/{DATED}(dvdd|dadr)(_?\d{{4}})?{FORMS}",
    encoding="cp1252",
    fields=(
        person(also=("reg_cpr",)),
        Field("hospital", Type.CODE, aliases=("org_rap",), required=False, pattern=r"[0-9A-Z]{4,7}"),
        Field("year", Type.INTEGER, aliases=("aar", "reg_aar"), filled=True),
        Field("status_date", aliases=("fu_statusdato", "fu_dato"), required=False),
        Field("variables", Type.WIDE, gathers=r"(?:reg|beh|rec|fu)_(\w+)", renamed=renamed("dvdd")),
    ),
    derived={"status_on": DerivedColumn(Type.DATE, ("status_date",), text_date)},
    events=(variables("DVDD", "coalesce(row.status_on, make_date(row.year, 12, 31))", "row.hospital"),),
)
SOURCE = Source(name="rkkp", format="danish", identifier="cpr", tables=(KARBASE, DIABETES), levels=True)
