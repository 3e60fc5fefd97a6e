"""The two halves of a conversion agree, and with Spark's SQL: what pseudonymisation lets through, silver converts."""

from __future__ import annotations

import datetime
import random
from typing import TYPE_CHECKING, Any

import pytest

from lakehouse.declarations.convert import (
    SENTINELS,
    fault_finder,
    number_or_none,
    stored_as,
)
from lakehouse.declarations.schema import Field, Type
from tests.oracles.stored import number_or_null, sql_type, stored

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FIXED: dict[Type, list[str]] = {
    Type.DATE: [
        *SENTINELS,
        "2020-02-29",
        "2019-02-29",
        "20200229",
        "29.02.2020",
        "29/02/2020",
        "29-02-2020",
        "2020-1-1",
        "2020-02-29 00:00:00",
        "2020-02-29T00:00",
        "2020-02-29 12:00",
        "25000101",
        "0000-01-01",
        "x",
        "20201301",
        "16MAR2020",
        "16mar2020",
        "31FEB2020",
        "21990",
    ],
    Type.WEEK: ["1901", "7001", "6953", "2053", "2153", "201901", "2020-W53", "2019-W53", "00", "1900", "x"],
    Type.TIME: [
        *("00:00", "23:59:59", "24:00", "24:00:00", "24:01", "7:30", "12:60", "12:30:15"),
        *("1230", "830", "0", "8", "24", "25", "2400", "860"),
    ],
    Type.TIMESTAMP: [
        *("2020-01-01", "2020-01-01T12:30:15", "2020-01-01 12:30:15.123456", "2020-13-01", "x"),
        *("31/12/2020 08:30", "31.12.2020", "20201231 08:30:00", "16MAR2020:08:30:00", "16MAR2020:8:30"),
        *("2020-07-01T08:00:00Z", "2020-12-01T08:00:00+05:30", "9999-12-31 00:00:00", "25000101 00:00"),
    ],
    Type.NUMBER: [
        "1",
        "-1,5",
        "+1,5",
        "1.234,5",
        "1.234",
        "1.23",
        "1,",
        ",5",
        "1.5",
        "12.34.567",
        "1e5",
        "½",
        "",
    ],
    Type.INTEGER: ["0", "-12", "+7", "1.0", "9" * 18, "9" * 19, "x"],
}


WIDE = Field("x", Type.WIDE, gathers=r"y_(\d{4})")


def kept(field: Field, texts: list[str | None]) -> list[Any]:
    """What silver holds for texts."""
    value = stored_as(field, ",")
    return [text if text is None or value is None else value(text) for text in texts]


def by_sql(spark: SparkSession, field: Field, texts: list[str | None]) -> list[Any]:
    """The same by the oracle."""
    frame = spark.createDataFrame([(text, at) for at, text in enumerate(texts)], "x STRING, at INT")
    rows = frame.selectExpr("at", f"CAST({stored(field, ',')} AS {sql_type(field)}) AS value").orderBy("at")
    return [row["value"] for row in rows.collect()]


def drawn(kind: Type, numbers: random.Random) -> list[str]:
    """Texts near the edge of what is a value."""
    letters = {
        Type.DATE: "0123-./ ",
        Type.TIME: "0245:",
        Type.WEEK: "0125W-",
        Type.TIMESTAMP: "0125-: T",
        Type.NUMBER: "019.,-+",
    }
    return [
        "".join(numbers.choices(letters.get(kind, "0129-+"), k=numbers.randint(1, 10))) for _ in range(2_000)
    ]


@pytest.mark.parametrize("kind", list(FIXED))
def test_what_pseudonymisation_lets_through_silver_converts(spark: SparkSession, kind: Type) -> None:
    field = Field("x", kind)
    faulty = fault_finder(field, ",")
    assert faulty is not None
    numbers = random.Random()
    texts = [text.strip() for text in FIXED[kind] + drawn(kind, numbers)]
    good = sorted({text for text in texts if text and not faulty(text)})
    assert kept(field, [*good]) == by_sql(spark, field, [*good])
    assert {text for text in FIXED[kind] if text} - set(good)
    value = stored_as(field, ",")
    assert value is not None
    for text in {text for text in texts if text and faulty(text)} if kind in RAISING else ():
        with pytest.raises(ValueError):
            value(text)


RAISING = {Type.DATE, Type.WEEK, Type.TIMESTAMP}
"""Types of which silver refuses what pseudonymisation should have."""


def test_sas_numbers_are_days_and_seconds_where_declared(spark: SparkSession) -> None:
    texts: list[str | None] = ["21990", "-1", "0", "2020-03-16", None]
    for kind in (Type.DATE, Type.TIMESTAMP):
        field = Field("x", kind, sas=True)
        assert kept(field, texts) == by_sql(spark, field, texts)
    assert kept(Field("x", Type.DATE, sas=True), ["21990"]) == [datetime.date(2020, 3, 16)]


def test_gathered_lists_become_structs(spark: SparkSession) -> None:
    texts = ['[["1901","1902","890"]]', None]
    assert kept(WIDE, texts) == [[{"first": "1901", "last": "1902", "value": "890"}], None]
    one, none = by_sql(spark, WIDE, texts)
    assert [each.asDict() for each in one] == kept(WIDE, texts)[0]
    assert none is None


@pytest.mark.parametrize(
    ("text", "number"),
    [("1.234,5", 1234.5), ("0,5", 0.5), ("1.23", None), ("POSITIV", None), ("1e5", None), (None, None)],
)
def test_numbers_out_of_texts_that_need_not_be_one(
    spark: SparkSession, text: str | None, number: float | None
) -> None:
    frame = spark.createDataFrame([(text,)], "x STRING")
    assert [row[0] for row in frame.selectExpr(number_or_null("x")).collect()] == [number]
    assert number_or_none(text) == number


def test_codes_are_padded_mapped_and_repaired(spark: SparkSession) -> None:
    garbled = "Pædiatri".encode().decode("cp1252")
    cases = [
        (Field("a", Type.CODE, values={"K": "F"}), "k", "F"),
        (Field("b", Type.CODE, pad=4), "7", "0007"),
        (Field("b", Type.CODE, pad=4), "12345", "12345"),
        (Field("c"), garbled, "Pædiatri"),
        (Field("d"), "Ând", "Ând"),
        (Field("e"), "37 Â°C", "37 °C"),
    ]
    for field, text, value in cases:
        given = Field("x", field.type, values=field.values, pad=field.pad)
        assert kept(given, [text]) == by_sql(spark, given, [text]) == [value], text


def test_what_is_no_whole_mojibake_stays_as_it_stands() -> None:
    assert kept(Field("x"), ["ÃÂ¦ Â°C"]) == ["ÃÂ¦ Â°C"]


def test_faults_of_declared_codes() -> None:
    coded = fault_finder(Field("x", Type.CODE, pattern=r"\d{4}", pad=4), ",")
    assert coded is not None
    assert [coded(text) for text in ("7", "0007", "x", "12345")] == [False, False, True, True]
    mapped = fault_finder(Field("x", Type.CODE, values={"K": "F"}), ",")
    assert mapped is not None
    assert [mapped(text) for text in ("k", "K", "M")] == [False, False, True]
    assert fault_finder(Field("x"), ",") is None
    filled = fault_finder(Field("x", Type.DATE, filled=True), ",")
    assert filled is not None
    assert filled("2500-01-01") is True
