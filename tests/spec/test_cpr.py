"""What a person number says, which are nobody, and that none survives a scrub."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.identity.person_numbers import SCRUBBED, BadNumber, century_of, mask, parse, scrub


def test_a_number_that_passes_modulus_11_may_still_be_implausible() -> None:
    number = parse("140383-7853")
    assert (number.kind, number.value, number.sex, number.mod11_ok) == ("cpr", "1403837853", "M", True)
    assert number.birth == datetime.date(1883, 3, 14)
    assert number.flags == ("implausible_century",)


@pytest.mark.parametrize("text", ["0201609995", "0108589995", "0201919996", "2512489996"])
def test_official_test_numbers_fail_modulus_11_and_are_accepted(text: str) -> None:
    assert parse(text).mod11_ok is False


@pytest.mark.parametrize(
    ("seventh", "year", "century"),
    [
        (0, 99, 1900),
        (3, 0, 1900),
        (4, 36, 2000),
        (4, 37, 1900),
        (9, 36, 2000),
        (9, 37, 1900),
        (5, 57, 2000),
        (8, 58, 1800),
    ],
)
def test_the_seventh_digit_tells_the_century(seventh: int, year: int, century: int) -> None:
    assert century_of(seventh, year) == century


@pytest.mark.parametrize(
    ("text", "kind", "birth", "sex"),
    [
        ("6701901234", "replacement", datetime.date(1990, 1, 7), "F"),
        ("0101901AB3", "x-ecpr", datetime.date(1990, 1, 1), "M"),
        ("0101157ab4", "x-ecpr", datetime.date(2015, 1, 1), "F"),
        ("0101900AB3", "d-ecpr", datetime.date(1990, 1, 1), "M"),
        ("0101156AB3", "d-ecpr", datetime.date(2015, 1, 1), "M"),
        ("000101901234", "cpr", datetime.date(1990, 1, 1), "F"),
    ],
)
def test_replacement_numbers_are_persons(text: str, kind: str, birth: datetime.date, sex: str) -> None:
    number = parse(text)
    assert (number.kind, number.birth, number.sex) == (kind, birth, sex)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0000000000", "no_subject"),
        ("12345", "bad_cpr_length"),
        ("", "bad_cpr_length"),
        ("3102901234", "bad_cpr_date"),
        ("9901901234", "bad_cpr_date"),
        ("2902901234", "bad_cpr_date"),
        ("010190X234", "bad_cpr_letters"),
        ("0101902AB3", "bad_cpr_letters"),
    ],
)
def test_what_is_no_number_is_told_apart_without_repeating_it(text: str, reason: str) -> None:
    with pytest.raises(BadNumber) as refused:
        parse(text)
    assert refused.value.reason == str(refused.value) == reason


DAYS = st.dates(datetime.date(1900, 1, 1), datetime.date(1999, 12, 31))


@given(
    day=DAYS,
    serial=st.integers(0, 9999),
    shift=st.sampled_from([0, 60]),
    between=st.sampled_from(["", "-", " "]),
    around=st.tuples(st.text("abcæøå .,;:()/", max_size=5), st.text("abcæøå .,;:()/", max_size=5)),
)
def test_no_person_number_survives_a_scrub(
    day: datetime.date, serial: int, shift: int, between: str, around: tuple[str, str]
) -> None:
    number = f"{day.day + shift:02d}{day.month:02d}{day.year % 100:02d}{between}{serial:04d}"
    assert scrub(around[0] + number + around[1]) == around[0] + SCRUBBED + around[1]


@pytest.mark.parametrize("text", ["0101901AB3 her", "010190-7ab4"])
def test_national_and_decentral_replacement_numbers_are_scrubbed(text: str) -> None:
    assert SCRUBBED in scrub(text)


@pytest.mark.parametrize("text", ["79641000016006", "4999999999", "2019-01-01 12:30", "1234567", "ALCA00"])
def test_other_numbers_are_left_alone(text: str) -> None:
    assert scrub(text) == text


def test_a_mask_shows_the_shape_and_nothing_else() -> None:
    assert mask("310290-12Øx") == "999999-99AA"
