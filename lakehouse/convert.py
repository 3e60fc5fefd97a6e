"""Delivered text to typed values, as SQL: strict, locale-aware, never silently null."""

from __future__ import annotations

from lakehouse.schema import TOKENS, Field, Type

SQL_TYPES = {
    Type.DATE: "DATE",
    Type.TIMESTAMP: "TIMESTAMP_NTZ",
    Type.NUMBER: "DOUBLE",
    Type.INTEGER: "BIGINT",
}
"""Types of silver columns; all others are STRING."""
SENTINELS = ("2500-01-01", "9999-12-31", "1899-12-30", "1899-12-31", "1900-01-01")
"""Dates registers write for "none"."""
MOJIBAKE = "[ÃÂ][\u0080-\u00bf†˜…™Œœ‚ƒ„‡ˆ‰Š‹Žž‘’“”•–—š›Ÿ]"
"""UTF-8 read as Windows-1252 somewhere on the way."""


def sql_type(field: Field) -> str:
    """Spark type of a silver column."""
    return SQL_TYPES.get(field.type, "STRING")


def text_literal(text: str) -> str:
    """A Python text as an SQL raw string literal."""
    if '"' in text:
        raise ValueError("no double quotes in declared texts")
    return f'r"{text}"'


def raw(field: Field) -> str:
    """The delivered text of a field without surrounding blanks; null when nothing stood there."""
    return (
        f"`{field.name}`" if field.type in (*TOKENS, Type.VERBATIM) else f"nullif(trim(`{field.name}`), '')"
    )


def converted(field: Field, decimal: str) -> str:
    """SQL that gives the typed value of any text; null for most that is no such value (see :func:`fault`)."""
    text = raw(field)
    match field.type:
        case Type.PERSON | Type.KEY | Type.VERBATIM:
            return text
        case Type.DATE:
            return as_date(text)
        case Type.TIME:
            return as_time(text)
        case Type.TIMESTAMP:
            return f"try_cast({text} AS TIMESTAMP_NTZ)"
        case Type.NUMBER:
            return as_number(text, decimal)
        case Type.INTEGER:
            return f"CASE WHEN {text} RLIKE {text_literal('^[+-]?[0-9]{1,18}$')} THEN try_cast({text} AS BIGINT) END"
        case Type.CODE:
            return coded(field, f"upper({text})")
        case _:
            return coded(field, repaired(text))


def coded(field: Field, text: str) -> str:
    """Text as the field declares it: leading zeros restored, delivered values mapped to stored ones."""
    if field.pad:
        text = f"CASE WHEN length({text}) < {field.pad} THEN lpad({text}, {field.pad}, '0') ELSE {text} END"
    if field.values:
        whens = " ".join(
            f"WHEN {text_literal(source)} THEN {text_literal(stored)}"
            for source, stored in field.values.items()
        )
        text = f"CASE {text} {whens} END"
    return text


def repaired(text: str) -> str:
    """Text with one layer of mojibake undone where it shows."""
    back = f"decode(encode({text}, 'windows-1252'), 'UTF-8')"
    suspicious = f"(contains({text}, 'Ã') OR contains({text}, 'Â'))"
    return f"CASE WHEN {suspicious} AND {text} RLIKE {text_literal(MOJIBAKE)} THEN {back} ELSE {text} END"


def as_date(text: str) -> str:
    """Dates in ISO form, YYYYMMDD, or day first with dots, slashes or hyphens.

    The first branch is what nearly every row takes, so it needs no regular expression.
    """
    moment, compact, local = (
        text_literal(pattern)
        for pattern in (
            r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]00:00(:00([.]0+)?)?$",
            r"^[0-9]{8}$",
            r"^[0-9]{2}[./-][0-9]{2}[./-][0-9]{4}$",
        )
    )

    def cut(*spans: tuple[int, int]) -> str:
        parts = ", ".join(f"substr({text}, {start}, {length})" for start, length in spans)
        return f"try_cast(concat_ws('-', {parts}) AS DATE)"

    return (
        f"CASE WHEN length({text}) = 10 AND substr({text}, 5, 1) = '-' THEN try_cast({text} AS DATE) "
        f"WHEN {text} RLIKE {moment} THEN {cut((1, 10))} "
        f"WHEN {text} RLIKE {compact} THEN {cut((1, 4), (5, 2), (7, 2))} "
        f"WHEN {text} RLIKE {local} THEN {cut((7, 4), (4, 2), (1, 2))} END"
    )


def as_time(text: str) -> str:
    """Clock times as HH:MM:SS; 24:00 is the register's way to write midnight."""
    full = f"CASE WHEN {text} RLIKE {text_literal('^[0-9]{2}:[0-9]{2}$')} THEN concat({text}, ':00') ELSE {text} END"
    valid = text_literal("^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$")
    return f"CASE WHEN {full} = '24:00:00' THEN '00:00:00' WHEN {full} RLIKE {valid} THEN {full} END"


def as_number(text: str, decimal: str) -> str:
    """Numbers with the declared decimal sign. With a comma, a dot may only group thousands; nothing is guessed."""
    if decimal == ".":
        plain = text_literal(r"^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?$")
        return f"CASE WHEN {text} RLIKE {plain} THEN try_cast({text} AS DOUBLE) END"
    local = text_literal(r"^[+-]?([0-9]{1,3}([.][0-9]{3})+|[0-9]+)(,[0-9]+)?$")
    return (
        f"CASE WHEN {text} RLIKE {local} "
        f"THEN try_cast(replace(replace({text}, '.', ''), ',', '.') AS DOUBLE) END"
    )


def stored(field: Field, decimal: str) -> str:
    """What silver keeps: the converted value, with the registers' sentinel dates as null."""
    value = converted(field, decimal)
    if field.type is Type.DATE:
        dates = ", ".join(f"DATE'{day}'" for day in SENTINELS)
        return f"CASE WHEN {value} NOT IN ({dates}) THEN {value} END"
    return value


def broken(field: Field, decimal: str) -> str | None:
    """SQL that is true where a text stands that is no value of the field; None when any text is one."""
    tests = []
    if field.values or field.type in (*SQL_TYPES, Type.TIME):
        tests.append(f"{stored(field, decimal) if field.filled else converted(field, decimal)} IS NULL")
    if field.pattern:
        tests.append(f"NOT {converted(field, decimal)} RLIKE {text_literal(f'^(?:{field.pattern})$')}")
    return f"({raw(field)} IS NOT NULL AND ({' OR '.join(tests)}))" if tests else None


def fault(field: Field, decimal: str) -> str | None:
    """SQL that is a reason code when the field spoils its row, else null; None when it never can."""
    whens = []
    if field.filled and field.type is not Type.PERSON:
        whens.append(f"WHEN {raw(field)} IS NULL THEN 'missing_{field.name}'")
    if test := broken(field, decimal):
        whens.append(f"WHEN {test} THEN 'bad_{field.name}'")
    return f"CASE {' '.join(whens)} END" if whens else None
