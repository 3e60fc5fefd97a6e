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
    """SQL that gives the typed value, or null where the text is no such value."""
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
    """Text held to what the field declares: padding, value map, pattern."""
    if field.pad:
        text = f"CASE WHEN length({text}) < {field.pad} THEN lpad({text}, {field.pad}, '0') ELSE {text} END"
    if field.values:
        whens = " ".join(
            f"WHEN {text_literal(source)} THEN {text_literal(stored)}"
            for source, stored in field.values.items()
        )
        text = f"CASE {text} {whens} END"
    if field.pattern:
        text = f"CASE WHEN {text} RLIKE {text_literal(f'^(?:{field.pattern})$')} THEN {text} END"
    return text


def repaired(text: str) -> str:
    """Text with one layer of mojibake undone where it shows."""
    back = f"decode(encode({text}, 'windows-1252'), 'UTF-8')"
    return f"CASE WHEN {text} RLIKE {text_literal(MOJIBAKE)} THEN {back} ELSE {text} END"


def as_date(text: str) -> str:
    """Dates in ISO form, YYYYMMDD, or day first with dots, slashes or hyphens; sentinels become null later."""
    iso, compact, local = (
        text_literal(pattern)
        for pattern in (
            r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T]00:00(:00([.]0+)?)?)?$",
            r"^[0-9]{8}$",
            r"^[0-9]{2}[./-][0-9]{2}[./-][0-9]{4}$",
        )
    )
    return (
        f"CASE WHEN {text} RLIKE {iso} THEN try_cast(substr({text}, 1, 10) AS DATE) "
        f"WHEN {text} RLIKE {compact} THEN try_cast(concat_ws('-', substr({text}, 1, 4), substr({text}, 5, 2), "
        f"substr({text}, 7, 2)) AS DATE) "
        f"WHEN {text} RLIKE {local} THEN try_cast(concat_ws('-', substr({text}, 7, 4), substr({text}, 4, 2), "
        f"substr({text}, 1, 2)) AS DATE) END"
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


def fault(field: Field, decimal: str) -> str | None:
    """SQL that is a reason code when the field spoils its row, else null; None when it never can."""
    whens = []
    if field.filled and field.type is not Type.PERSON:
        whens.append(f"WHEN {raw(field)} IS NULL THEN 'missing_{field.name}'")
    checked = field.pattern or field.values or field.type in (*SQL_TYPES, Type.TIME)
    if checked:
        whens.append(
            f"WHEN {raw(field)} IS NOT NULL AND {converted(field, decimal)} IS NULL THEN 'bad_{field.name}'"
        )
    return f"CASE {' '.join(whens)} END" if whens else None
