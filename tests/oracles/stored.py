"""The conversion of delivered texts in SQL, as Spark does it: what silver's own conversion is held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.declarations.convert import LOCAL, MOJIBAKE, MONTHS, NUMBER_FORMS, SENTINELS, week_sql
from lakehouse.declarations.schema import TOKENS, Field, Table, Type
from lakehouse.sources.epj_measured import COMPONENTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SQL_TYPES = {
    Type.DATE: "DATE",
    Type.WEEK: "DATE",
    Type.WIDE: "ARRAY<STRUCT<first STRING, last STRING, value STRING>>",
    Type.TIMESTAMP: "TIMESTAMP_NTZ",
    Type.NUMBER: "DOUBLE",
    Type.INTEGER: "BIGINT",
}


def sql_type(field: Field) -> str:
    """Spark type of a silver column."""
    return SQL_TYPES.get(field.type, "STRING")


def text_literal(text: str) -> str:
    """A Python text as an SQL raw string literal."""
    if '"' in text:
        raise ValueError("no double quotes in declared texts")
    return f'r"{text}"'


def stored(field: Field, decimal: str) -> str:
    """SQL that converts what pseudonymisation let through. The first branch is what nearly every row takes."""
    text = f"`{field.name}`"
    match field.type:
        case Type.DATE:
            return date_sql(text, field.sas)
        case Type.WEEK:
            return week_sql(text)
        case Type.TIME:
            return time_sql(text)
        case Type.TIMESTAMP:
            return timestamp_sql(text, field.sas)
        case Type.WIDE:
            return wide_sql(text)
        case Type.NUMBER:
            return number_sql(text, decimal)
        case Type.INTEGER:
            return f"CAST({text} AS BIGINT)"
        case Type.CODE:
            return coded_sql(field, f"upper({text})")
        case Type.TEXT:
            return coded_sql(field, repaired(text))
        case _ if field.type in (*TOKENS, Type.VERBATIM):
            return text
    raise ValueError(f"{field.name} has the unknown type {field.type}")


def coded_sql(field: Field, text: str) -> str:
    """Text as the field declares it: leading zeros restored, delivered values mapped to stored ones."""
    if field.pad:
        text = f"CASE WHEN length({text}) < {field.pad} THEN lpad({text}, {field.pad}, '0') ELSE {text} END"
    if field.values:
        whens = " ".join(
            f"WHEN {text_literal(source)} THEN {text_literal(kept)}" for source, kept in field.values.items()
        )
        text = f"CASE {text} {whens} END"
    return text


def repaired(text: str) -> str:
    """Text with one layer of mojibake undone where it shows."""
    back = f"decode(encode({text}, 'windows-1252'), 'UTF-8')"
    suspicious = f"(contains({text}, 'Ã') OR contains({text}, 'Â'))"
    return f"CASE WHEN {suspicious} AND {text} RLIKE {text_literal(MOJIBAKE.pattern)} THEN {back} ELSE {text} END"


def date_sql(text: str, sas: bool = False) -> str:
    """SQL of a date, with the registers' sentinels as null."""
    sentinels = ", ".join(f"'{day}'" for day in SENTINELS)
    iso = f"({iso_sql(text, sas)})"
    plain = f"{text} IS NOT NULL AND substr({text}, 5, 1) = '-' AND length({text}) = 10"
    return (
        f"CASE WHEN {text} IN ({sentinels}) THEN NULL WHEN {plain} THEN CAST({text} AS DATE) "
        f"WHEN {text} IS NOT NULL AND {iso} NOT IN ({sentinels}) THEN CAST({iso} AS DATE) END"
    )


def iso_sql(text: str, sas: bool) -> str:
    """SQL of a day in any delivered form as yyyy-mm-dd."""

    def cut(*spans: tuple[int, int]) -> str:
        return "concat_ws('-', " + ", ".join(f"substr({text}, {at}, {long})" for at, long in spans) + ")"

    named = " ".join(f"WHEN '{name}' THEN '{number:02d}'" for number, name in enumerate(MONTHS, 1))
    month = f"CASE upper(substr({text}, 3, 3)) {named} END"
    days = f"WHEN length({text}) < 8 THEN CAST(date_add(DATE'1960-01-01', CAST({text} AS INT)) AS STRING) "
    return (
        f"CASE WHEN substr({text}, 5, 1) = '-' THEN substr({text}, 1, 10) "
        + (days if sas else "")
        + f"WHEN length({text}) = 8 THEN {cut((1, 4), (5, 2), (7, 2))} "
        f"WHEN length({text}) = 9 THEN concat_ws('-', substr({text}, 6, 4), {month}, substr({text}, 1, 2)) "
        f"ELSE {cut((7, 4), (4, 2), (1, 2))} END"
    )


def time_sql(text: str) -> str:
    """SQL of a clock time as HH:MM:SS; 24 o'clock is midnight, of an unknown time."""
    full = f"CASE WHEN length({text}) = 5 THEN concat({text}, ':00') ELSE {text} END"
    padded = (
        f"CASE WHEN length({text}) < 3 THEN concat(lpad({text}, 2, '0'), '00') ELSE lpad({text}, 4, '0') END"
    )
    bare = f"concat_ws(':', substr({padded}, 1, 2), substr({padded}, 3, 2), '00')"
    return (
        f"CASE WHEN {text} IS NULL THEN NULL WHEN contains({text}, ':') AND {text} < '24' THEN {full} "
        f"WHEN contains({text}, ':') OR {text} IN ('24', '2400') THEN '00:00:00' ELSE {bare} END"
    )


