"""Statistics Denmark's yearly registers: population, family income, income, education, attachment to work."""

from __future__ import annotations

import datetime

from lakehouse.data_model import Setting
from lakehouse.declarations.geography import municipality_sql
from lakehouse.declarations.helpers import codelist, person, prefixed, translated
from lakehouse.declarations.schema import (
    DATED,
    FORMS,
    DerivedColumn,
    Event,
    Facts,
    Field,
    Join,
    Source,
    Table,
    Type,
)

HERE = {"setting": f"{Setting.REGISTER:d}"}
YEAR = Field("year", Type.INTEGER, aliases=("aar", "referenceaar"), filled=True)
IN_YEAR = "CAST(make_date(row.year, 1, 1) AS TIMESTAMP_NTZ)"
FAMILY = Field("family_id", Type.KEY, aliases=("familie_id",), required=False, domain="family")
AT_HOME = municipality_sql("row.municipality", "row.reference_date")
LEVELS = {row["code"]: row["level"] for row in codelist("disced")}


def files(name: str) -> str:
    """Where a yearly register may lie; the year in the name is not read."""
    return rf"(.*/)?dst/{DATED}{name}(_?\d{{4}}(\d{{2}})?)?{FORMS}"


def new_years_day(year: str | None) -> datetime.date | None:
    """First day of a year; None of what is no year."""
    return datetime.date(int(year), 1, 1) if year and 1 <= int(year) <= 9999 else None


def last_day(year: str | None) -> datetime.date | None:
    """The year's last day."""
    first = new_years_day(year)
    return first and first.replace(month=12, day=31)


POPULATION = Table(
    name="dst_bef",
    files=files("bef"),
    encoding="cp1252",
    fields=(
        person(),
        Field("reference_date", Type.DATE, aliases=("referencetid",), filled=True, sas=True),
        Field("sex", Type.CODE, aliases=("koen",), values={"1": "M", "2": "F", "9": "U"}),
        Field("birth_date", Type.DATE, aliases=("foed_dag", "foed_dato"), sas=True),
        Field("municipality", Type.CODE, aliases=("kom",), pad=3, pattern=r"0?\d{3}"),
        Field("region", Type.CODE, aliases=("reg",), required=False),
        Field("civil_status", Type.CODE, aliases=("civst",), required=False, pattern=r"[UGFEPOLD9]"),
        FAMILY,
        Field("family_kind", Type.CODE, aliases=("familie_type",), required=False),
        Field("family_size", Type.INTEGER, aliases=("antpersf",), required=False),
        Field("origin_kind", Type.CODE, aliases=("ie_type",), required=False, pattern=r"[1239]"),
        Field("origin_country", Type.CODE, aliases=("opr_land",), required=False),
    ),
    facts=(Facts({"sex": "nullif(sex, 'U')", "birth_date": "birth_date"}),),
    events=(
        Event(
            HERE
            | {
                "time_start": "CAST(row.reference_date AS TIMESTAMP_NTZ)",
                "domain": "'administrative'",
                "code_system": "'BEF'",
                "code_raw": "row.municipality",
                "code": prefixed("BEF", f"concat('KOM//', {AT_HOME})"),
                "value_text": "row.civil_status",
                "value_num": "income.equivalised",
                "place": "right(row.municipality, 3)",
            },
            joins=(
                Join(
                    "income",
                    "family_id",
                    "family_id",
                    at="row.reference_date",
                    valid=("valid_from", "valid_to"),
                ),
            ),
        ),
    ),
)
"""Where a person lived on the reference date, with the family's disposable income of that year, kroner."""
FAMILY_INCOME = Table(
    name="dst_faik",
    files=files("faik"),
    encoding="cp1252",
    role="income",
    fields=(
        Field("family_id", Type.KEY, aliases=("familie_id",), filled=True, domain="family"),
        YEAR,
        Field("equivalised", Type.NUMBER, aliases=("famaekvivadisp_13",)),
    ),
    derived={
        "valid_from": DerivedColumn(Type.DATE, ("year",), new_years_day),
        "valid_to": DerivedColumn(Type.DATE, ("year",), last_day),
    },
)
INCOME = Table(
    name="dst_ind",
    files=files("ind"),
    encoding="cp1252",
    fields=(
        person(),
        YEAR,
        Field("income", Type.NUMBER, aliases=("perindkialt_13",), filled=True),
        Field("wage", Type.NUMBER, aliases=("loenmv_13",), required=False),
        Field("transfers", Type.NUMBER, aliases=("off_overforsel_13",), required=False),
    ),
    events=(
        Event(
            HERE
            | {
                "time_start": IN_YEAR,
                "time_precision": "'year'",
                "domain": "'administrative'",
                "code_system": "'IND'",
                "code": "'IND//PERSONAL'",
                "value_num": "row.income",
                "unit": "'DKK'",
            }
        ),
    ),
)
EDUCATION = Table(
    name="dst_udda",
    files=files("udda"),
    encoding="cp1252",
    fields=(
        person(),
        YEAR,
        Field("education", Type.CODE, aliases=("hfaudd",), filled=True, pad=4, pattern=r"\d{4}"),
    ),
    events=(
        Event(
            HERE
            | {
                "time_start": IN_YEAR,
                "time_precision": "'year'",
                "domain": "'social'",
                "code_system": "'EDUCATION'",
                "code_raw": "row.education",
                "code": prefixed("EDUCATION", f"coalesce({translated('row.education', LEVELS)}, '90')"),
            }
        ),
    ),
)
"""The code names an education and tells no level; levels come from a table, 90 is unknown."""
WORK = Table(
    name="dst_akm",
    files=files("akm"),
    encoding="cp1252",
    fields=(
        person(),
        YEAR,
        Field("attachment", Type.CODE, aliases=("socio13",), filled=True, pad=3, pattern=r"\d{3}"),
        Field("occupation", Type.CODE, aliases=("disco08_alle_indk_13", "disco08"), required=False),
        Field("industry", Type.CODE, aliases=("nace_db07_13",), required=False),
    ),
    events=(
        Event(
            HERE
            | {
                "time_start": IN_YEAR,
                "time_precision": "'year'",
                "domain": "'social'",
                "code_system": "'AKM'",
                "code_raw": "row.attachment",
                "code": prefixed("AKM", "row.attachment"),
            }
        ),
    ),
)
SOURCE = Source(
    name="dst",
    format="danish",
    identifier="cpr",
    tables=(POPULATION, FAMILY_INCOME, INCOME, EDUCATION, WORK),
    levels=True,
)
