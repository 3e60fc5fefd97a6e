"""One table in every form it may be delivered in: the same rows, the same refusals, tokens before anything else."""

from __future__ import annotations

import datetime
import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.declarations.schema import FORMS, Bundle, Field, Table, Type
from lakehouse.declarations.wide import lists
from lakehouse.delivery.readers import chunks, sas
from lakehouse.delivery.readers import fhir_bundles as bundles
from lakehouse.delivery.readers.fhir_bundles import Context, clock_time, value_at
from lakehouse.errors import DataError
from lakehouse.synthetic.sas_file import write_sas
from tests.support.deliveries import ANNA, BENT
from tests.support.forms import look, read

INCOME = Table(
    name="income",
    files=rf"income(_?\d{{4}})?{FORMS}",
    encoding="cp1252",
    fields=(
        Field("person_id", Type.PERSON, aliases=("pnr",), filled=True),
        Field("paid_on", Type.DATE, aliases=("dato",), filled=True),
        Field("amount", Type.NUMBER, aliases=("beloeb",)),
        Field("place", Type.CODE, aliases=("kom",), pad=4),
        Field("note", aliases=("tekst",), required=False),
    ),
)
HEADER = "PNR;Dato;BELOEB;kom;tekst"
LINES = [
    f"{ANNA};2020-03-16;1.234,5;101;Ærø",
    f"{BENT};2020-03-17;-2;0751;",
    f"{BENT};2020-03-18;;;se {ANNA}",
]
DAYS = [datetime.date(2020, 3, day) for day in (16, 17, 18)]
AMOUNTS, PLACES, NOTES = [1234.5, -2.0, None], [101, 751, None], ["Ærø", None, f"se {ANNA}"]


def write_income(path: Path) -> Path:
    match "".join(path.suffixes):
        case ".csv":
            path.write_bytes("\n".join([HEADER, *LINES, ""]).encode("cp1252"))
        case ".csv.gz":
            path.write_bytes(gzip.compress("\r\n".join(["\ufeff" + HEADER, *LINES]).encode()))
        case ".sas7bdat":
            columns = {"PNR": "$", "Dato": "DATE9.", "BELOEB": "", "kom": "", "tekst": "$"}
            rows = zip([ANNA, BENT, BENT], DAYS, AMOUNTS, PLACES, NOTES, strict=True)
            write_sas(path, columns, rows)
        case _:
            columns = {
                "PNR": [ANNA, BENT, BENT],
                "dato": DAYS,
                "BELOEB": AMOUNTS,
                "kom": PLACES,
                "tekst": NOTES,
            }
            pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".sas7bdat", ".parquet"])
def test_every_form_gives_the_same_rows(tmp_path: Path, ending: str) -> None:
    rows = read(INCOME, write_income(tmp_path / f"income2020{ending}"))
    assert [row["row_number"] for row in rows] == [1, 2, 3]
    assert [row["paid_on"] for row in rows] == ["2020-03-16", "2020-03-17", "2020-03-18"]
    assert [row["amount"] for row in rows] in (["1.234,5", "-2", None], ["1234,5", "-2", None])
    assert [row["place"] for row in rows] in (["101", "0751", None], ["101", "751", None])
    assert [row["note"] for row in rows] == ["Ærø", None, "se [cpr]"]
    assert rows[1]["person_id"] == rows[2]["person_id"] != rows[0]["person_id"]
    assert {row["fault"] for row in rows} == {None}
    assert ANNA not in str(rows)


@pytest.mark.parametrize("ending", [".csv.gz", ".sas7bdat", ".parquet"])
def test_a_file_cut_short_is_refused_in_every_form(tmp_path: Path, ending: str) -> None:
    path = write_income(tmp_path / f"income2020{ending}")
    data = path.read_bytes()
    for length in (0, 10, len(data) // 2, len(data) - 9):
        path.write_bytes(data[:length])
        with pytest.raises(DataError) as refused:
            read(INCOME, path)
        assert ANNA not in str(refused.value)


def test_a_sas_file_is_the_same_however_it_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "income.sas7bdat"
    rows = [(ANNA, DAYS[0], float(number), number, "x") for number in range(50)]
    write_sas(path, {"pnr": "$", "dato": "YYMMDD10.", "beloeb": "", "kom": "", "tekst": "$"}, rows)
    whole = read(INCOME, path)
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 20)
    monkeypatch.setattr(sas, "STEP_ROWS", 7)
    assert len(look(INCOME, path).chunks) == 3
    assert read(INCOME, path) == whole


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**15), 10**15).map(float))
def test_numbers_of_typed_forms_keep_their_value(number: float) -> None:
    for decimal in ",.":
        (text,) = sas.number_text(pa.array([number]), decimal).to_pylist()
        if decimal == ",":
            assert "e" not in text
            assert float(text.replace(",", ".")) == pytest.approx(number, rel=1e-15, abs=1e-6)
        else:
            assert float(text) == number


