"""Delivered text to typed values: what counts as a value (decided at the door), and how silver converts it.

Two halves of one rule. :func:`fault_finder` looks at each distinct text once, in Python, and says why it is no
value. :func:`stored` is SQL that converts every text the first half lets through; it casts without mercy, so a
text the halves disagree on stops the ingest and is never silently null.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable

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
DATE_FORMS = (
    (re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[ T]00:00(?::00(?:\.0+)?)?)?", re.ASCII), (1, 2, 3)),
    (re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII), (1, 2, 3)),
    (re.compile(r"(\d\d)[./-](\d\d)[./-](\d{4})", re.ASCII), (3, 2, 1)),
)
"""ISO (also with a midnight behind it), YYYYMMDD, and day first; with the places of year, month and day."""
TIME_FORM = re.compile(r"(?:(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?|24:00(?::00)?)", re.ASCII)
TIMESTAMP_FORM = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?", re.ASCII)
NUMBER_FORMS = {
    ",": re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?", re.ASCII),
    ".": re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII),
}
"""With a decimal comma a dot may only group thousands; nothing is guessed."""
INTEGER_FORM = re.compile(r"[+-]?\d{1,18}", re.ASCII)


def as_date(text: str) -> datetime.date | None:
    """The date a text stands for, None when it is none."""
    for form, places in DATE_FORMS:
        if found := form.fullmatch(text):
            try:
                return datetime.date(*(int(found[place]) for place in places))
            except ValueError:
                return None
    return None


def is_date(text: str) -> bool:
    """Whether a text is a date in the calendar."""
    return as_date(text) is not None


def is_kept_date(text: str) -> bool:
    """Whether a text is a date that stands for a day, not for "none"."""
    date = as_date(text)
    return date is not None and date.isoformat() not in SENTINELS


def is_timestamp(text: str) -> bool:
    """Whether a text is a moment in ISO form, without a zone."""
    try:
        return TIMESTAMP_FORM.fullmatch(text) is not None and bool(datetime.datetime.fromisoformat(text))
    except ValueError:
        return False


def fault_finder(field: Field, decimal: str) -> Callable[[str], bool] | None:
    """What says of a text (not empty, without blanks around it) that it is no value; None when any text is one."""
    valid: Callable[[str], object]
    match field.type:
        case Type.DATE:
            valid = is_kept_date if field.filled else is_date
        case Type.TIME:
            valid = TIME_FORM.fullmatch
        case Type.TIMESTAMP:
            valid = is_timestamp
        case Type.NUMBER:
            valid = NUMBER_FORMS[decimal].fullmatch
        case Type.INTEGER:
            valid = INTEGER_FORM.fullmatch
        case _:
            return text_fault_finder(field)
    return lambda text: not valid(text)


def text_fault_finder(field: Field) -> Callable[[str], bool] | None:
    """The same for texts and codes, which are bad only where a declaration restricts them."""
    if not field.pattern and not field.values:
        return None
    pattern = re.compile(field.pattern or ".*", re.ASCII)

    def faulty(text: str) -> bool:
        coded = text.upper() if field.type is Type.CODE else text
        coded = coded.zfill(field.pad) if field.pad else coded
        if field.values:
            return coded not in field.values
        return pattern.fullmatch(coded) is None

    return faulty


def sql_type(field: Field) -> str:
    """Spark type of a silver column."""
    return SQL_TYPES.get(field.type, "STRING")


def text_literal(text: str) -> str:
    """A Python text as an SQL raw string literal."""
    if '"' in text:
        raise ValueError("no double quotes in declared texts")
    return f'r"{text}"'


def stored(field: Field, decimal: str) -> str:
    """SQL that converts what the door let through. The first branch is what nearly every row takes."""
    text = f"`{field.name}`"
    match field.type:
        case Type.DATE:
            return date_sql(text)
        case Type.TIME:
            full = f"CASE WHEN length({text}) = 5 THEN concat({text}, ':00') ELSE {text} END"
            return f"CASE WHEN {text} < '24' THEN {full} WHEN {text} IS NOT NULL THEN '00:00:00' END"
        case Type.TIMESTAMP:
            return f"CAST({text} AS TIMESTAMP_NTZ)"
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
    return f"CASE WHEN {suspicious} AND {text} RLIKE {text_literal(MOJIBAKE)} THEN {back} ELSE {text} END"


def date_sql(text: str) -> str:
    """SQL of a date, with the registers' sentinels as null."""

    def cut(*spans: tuple[int, int]) -> str:
        return "concat_ws('-', " + ", ".join(f"substr({text}, {at}, {long})" for at, long in spans) + ")"

    iso = (
        f"CASE WHEN substr({text}, 5, 1) = '-' THEN substr({text}, 1, 10) "
        f"WHEN length({text}) = 8 THEN {cut((1, 4), (5, 2), (7, 2))} "
        f"ELSE {cut((7, 4), (4, 2), (1, 2))} END"
    )
    sentinels = ", ".join(f"'{day}'" for day in SENTINELS)
    plain = f"{text} IS NOT NULL AND substr({text}, 5, 1) = '-' AND length({text}) = 10"
    return (
        f"CASE WHEN {text} IN ({sentinels}) THEN NULL WHEN {plain} THEN CAST({text} AS DATE) "
        f"WHEN {text} IS NOT NULL AND {iso} NOT IN ({sentinels}) THEN CAST({iso} AS DATE) END"
    )


def number_sql(text: str, decimal: str) -> str:
    """SQL of a number with the declared decimal sign."""
    if decimal == ".":
        return f"CAST({text} AS DOUBLE)"
    return f"CAST(replace(replace({text}, '.', ''), ',', '.') AS DOUBLE)"


def number_or_null(text: str) -> str:
    """SQL of a number with a decimal comma out of a text that need not be one."""
    form = text_literal(f"^(?:{NUMBER_FORMS[','].pattern})$")
    return f"CASE WHEN {text} RLIKE {form} THEN {number_sql(text, ',')} END"
