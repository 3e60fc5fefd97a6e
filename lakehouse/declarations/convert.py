"""Delivered text to typed values: what counts as a value (decided at pseudonymisation), and what silver stores of it.

Two halves of one rule, each looking at a distinct text once. :func:`fault_finder` says which texts are no values;
:func:`stored_as` gives what every other stands for. It raises where the halves disagree, so that such a text stops the
ingest and is never silently null.
"""

from __future__ import annotations

import datetime
import json
import re
import zoneinfo
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from lakehouse.declarations.schema import Field, Type
from lakehouse.declarations.wide import cells_of

Value = TypeVar("Value")
SENTINELS = ("2500-01-01", "9999-12-31", "1899-12-30", "1899-12-31", "1900-01-01")
"""Dates registers write for "none"."""
MOJIBAKE = re.compile("[ÃÂ][\u0080-\u00bf†˜…™Œœ‚ƒ„‡ˆ‰Š‹Žž‘’“”•–—š›Ÿ]")
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


def stored_as(field: Field, decimal: str) -> Callable[[str], object] | None:
    """What silver holds for a text that pseudonymisation let through (None: nothing); no function: the text itself."""
    match field.type:
        case Type.DATE:
            return unless_sentinel(as_sas_date if field.sas else as_date)
        case Type.TIMESTAMP:
            return unless_sentinel(partial(as_timestamp, sas=field.sas))
        case Type.WEEK:
            return surely(as_week)
        case Type.TIME:
            return as_clock
        case Type.WIDE:
            return as_cells
        case Type.NUMBER:
            return partial(as_number, decimal=decimal)
        case Type.INTEGER:
            return int
        case Type.CODE | Type.TEXT:
            return partial(as_coded, field)
    return None


def surely(read: Callable[[str], Value | None]) -> Callable[[str], Value]:
    """A reader that raises where a text is no value."""

    def value(text: str) -> Value:
        found = read(text)
        if found is None:
            raise ValueError("pseudonymisation let through what is no value")
        return found

    return value


def unless_sentinel(
    read: Callable[[str], datetime.date | None],
) -> Callable[[str], datetime.date | None]:
    """The same for days and moments, of which some stand for "none"."""
    sure = surely(read)

    def value(text: str) -> datetime.date | None:
        found = sure(text)
        return None if found.isoformat()[:10] in SENTINELS else found

    return value


def as_clock(text: str) -> str:
    """A clock time as HH:MM:SS; 24 o'clock is midnight, of an unknown time."""
    if ":" not in text:
        text = f"{text.rjust(2, '0')}:00" if len(text) < 3 else f"{text[:-2].rjust(2, '0')}:{text[-2:]}"
    return "00:00:00" if text.startswith("24") else text if len(text) == 8 else f"{text}:00"


def as_cells(text: str) -> list[dict[str, str]]:
    """A gathered list as silver has it."""
    return [{"first": first, "last": last, "value": value} for first, last, value in json.loads(text)]


def as_number(text: str, decimal: str) -> float:
    """A number with the declared decimal sign."""
    return float(text if decimal == "." else text.replace(".", "").replace(",", "."))


def number_or_none(text: str | None) -> float | None:
    """A number with a decimal comma out of a text that need not be one."""
    return as_number(text, ",") if text is not None and NUMBER_FORMS[","].fullmatch(text) else None


def as_coded(field: Field, text: str) -> str:
    """Text as the field declares it: repaired or upper case, leading zeros restored, delivered values mapped."""
    text = text.upper() if field.type is Type.CODE else repaired(text)
    text = text.rjust(field.pad, "0")
    return field.values[text] if field.values else text


def repaired(text: str) -> str:
    """Text with one layer of mojibake undone where it shows; what is not wholly such stays as it stands."""
    if ("Ã" in text or "Â" in text) and MOJIBAKE.search(text):
        try:
            return text.encode("cp1252").decode("utf-8")
        except UnicodeError:
            return text
    return text


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
