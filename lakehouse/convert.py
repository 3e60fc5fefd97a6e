"""Delivered text to typed values: what counts as a value (decided at the door), and how silver converts it.

Two halves of one rule. :func:`fault_finder` looks at each distinct text once, in Python, and says why it is no
value. :func:`stored` is SQL that converts every text the first half lets through; it casts without mercy, so a
text the halves disagree on stops the ingest and is never silently null.
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from collections.abc import Callable

from lakehouse.schema import TOKENS, Field, Type
from lakehouse.wide import cells_of

SQL_TYPES = {
    Type.DATE: "DATE",
    Type.WEEK: "DATE",
    Type.WIDE: "ARRAY<STRUCT<first STRING, last STRING, value STRING>>",
    Type.TIMESTAMP: "TIMESTAMP_NTZ",
    Type.NUMBER: "DOUBLE",
    Type.INTEGER: "BIGINT",
}
"""Types of silver columns; all others are STRING."""
SENTINELS = ("2500-01-01", "9999-12-31", "1899-12-30", "1899-12-31", "1900-01-01")
"""Dates registers write for "none"."""
MOJIBAKE = "[ÃÂ][\u0080-\u00bf†˜…™Œœ‚ƒ„‡ˆ‰Š‹Žž‘’“”•–—š›Ÿ]"
"""UTF-8 read as Windows-1252 somewhere on the way."""
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DATE_FORMS = (
    (re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[ T]00:00(?::00(?:\.0+)?)?)?", re.ASCII), (1, 2, 3)),
    (re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII), (1, 2, 3)),
    (re.compile(r"(\d\d)[./-](\d\d)[./-](\d{4})", re.ASCII), (3, 2, 1)),
    (re.compile(rf"(\d\d)({'|'.join(MONTHS)})(\d{{4}})", re.ASCII | re.IGNORECASE), (3, 2, 1)),
)
"""ISO (also with a midnight behind it), YYYYMMDD, day first, and 16MAR2020; with the places of year, month and day."""
SAS_FORM = re.compile(r"-?\d{1,6}", re.ASCII)
"""Days since 1960-01-01, where a field is declared so."""
SAS_SECONDS_FORM = re.compile(r"-?\d{1,11}", re.ASCII)
SAS_EPOCH = datetime.datetime(1960, 1, 1)
WEEK_FORM = re.compile(r"(\d{1,2}|\d{4})-?W?(\d\d)", re.ASCII | re.IGNORECASE)
WEEK_PIVOT = 70
"""Two-digit years from here on are of the 1900s."""
TIME_FORM = re.compile(
    r"(?:(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?|24:00(?::00)?|(?:[01]?\d|2[0-4])|(?:[01]?\d|2[0-3])[0-5]\d|2400)",
    re.ASCII,
)
"""Clock times; also a bare hour from 0 to 24, and HHMM without its colon or its leading zero."""
CLOCK = r"(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?"
TIMESTAMP_FORMS = (
    re.compile(rf"\d{{4}}-\d\d-\d\d{CLOCK}", re.ASCII),
    re.compile(rf"\d{{8}}{CLOCK}", re.ASCII),
    re.compile(rf"\d\d[./-]\d\d[./-]\d{{4}}{CLOCK}", re.ASCII),
    re.compile(rf"\d\d(?:{'|'.join(MONTHS)})\d{{4}}(?::\d\d:\d\d(?::\d\d)?)?", re.ASCII | re.IGNORECASE),
)
ZONED_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
LOCAL = zoneinfo.ZoneInfo("Europe/Copenhagen")
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
            year, month, day = (found[place] for place in places)
            number = int(month) if month.isdigit() else MONTHS.index(month.upper()) + 1
            try:
                return datetime.date(int(year), number, int(day))
            except ValueError:
                return None
    return None


def as_sas_date(text: str) -> datetime.date | None:
    """The same where a bare integer counts days since 1960."""
    if SAS_FORM.fullmatch(text):
        try:
            return SAS_EPOCH.date() + datetime.timedelta(int(text))
        except OverflowError:
            return None
    return as_date(text)


def as_week(text: str) -> datetime.date | None:
    """Monday of the ISO week a text names, None when it names none."""
    found = WEEK_FORM.fullmatch(text)
    if found is None:
        return None
    year = int(found[1])
    if len(found[1]) <= 2:
        year += 1900 if year >= WEEK_PIVOT else 2000
    try:
        return datetime.date.fromisocalendar(year, int(found[2]), 1)
    except ValueError:
        return None


def as_timestamp(text: str, sas: bool = False) -> datetime.datetime | None:
    """The moment a text stands for, on the Danish clock; None when it is none."""
    if sas and SAS_SECONDS_FORM.fullmatch(text):
        try:
            return SAS_EPOCH + datetime.timedelta(seconds=int(text))
        except OverflowError:
            return None
    try:
        if ZONED_FORM.fullmatch(text):
            return datetime.datetime.fromisoformat(text).astimezone(LOCAL).replace(tzinfo=None)
        for form, length in zip(TIMESTAMP_FORMS, (10, 8, 10, 9), strict=True):
            if form.fullmatch(text):
                day, clock = as_date(text[:length]), text[length + 1 :]
                time = datetime.time.fromisoformat(clock) if clock else datetime.time()
                return None if day is None else datetime.datetime.combine(day, time)
    except (ValueError, OverflowError):
        return None
    return None


def date_fault_finder(field: Field) -> Callable[[str], bool]:
    """What says of a text that it is no day; in a column that must be filled also that it stands for "none"."""
    reader = as_sas_date if field.sas else as_date

    def faulty(text: str) -> bool:
        date = reader(text)
        return date is None or (field.filled and date.isoformat() in SENTINELS)

    return faulty


def timestamp_fault_finder(field: Field) -> Callable[[str], bool]:
    """The same for moments."""

    def faulty(text: str) -> bool:
        moment = as_timestamp(text, field.sas)
        return moment is None or (field.filled and moment.date().isoformat() in SENTINELS)

    return faulty


def fault_finder(field: Field, decimal: str) -> Callable[[str], bool] | None:
    """What says of a text (not empty, without blanks around it) that it is no value; None when any text is one."""
    valid: Callable[[str], object]
    match field.type:
        case Type.DATE:
            return date_fault_finder(field)
        case Type.TIMESTAMP:
            return timestamp_fault_finder(field)
        case Type.WIDE:
            return wide_fault_finder(field)
        case Type.RESTRICTED:
            return None
        case Type.WEEK:
            valid = as_week
        case Type.TIME:
            valid = TIME_FORM.fullmatch
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


def wide_fault_finder(field: Field) -> Callable[[str], bool] | None:
    """The same for gathered columns: one bad cell spoils the row."""
    pattern = re.compile(field.pattern or ".*", re.ASCII)
    if not field.pattern:
        return None
    return lambda text: not all(pattern.fullmatch(cell) for cell in cells_of(text))


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
    return f"CASE WHEN {suspicious} AND {text} RLIKE {text_literal(MOJIBAKE)} THEN {back} ELSE {text} END"


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


def week_sql(text: str) -> str:
    """SQL of the Monday of a week: four days into January is always week one; ``523`` is 0523 typed as a number."""
    bare = f"regexp_replace({text}, '[-Ww]', '')"
    digits = f"CASE WHEN length({bare}) = 3 THEN concat('0', {bare}) ELSE {bare} END"
    short = f"CASE WHEN left({digits}, 2) >= '{WEEK_PIVOT}' THEN '19' ELSE '20' END"
    year = (
        f"CASE WHEN length({digits}) = 4 THEN concat({short}, left({digits}, 2)) ELSE left({digits}, 4) END"
    )
    first = f"date_trunc('WEEK', make_date(CAST({year} AS INT), 1, 4))"
    return f"CAST(date_add(CAST({first} AS DATE), 7 * (CAST(right({digits}, 2) AS INT) - 1)) AS DATE)"


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
