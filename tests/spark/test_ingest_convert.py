"""The two halves of a conversion agree: whatever the door lets through, silver converts, to the value it stands for."""

from __future__ import annotations

import datetime
import random
from typing import TYPE_CHECKING, Any

import pytest

from lakehouse.convert import (
    SENTINELS,
    as_date,
    as_sas_date,
    as_timestamp,
    as_week,
    fault_finder,
    number_or_null,
    sql_type,
    stored,
)
from lakehouse.schema import Field, Type

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


def value_of(kind: Type, text: str) -> Any:
    """What a good text stands for, in plain Python."""
    match kind:
        case Type.DATE:
            date = as_date(text)
            return None if date is None or date.isoformat() in SENTINELS else date
        case Type.TIME:
            if ":" not in text:
                text = f"{int(text):02d}:00" if len(text) < 3 else f"{text[:-2].zfill(2)}:{text[-2:]}"
            return "00:00:00" if text.startswith("24") else text if len(text) == 8 else f"{text}:00"
        case Type.TIMESTAMP:
            moment = as_timestamp(text)
            return None if moment is None or moment.date().isoformat() in SENTINELS else moment
        case Type.WEEK:
            return as_week(text)
        case Type.NUMBER:
            return float(text.replace(".", "").replace(",", "."))
        case _:
            return int(text)


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
def test_what_the_door_lets_through_silver_converts(spark: SparkSession, kind: Type) -> None:
    field = Field("x", kind)
    faulty = fault_finder(field, ",")
    assert faulty is not None
    numbers = random.Random()
    texts = [text.strip() for text in FIXED[kind] + drawn(kind, numbers)]
    good = sorted({text for text in texts if text and not faulty(text)})
    frame = spark.createDataFrame([(text,) for text in good], "x STRING")
    rows = frame.selectExpr("x", f"CAST({stored(field, ',')} AS {sql_type(field)}) AS value").collect()
    assert {row["x"]: row["value"] for row in rows} == {text: value_of(kind, text) for text in good}
    assert {text for text in FIXED[kind] if text} - set(good)


def test_sas_numbers_are_days_and_seconds_where_declared(spark: SparkSession) -> None:
    day, moment = Field("x", Type.DATE, sas=True), Field("x", Type.TIMESTAMP, sas=True)
    texts = ["21990", "-1", "0", "2020-03-16"]
    frame = spark.createDataFrame([(text,) for text in texts], "x STRING")
    found = frame.selectExpr("x", f"{stored(day, ',')} AS day", f"{stored(moment, ',')} AS moment").collect()
    for row in found:
        assert row["day"] == as_sas_date(row["x"])
        assert row["moment"] == as_timestamp(row["x"], sas=True)
    assert found[0]["day"] == datetime.date(2020, 3, 16)


def test_gathered_lists_become_structs(spark: SparkSession) -> None:
    frame = spark.createDataFrame([('[["1901","1902","890"]]',), (None,)], "x STRING")
    one, none = (
        row[0] for row in frame.selectExpr(f"CAST({stored(WIDE, ',')} AS {sql_type(WIDE)}) AS x").collect()
    )
    assert [each.asDict() for each in one] == [{"first": "1901", "last": "1902", "value": "890"}]
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


def test_codes_are_padded_mapped_and_repaired(spark: SparkSession) -> None:
    frame = spark.createDataFrame(
        [("k", "7", "Pædiatri".encode().decode("cp1252"), "Ând")], "a STRING, b STRING, c STRING, d STRING"
    )
    columns = [
        stored(Field("a", Type.CODE, values={"K": "F"}), ","),
        stored(Field("b", Type.CODE, pad=4), ","),
        stored(Field("c"), ","),
        stored(Field("d"), ","),
    ]
    assert tuple(frame.selectExpr(*columns).collect()[0]) == ("F", "0007", "Pædiatri", "Ând")


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