def timestamp_sql(text: str, sas: bool = False) -> str:
    """SQL of a moment without a zone, on the Danish clock; sentinels are null."""
    sentinels = ", ".join(f"'{day}'" for day in SENTINELS)
    start = f"CASE WHEN {text} RLIKE '^[0-9]{{8}}' THEN 8 WHEN {text} RLIKE '^[0-9]{{2}}[A-Za-z]' THEN 9 ELSE 10 END"
    day = f"left({text}, {start})"
    clock = f"substr({text}, {start} + 2)"
    local = f"CAST(from_utc_timestamp(CAST({text} AS TIMESTAMP), '{LOCAL.key}') AS TIMESTAMP_NTZ)"
    seconds = f"timestampadd(SECOND, CAST({text} AS BIGINT), TIMESTAMP_NTZ'1960-01-01 00:00:00')"
    at = iso_sql(day, False)
    return (
        f"CASE WHEN {text} IS NULL OR left({text}, 10) IN ({sentinels}) THEN NULL "
        + (f"WHEN {text} RLIKE '^-?[0-9]{{1,11}}$' THEN {seconds} " if sas else "")
        + f"WHEN {text} RLIKE 'T.*(Z|[+-][0-9]{{2}}:[0-9]{{2}})$' THEN {local} "
        f"WHEN substr({text}, 5, 1) = '-' THEN CAST({text} AS TIMESTAMP_NTZ) "
        f"WHEN {at} IN ({sentinels}) THEN NULL "
        f"ELSE CAST(concat_ws(' ', {at}, CASE WHEN {clock} <> '' THEN {clock} END) AS TIMESTAMP_NTZ) END"
    )


def wide_sql(text: str) -> str:
    """SQL of a gathered list as structs."""
    cells = f"from_json({text}, 'ARRAY<ARRAY<STRING>>')"
    return f"transform({cells}, x -> named_struct('first', x[0], 'last', x[1], 'value', x[2]))"


def number_sql(text: str, decimal: str) -> str:
    """SQL of a number with the declared decimal sign."""
    if decimal == ".":
        return f"CAST({text} AS DOUBLE)"
    return f"CAST(replace(replace({text}, '.', ''), ',', '.') AS DOUBLE)"


def number_or_null(text: str) -> str:
    """SQL of a number with a decimal comma out of a text that need not be one."""
    form = text_literal(f"^(?:{NUMBER_FORMS[','].pattern})$")
    return f"CASE WHEN {text} RLIKE {form} THEN {number_sql(text, ',')} END"


BARE = 'CASE WHEN value < "A" THEN ltrim("<>= ", value) ELSE value END'
BOUND = (
    "CASE WHEN left(value, 1) IN ('<', '>') THEN left(value, 1) "
    "WHEN operator IN ('<', '>') THEN operator ELSE '=' END"
)
TEXT_DATE = "CASE WHEN length({0}) = 10 THEN try_to_date({0}, 'dd/MM/yyyy') END"
FRACTION = "try_cast(replace(replace(vaf, '%', ''), ',', '.') AS DOUBLE) / IF(contains(vaf, '%'), 100, 1)"
PARENT = "CASE length(trim(place)) WHEN 7 THEN left(trim(place), 6) WHEN 6 THEN left(trim(place), 4) END"
COMPONENT = f"CASE upper(component) {' '.join(f'WHEN {name!r} THEN {code!r}' for name, code in COMPONENTS.items())} END"


def results(analysis: str) -> dict[str, str]:
    """SQL of what is read out of a laboratory result; ``analysis`` is SQL of its code."""
    return {
        "number": number_or_null(BARE),
        "bound": BOUND,
        "low": number_or_null("reference_low"),
        "high": number_or_null("reference_high"),
        "unit_key": f"concat({analysis}, '|', coalesce(unit, ''))",
    }


DERIVED: dict[str, dict[str, str]] = {
    "lab_labka": results("upper(analysis)"),
    "lab_results": results("upper(analysis)"),
    "lab_medcom": results("upper(analysis)"),
    "epj_results": {"analysis": f"coalesce({COMPONENT}, upper(component))"} | results(COMPONENT),
    "epj_doses": {"dose_number": number_or_null("dose")},
    "smr_doses": {"dose_number": number_or_null("dose")},
    "rkkp_karbase": {"operated_on": TEXT_DATE.format("operated")},
    "rkkp_dvdd": {"status_on": TEXT_DATE.format("status_date")},
    "research_variants": {"fraction": FRACTION},
    "shak_units": {"parent": PARENT},
    "dst_faik": {
        "valid_from": "make_date(CAST(year AS INT), 1, 1)",
        "valid_to": "make_date(CAST(year AS INT), 12, 31)",
    },
}
"""SQL of the derived columns of every table that has any."""


def silver_by_sql(bronze: DataFrame, table: Table) -> DataFrame:
    """Silver of a bronze table as Spark makes it."""
    columns = [
        f"CAST({stored(field, table.decimal)} AS {sql_type(field)}) AS `{field.name}`"
        for field in table.fields
        if field.type is not Type.RESTRICTED
    ]
    columns += [
        f"CAST({DERIVED[table.name][name]} AS {SQL_TYPES.get(each.type, 'STRING')}) AS `{name}`"
        for name, each in table.derived.items()
    ]
    rows = bronze.where("fault IS NULL")
    return rows.selectExpr("file_id", "row_number", "delivered", "remarks", *columns)