def test_sas_times_outside_the_calendar_are_no_values() -> None:
    assert sas.as_text([21990.0, 1e9, None], "DATE9.", ",").to_pylist() == [
        "2020-03-16",
        "outside the calendar",
        None,
    ]
    assert sas.as_text([0.0, None], "DATETIME20.", ",").to_pylist() == ["1960-01-01 00:00:00", None]
    assert sas.as_text([3661.0, -1.0], "TIME8.", ",").to_pylist() == ["01:01:01", "no time of day"]


SKS = Table(
    name="sks",
    files=r"skscomplete\.txt(\.gz)?",
    encoding="latin-1",
    fields=(
        Field("register", Type.CODE, span=(1, 3), filled=True),
        Field("code", Type.CODE, span=(4, 23), filled=True),
        Field("valid_from", Type.DATE, span=(24, 31), filled=True),
        Field("valid_to", Type.DATE, span=(40, 47)),
        Field("text", span=(48, 167)),
    ),
)


def test_fixed_width_lines_have_no_header(tmp_path: Path) -> None:
    line = (
        f"dia{'DE11':<20}{'19940101':<8}{'20200101':<8}{'25000101':<8}{'Type 2-diabetes på fødder':<120}001"
    )
    path = tmp_path / "SKScomplete.txt"
    path.write_bytes(
        "\r\n".join([line, "diaDE1", line.replace("DE11", "DE12").rstrip("01").rstrip()]).encode("latin-1")
    )
    rows = read(SKS, path)
    assert [row["fault"] for row in rows] == [None, "corrupt_row", None]
    assert rows[1]["fault_example"] == "6 characters of at least 24"
    assert [rows[2][name] for name in ("register", "code", "valid_from", "valid_to", "text")] == [
        "dia",
        "DE12",
        "19940101",
        "25000101",
        "Type 2-diabetes på fødder",
    ]


CONDITION = Table(
    name="eoj_conditions",
    files=r"eoj\.n?d?json(\.gz)?",
    bundle=Bundle("Condition"),
    fields=(
        Field(
            "person_id",
            Type.PERSON,
            path="subject.resolve().identifier[system=urn:oid:1.2.208.176.1.2].value",
            filled=True,
        ),
        Field("code", Type.VERBATIM, path="code.coding[system=urn:oid:1.2.208.176.2.21].code", filled=True),
        Field("recorded", Type.TIMESTAMP, path="recordedDate"),
        Field("score", Type.NUMBER, path="extension[url=http://x.dk/a.b].valueDecimal"),
        Field("sent", Type.TIMESTAMP, path="%bundle.timestamp"),
    ),
)
ACTIVITY = Table(
    name="eoj_activities",
    files=r"eoj\.n?d?json(\.gz)?",
    bundle=Bundle("CarePlan", each="activity"),
    fields=(
        Field("person_id", Type.PERSON, path="subject.resolve().identifier.value", filled=True),
        Field("code", Type.VERBATIM, path="%each.detail.code.coding.code", filled=True),
    ),
)


def bundle(person: str, code: str = "J1.3") -> dict[str, Any]:
    subject = {"reference": "Patient/1"}
    plan = [{"detail": {"code": {"coding": [{"code": each}]}}} for each in ("G1.20", "G1.21")]
    return {
        "resourceType": "Bundle",
        "timestamp": "2024-01-01T23:30:00Z",
        "entry": [
            {
                "resource": {
                    "resourceType": "Patient",
                    "id": "1",
                    "identifier": [{"system": "urn:oid:1.2.208.176.1.2", "value": person}],
                }
            },
            {
                "resource": {
                    "resourceType": "Condition",
                    "subject": subject,
                    "code": {
                        "coding": [
                            {"system": "other", "code": "no"},
                            {"system": "urn:oid:1.2.208.176.2.21", "code": code},
                        ]
                    },
                    "recordedDate": "2024-07-01T08:00:00Z",
                    "extension": [{"url": "http://x.dk/a.b", "valueDecimal": 1.5}],
                }
            },
            {"resource": {"resourceType": "CarePlan", "subject": subject, "activity": plan}},
            {"resource": {"resourceType": "CarePlan", "subject": subject}},
            {"fullUrl": "urn:uuid:1"},
        ],
    }


