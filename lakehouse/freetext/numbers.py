"""Person numbers, telephone numbers, e-mail and street addresses in Danish text, as people really write them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lakehouse.identity.person_numbers import is_date

CPR = re.compile(
    r"(?<!\d)(?:00)?(\d{2})[.\-/ ]?(\d{2})[.\-/ ]?((?:18|19|20)?\d{2})"
    r"\s?[-–—−/._ ]{0,2}\s?(\d\s?\d{3}|\d[A-Za-z]{2}\d)(?!\d)"
)
"""Day, month, year with or without marks between, then four characters: 010190-1234, 01.01.1990 - 1234, 0101900AB3."""
PHONE = re.compile(
    r"(?<![\d.,/-])(?P<land>\+45|0045|\(\+45\))?[ -]?"
    r"(?P<number>[2-9]\d(?:[ .-]?\d{2}){3}|[2-9]\d{3}[ -]\d{4}|[2-9]\d{2}[ ]\d{2}[ ]\d{3})"
    r"(?![\d]|[.,/-]\d)"
)
PHONE_CUE = re.compile(r"(?:tlf|telefon|mobil|mob|ring|træffes|t:|nr)[\w.: ]{0,20}$", re.IGNORECASE)
MAIL = re.compile(r"[\w.+-]+\s?(?:@|\(at\)|\[at\])\s?[\w-]+(?:\.[\w-]+)+")
ENDINGS = (
    "vej|vejen|gade|gaden|allé|alle|alléen|stræde|strædet|plads|pladsen|torv|torvet|boulevard|boulevarden|vænge|"
    "vænget|parken|park|bakken|bakke|vangen|vang|toften|toft|skrænten|stien|sti|engen|eng|lunden|haven|have|marken|"
    "mark|krogen|krog|dalen|dal|kæret|kær|højen|høj|kaj|kajen|brygge|bro|bjerg|ager|ageren|gård|gården|led|svinget|"
    "passagen|ringen|banke|banken|knolden|huse|holm"
)
HOUSE = r"\d{1,3}\s?[A-Za-z]?\b(?!\s?(?:mg|ml|mmol|kg|cm|mm|dage|uger|gange|år|timer|%))"
DOOR = r"(?:\s?,?\s?(?:st|kl|\d{1,2})\s?(?:\.|\b)\s?(?:sal)?\s?,?\s?(?:tv|th|mf|dør\s?\d{1,4}|lejl\.?\s?\d{1,4})?\b\.?)?"
TOWN = r"(?:\s?,?\s?\d{4}\s+[A-ZÆØÅ][a-zæøå]+(?:\s+(?:[NSVØKC]|[NS][VØ])\b)?)?"
AREA = r"(?:[A-ZÆØÅ][\wæøåé.'-]*\s+){0,3}"
ADDRESS = re.compile(rf"{AREA}[A-ZÆØÅ]?[\wæøåé'-]*(?i:{ENDINGS})\s+{HOUSE}{DOOR}{TOWN}")
ADDRESS_CUED = re.compile(
    r"(?i:bor|bopæl|boende|flyttet|hjem|adresse:?|adr\.?:?)\s+(?:(?:på|i|til)\s+)?"
    rf"(?P<place>{AREA}[A-ZÆØÅ][\wæøåé'-]*\s+{HOUSE}{DOOR}{TOWN})"
)
TOWN_ALONE = re.compile(
    r"(?<![\d.,])(?:DK-?)?[1-9]\d{3}\s+[A-ZÆØÅ][a-zæøå]{3,}(?:\s+(?:[NSVØKC]|[NS][VØ])\b)?(?=[\s,.;)]|$)"
)
TOWN_CUE = re.compile(r"(?:bor|adresse|bopæl|flyttet|fra|til|i|på|hjem)[\w.: ]{0,25}$|,\s?$", re.IGNORECASE)

Span = tuple[int, int]


def person_numbers(text: str) -> Iterator[Span]:
    """Where a calendar date is followed by four characters that make it a person number."""
    for found in CPR.finditer(text):
        day, month, year, last = found.groups()
        if is_date(f"{day}{month}{year[-2:]}") and not is_clock(text, found, last):
            yield found.span()


def is_clock(text: str, found: re.Match[str], last: str) -> bool:
    """Whether what looks like a number is a date and a time of day (``01.02.2023 1430``)."""
    dotted = "." in found[0][:6] or "/" in found[0][:6]
    if not dotted or len(found[3]) != 4 or not last.isdigit() or "-" in found[0][6:]:
        return False
    return int(last[:2]) < 24 and int(last[2:]) < 60


def phones(text: str) -> Iterator[Span]:
    """Eight digits as telephone numbers are written. A date written as eight digits is none, unless a cue says so."""
    for found in PHONE.finditer(text):
        digits = re.sub(r"\D", "", found["number"])
        cued = bool(found["land"]) or PHONE_CUE.search(text[: found.start()])
        if not cued and digits[:2] in ("19", "20") and is_date(digits[6:] + digits[4:6] + digits[2:4]):
            continue
        yield found.span()


def mails(text: str) -> Iterator[Span]:
    """E-mail addresses."""
    yield from (found.span() for found in MAIL.finditer(text))


def addresses(text: str) -> Iterator[Span]:
    """Street with number, floor, postcode and town; and a postcode with its town where an address may stand."""
    for found in ADDRESS.finditer(text):
        yield found.span()
    for found in ADDRESS_CUED.finditer(text):
        yield found.span("place")
    for found in TOWN_ALONE.finditer(text):
        if TOWN_CUE.search(text[max(0, found.start() - 40) : found.start()]):
            yield found.span()
