"""Files are counted and cut the same however they are written; what is cut short or mislabelled is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.delivery.find import DeliveredFile, Delivery, find_delivery
from lakehouse.delivery.readers import chunks as module
from lakehouse.delivery.survey import FileSurvey, count_lines, match_header, plain_name, survey
from lakehouse.errors import DataError
from tests.support.deliveries import ANNA, HEADERS, persons, write_delivery, write_file, write_meds


@pytest.fixture
def delivery(tmp_path: Path) -> Delivery:
    return find_delivery(write_delivery(tmp_path / "out", {"cpr/cpr3_t_person.csv": persons()}))


def found(delivery: Delivery, name: str = "cpr/cpr3_t_person.csv") -> DeliveredFile:
    return next(each for each in find_delivery(delivery.root).files if each.name == name)


def look(delivery: Delivery, name: str = "cpr/cpr3_t_person.csv") -> FileSurvey:
    return survey(found(delivery, name), delivery)


@given(st.lists(st.sampled_from([b"", b"\r", b"a;b", b"a;b\r", b" "])))
def test_rows_are_lines_that_are_not_empty(lines: list[bytes]) -> None:
    whole = b"\n".join(lines)
    assert count_lines(whole) == sum(1 for line in whole.split(b"\n") if line.strip(b"\r"))


def test_rows_and_header_of_a_file(delivery: Delivery) -> None:
    seen = look(delivery)
    assert (seen.rows, seen.columns[:3]) == (3, ("person_id", "sex", "status"))
    assert len(seen.file_id) == 16
    assert seen.sha256.startswith(seen.file_id)


@pytest.mark.parametrize("block", [16, 64, 1 << 20])
@pytest.mark.parametrize("chunk", [1, 100, 1 << 20])
def test_chunks_cover_every_row_once(
    delivery: Delivery, block: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", block)
    monkeypatch.setattr(module, "CHUNK_BYTES", chunk)
    chunks = look(delivery).chunks
    first = 1
    for each in chunks:
        assert each.first_row == first
        first += each.rows
    assert first == 4
    data = found(delivery).path.read_bytes()
    joined = b"".join(data[each.start : each.stop] for each in chunks)
    assert joined == data.partition(b"\n")[2]


def test_gzip_is_counted_unpacked(delivery: Delivery) -> None:
    plain = found(delivery).path
    packed = plain.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert look(delivery, "cpr/cpr3_t_person.csv.gz").rows == 3


def test_a_gzip_cut_short_is_refused(delivery: Delivery) -> None:
    plain = found(delivery).path
    plain.with_suffix(".csv.gz").write_bytes(gzip.compress(plain.read_bytes())[:-20])
    with pytest.raises(DataError, match="ends in the middle"):
        look(delivery, "cpr/cpr3_t_person.csv.gz")


def test_a_file_cut_in_a_row_is_refused_without_repeating_it(delivery: Delivery) -> None:
    path = found(delivery).path
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match="ends in the middle of a row") as refused:
        look(delivery)
    assert "6903" not in str(refused.value)


def test_a_last_row_without_newline_counts(delivery: Delivery) -> None:
    path = found(delivery).path
    path.write_bytes(path.read_bytes()[:-1])
    assert look(delivery).rows == 3


def test_an_empty_file_and_a_parquet_file_cut_short_are_refused(delivery: Delivery, tmp_path: Path) -> None:
    found(delivery).path.write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        look(delivery)
    root = write_meds(tmp_path / "meds", [(1, None, "MEDS_BIRTH", None)])
    file = root / "data" / "train" / "0.parquet"
    meds = find_delivery(root)
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(DataError, match="no complete Parquet file"):
        survey(next(each for each in meds.files if each.path == file), meds)


def test_headers_are_forgiven_their_case_but_not_their_absence(delivery: Delivery) -> None:
    table = found(delivery).table
    header = HEADERS["cpr/cpr3_t_person.csv"].upper().split(";")
    columns, unknown, absent = match_header("f", table, [*header, "extra"])
    assert columns[0] == "person_id"
    assert columns[-1] == ""
    assert (unknown, absent) == (("extra",), ("later_id",))
    with pytest.raises(DataError, match="has no column sex or c_kon or koen"):
        match_header("f", table, [name for name in header if name != "C_KON"])


def test_a_file_without_header_is_refused_without_repeating_its_first_row(delivery: Delivery) -> None:
    write_file(delivery.root, "cpr/cpr3_t_person.csv", [], header=persons()[0])
    with pytest.raises(DataError, match="has no column") as refused:
        look(delivery)
    assert ANNA not in str(refused.value)


def test_headers_that_are_export_expressions_are_read() -> None:
    assert plain_name("date(birth_datetime,'unixepoch')") == "birth_datetime"
    assert plain_name(' "PERSON_ID" ') == "person_id"