def test_bundles_become_rows_by_declared_paths(tmp_path: Path) -> None:
    path = tmp_path / "eoj.json"
    path.write_text(json.dumps(bundle(ANNA)))
    (row,) = read(CONDITION, path)
    assert (row["code"], row["recorded"], row["score"], row["sent"]) == (
        "J1.3",
        "2024-07-01 10:00:00",
        "1,5",
        "2024-01-02 00:30:00",
    )
    assert len(row["person_id"]) == 34
    rows = read(ACTIVITY, path)
    assert [each["code"] for each in rows] == ["G1.20", "G1.21", None]
    assert [each["fault"] for each in rows] == [None, None, "missing_code"]
    assert {each["person_id"] for each in rows} == {row["person_id"]}


@pytest.mark.parametrize("packed", [False, True])
def test_a_line_that_is_no_bundle_is_a_row_that_is_none(
    tmp_path: Path, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "CHUNK_BYTES", 1500)
    lines = [json.dumps(bundle(person)) for person in (ANNA, BENT, ANNA)]
    text = "\n".join([lines[0], '{"resourceType": "Bundle", "entry": [', lines[1], "", lines[2]]).encode()
    path = tmp_path / ("eoj.ndjson.gz" if packed else "eoj.ndjson")
    path.write_bytes(gzip.compress(text) if packed else text)
    rows = read(CONDITION, path)
    assert len(look(CONDITION, path).chunks) == (1 if packed else 2)
    assert [row["row_number"] for row in rows] == [1, 2, 3, 4]
    assert [row["fault"] for row in rows] == [None, "corrupt_row", None, None]
    assert rows[0]["person_id"] == rows[3]["person_id"] != rows[2]["person_id"]


def test_a_document_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "eoj.json"
    path.write_text(json.dumps(bundle(ANNA))[:-5])
    with pytest.raises(DataError, match="no complete JSON document") as refused:
        look(CONDITION, path)
    assert ANNA not in str(refused.value)


def test_paths_walk_lists_filters_and_contained_resources() -> None:
    resource = {
        "contained": [{"id": "p", "name": "inside"}],
        "subject": {"reference": "#p"},
        "item": [{"a": [{"b": 1}, {"b": True}]}, {"a": {"b": "x"}}],
    }
    context = Context({"own": 2}, resource, {})
    asked = [
        "subject.resolve().name",
        "item.a[1].b",
        "item[1].a.b",
        "%each.own",
        "item",
        "no.such",
        "item[9].a",
    ]
    assert [value_at(context, path) for path in asked] == ["inside", "true", "x", "2", None, None, None]
    assert clock_time("2024-01-01T00:00:00+14:00") == "2023-12-31 11:00:00"


DREAM = Table(
    name="dream",
    files=r"dream\.csv",
    fields=(
        Field("person_id", Type.PERSON, aliases=("pnr",), filled=True),
        Field("weeks", Type.WIDE, gathers=r"y_(\d{4})", runs=True, pattern=r"\d{3}"),
        Field("answers", Type.WIDE, gathers=r"reg_.*", required=False, renamed={"reg_old": "reg_new"}),
    ),
)


def test_wide_rows_are_gathered_and_runs_are_one(tmp_path: Path) -> None:
    path = tmp_path / "dream.csv"
    head = "PNR;Y_1901;Y_1902;Y_1903;Y_1904;Reg_a;REG_OLD;other"
    path.write_text(f"{head}\n{ANNA};890;890;;890;Y;{BENT};1\n{BENT};;;;;;;\n{BENT};89;;;;;;\n")
    file = look(DREAM, path)
    assert file.unknown == ("other",)
    one, none, bad = read(DREAM, path)
    assert json.loads(one["weeks"]) == [["1901", "1902", "890"], ["1904", "1904", "890"]]
    assert json.loads(one["answers"]) == [["reg_a", "reg_a", "Y"], ["reg_new", "reg_new", "[cpr]"]]
    assert (none["weeks"], none["answers"], none["fault"]) == (None, None, None)
    assert bad["fault"] == "bad_weeks"


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from(["", "a", "b"]), min_size=5, max_size=5), max_size=4), st.booleans())
def test_gathered_cells_hold_every_value_in_order(rows: list[list[str]], runs: bool) -> None:
    parts = [
        (str(at), pa.chunked_array([pa.array([row[at] for row in rows], pa.string())])) for at in range(5)
    ]
    field = Field("x", Type.WIDE, gathers=".*", runs=runs)
    for row, text in zip(rows, lists(field, parts, len(rows)).to_pylist(), strict=True):
        unfolded = [""] * 5
        cells = json.loads(text or "[]")
        for first, last, value in cells:
            unfolded[int(first) : int(last) + 1] = [value] * (int(last) + 1 - int(first))
        assert unfolded == row
        assert not runs or all(
            a[2] != b[2] or int(a[1]) + 1 < int(b[0]) for a, b in itertools.pairwise(cells)
        )
