"""What pseudonymisation remarks and refuses over two columns, without Spark."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.declarations.lpr2 import DISCHARGES, PATIENT_TYPES
from lakehouse.declarations.schema import DatedCodes, KnownPairs
from lakehouse.ingest.row_remarks import (
    SEXES,
    Marks,
    not_known,
    not_valid_then,
    number_remarks,
    number_sex,
    pairs_of,
    remarks_of,
    sex_differs,
    sexes_of,
)


@pytest.mark.parametrize(
    ("number", "remarks"),
    [
        ("6701901234", ("number_replacement",)),
        ("0101364231", ("number_without_mod11",)),
        ("0201609995", ("number_without_mod11", "test_person")),
        ("0101901AB3", ("number_x_ecpr",)),
        ("0101900AB3", ("number_d_ecpr",)),
        ("1403837853", ("implausible_century",)),
        ("0000000000", ()),
        ("nonsense", ()),
    ],
)
def test_how_a_number_was_read_is_told(number: str, remarks: tuple[str, ...]) -> None:
    assert number_remarks(number) == remarks


def test_the_last_digit_is_held_against_the_register_whatever_its_code() -> None:
    delivered = pa.chunked_array([["K", "F", "2", " m", "1", "?", None]])
    told = sexes_of(pa.array(["6701901234"] * 7))
    assert sex_differs(told, delivered).tolist() == [False, False, False, True, True, False, False]


NUMBERS = st.one_of(
    st.from_regex(r"\A[0-9]{10}\Z"),
    st.from_regex(r"\A(?:[012678][1-9])(?:0[1-9]|1[0-2])[0-9]{2}(?:[0-9]{4}|9995|9996)\Z"),
    st.from_regex(r"\A(?:29|89)02[0-9]{6}\Z"),
    st.from_regex(r"\A[0-3][1-9]0[1-9][0-9]{2}[015-7][A-Z]{2}[0-9]\Z"),
    st.text(max_size=12),
)


@given(st.lists(NUMBERS))
def test_remarks_on_many_numbers_are_those_on_each(numbers: list[str]) -> None:
    masks = remarks_of(pa.array(numbers, pa.string()))
    for place, number in enumerate(numbers):
        assert {name for name, told in masks.items() if told[place]} == {*number_remarks(number)}


@given(st.lists(NUMBERS))
def test_the_sex_of_many_numbers_is_that_of_each(numbers: list[str]) -> None:
    told = [SEXES[sex] for sex in sexes_of(pa.array(numbers, pa.string()))]
    assert told == [number_sex(number) for number in numbers]


@pytest.mark.parametrize(
    ("code", "day", "wrong"),
    [("3", "2014-12-31", False), ("3", "2015-01-01", True), ("3", "01.01.2015", True), ("0", "1980-01-01", False),
     ("8", "2000-01-01", True), ("3", "nonsense", False)],
)  # fmt: skip
def test_patient_types_hold_in_their_years_only(code: str, day: str, wrong: bool) -> None:
    assert not_valid_then(DatedCodes("patient_type", "start_date", PATIENT_TYPES))(code, day) is wrong


def test_codes_of_discharge_changed_in_2004() -> None:
    faulty = not_valid_then(DatedCodes("discharge", "end_date", DISCHARGES))
    assert [faulty("F", "2003-12-31"), faulty("f", "2004-01-01"), faulty("B", "2004-01-01"), faulty("8", "1990-01-01")] == [
        True, False, True, False]  # fmt: skip


def test_only_units_of_listed_codes_are_judged() -> None:
    faulty = not_known(
        KnownPairs(("analysis", "unit"), "units.csv", "unknown_unit"), frozenset({("NPU1", "mmol/L")})
    )
    assert [faulty("NPU1", "mmol/L"), faulty("npu1", "furlong"), faulty("NPU2", "furlong")] == [
        False,
        True,
        False,
    ]


def test_remarks_of_a_row_stand_together_in_order() -> None:
    marks = Marks(3)
    marks.add("b", np.array([True, True, False]))
    marks.add("a", np.array([True, False, False]))
    marks.add("a", np.array([False, False, False]))
    assert marks.column().to_pylist() == ["a,b", "b", None]
    assert Marks(2).column().to_pylist() == [None, None]


def test_pairs_keep_their_rows_and_empty_ones_are_none() -> None:
    one = pa.chunked_array([["x", None, "x"], ["y"]])
    other = pa.chunked_array([["1", "1", None], ["1"]])
    pairs, at = pairs_of(one, other)
    assert [pairs[place] if place >= 0 else None for place in at.tolist()] == [
        ("x", "1"),
        None,
        None,
        ("y", "1"),
    ]
