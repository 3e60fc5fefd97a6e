"""Danish person numbers: what a number says, which are no person, and where numbers hide in text."""

from __future__ import annotations

import datetime
import re
from typing import NamedTuple

WEIGHTS = (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
PLACEHOLDER = "0000000000"
TEST_SERIES = ("9995", "9996")
"""Last four digits of the patients that test systems use; a number is one only if it also fails modulus 11."""
SCRUBBED = "[cpr]"
CANDIDATE = r"[0-9]{6}[-– ]?[0-9][0-9A-Za-z]{2}[0-9]"
"""Cheap test for text that may hold a number; :func:`scrub` decides."""
HIDDEN = re.compile(r"(?<!\d)(?:00)?(\d{6})[-– ]?(\d(?:\d{2}|[A-Za-z]{2})\d)(?!\d)")


class PersonNumber(NamedTuple):
    """What a person number says.

    ``kind`` is cpr, replacement (day + 60), x-ecpr (national replacement) or d-ecpr (decentral, unique within
    its issuer only). A failing modulus 11 is a remark, never a reason to reject: numbers without it have been
    issued since 2007. The flag ``test_person`` marks the numbers of test patients.
    """

    kind: str
    value: str
    birth: datetime.date
    sex: str
    mod11_ok: bool
    flags: tuple[str, ...] = ()


class BadNumber(ValueError):
    """The text is no person number; ``reason`` is the code the quarantine shows. Never holds the text."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def century_of(seventh: int, year: int) -> int:
    """Century (1800, 1900 or 2000) of a two-digit year, from the seventh digit."""
    if seventh <= 3:
        return 1900
    if seventh in (4, 9):
        return 2000 if year <= 36 else 1900
    return 2000 if year <= 57 else 1800


def parse(text: str) -> PersonNumber:
    """Read a person number as any register writes it; raises :class:`BadNumber`.

    Rejected are only a wrong length, letters where none may be, and a date not in the calendar (after
    taking 60 off the day). The placeholder of zeros stands for nobody. Twelve digits are ten behind two zeros,
    else a number some other project gave: it means nobody here, and joining by it would make persons up.
    """
    value = text.strip().replace("-", "").replace(" ", "").upper()
    if len(value) == 12 and value.isdigit():
        if not value.startswith("00"):
            raise BadNumber("foreign_pseudonym")
        value = value[2:]
    if not value.strip("0") and value:
        raise BadNumber("no_subject")
    if len(value) != 10 or not value.isascii():
        raise BadNumber("bad_cpr_length")
    kind, century = kind_of(value)
    day, month, year = int(value[:2]), int(value[2:4]), int(value[4:6])
    if day > 60:
        day -= 60
        kind = "replacement" if kind == "cpr" else kind
    try:
        birth = datetime.date(century + year, month, day)
    except ValueError:
        raise BadNumber("bad_cpr_date") from None
    mod11_ok = value.isdigit() and sum(w * int(d) for w, d in zip(WEIGHTS, value, strict=True)) % 11 == 0
    flags: tuple[str, ...] = ("implausible_century",) if century == 1800 else ()
    if kind == "cpr" and not mod11_ok and value[6:] in TEST_SERIES:
        flags += ("test_person",)
    return PersonNumber(kind, value, birth, "M" if int(value[9]) % 2 else "F", mod11_ok, flags)


def kind_of(value: str) -> tuple[str, int]:
    """Kind and century of ten characters; raises :class:`BadNumber` on letters in the wrong places."""
    if value.isdigit():
        return "cpr", century_of(int(value[6]), int(value[4:6]))
    if not re.fullmatch(r"\d{6}[015-7][A-Z]{2}\d", value):
        raise BadNumber("bad_cpr_letters")
    kind = "x-ecpr" if value[6] in "17" else "d-ecpr"
    return kind, 2000 if value[6] in "67" else 1900


def scrub(text: str) -> str:
    """Text with every person number in it replaced, hyphenated or not, replacement numbers too.

    Ten digits that are no calendar date (an order number, say) are left alone.
    """
    return HIDDEN.sub(lambda found: SCRUBBED if is_date(found[1]) else found[0], text)


def is_date(six: str) -> bool:
    """Whether six digits are a day, month and year of some century, with or without 60 on the day."""
    day, month, year = int(six[:2]), int(six[2:4]), int(six[4:6])
    day -= 60 if day > 60 else 0
    if not 1 <= month <= 12 or day < 1:
        return False
    longest = (31, 29 if year % 4 == 0 else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]
    return day <= longest


def mask(text: str) -> str:
    """The shape of an identifier: digits as 9, letters as A."""
    return re.sub(r"[^\W\d_]", "A", re.sub(r"\d", "9", text))[:20]
