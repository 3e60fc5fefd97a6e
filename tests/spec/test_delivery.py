"""Deliveries are recognised by what lies in them; what is not known is refused with what was looked for."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from lakehouse.delivery.find import all_sources, find_delivery
from lakehouse.errors import DataError, UsageError
from lakehouse.ingest.pseudonymise import EXTRA
from tests.support.deliveries import ANNA, persons, write_delivery, write_meds


def test_a_danish_delivery_is_found_from_the_folder_above_it(tmp_path: Path) -> None:
    write_delivery(tmp_path / "out" / "delivery", {"cpr/cpr3_t_person.csv": persons()})
    found = find_delivery(tmp_path / "out")
    assert (found.format, found.kind, found.delivered) == ("danish", "synthetic", datetime.date(2025, 1, 15))
    assert found.covers_to == datetime.date(2024, 12, 31)
    assert [(each.name, each.table.name) for each in found.files] == [("cpr/cpr3_t_person.csv", "cpr_person")]


def test_a_danish_delivery_without_a_note_is_taken_for_real(tmp_path: Path) -> None:
    root = write_delivery(tmp_path, {"cpr/cpr3_t_person.csv": persons()})
    (root / "delivery.toml").unlink()
    assert find_delivery(root).kind == "real"


def test_foreign_data_sets_are_recognised_and_kept_apart(tmp_path: Path) -> None:
    meds = find_delivery(write_meds(tmp_path / "a", [(1, None, "MEDS_BIRTH", None)], name="first"))
    assert (meds.format, meds.kind, meds.issuer) == ("meds", "foreign", "first")
    omop = tmp_path / "omop"
    omop.mkdir()
    for name in ("PERSON.csv", "condition_occurrence.csv", "note.csv"):
        (omop / name).write_text("x\n")
    found = find_delivery(omop)
    assert (found.format, found.issuer, found.ignored) == ("omop", "omop", ("note.csv",))
    assert {each.table.name for each in found.files} == {"omop_person", "omop_condition_occurrence"}


def test_a_person_number_in_a_file_name_goes_nowhere(tmp_path: Path) -> None:
    root = write_delivery(tmp_path, {"cpr/cpr3_t_person.csv": persons()})
    (root / f"letter_{ANNA}.txt").write_text("x")
    assert ANNA not in str(find_delivery(root).ignored)


@pytest.mark.parametrize(
    "note", ['format = "latin"', 'format = "danish"\nkind = "mine"', "delivered = 'soon'"]
)
def test_a_wrong_note_is_refused(tmp_path: Path, note: str) -> None:
    root = write_delivery(tmp_path, {"cpr/cpr3_t_person.csv": persons()})
    (root / "delivery.toml").write_text(note + "\n")
    with pytest.raises(DataError):
        find_delivery(root)


def test_unknown_folders_and_formats_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(DataError, match="no delivery that is known"):
        find_delivery(tmp_path)
    with pytest.raises(DataError, match="no folder"):
        find_delivery(tmp_path / "none")
    with pytest.raises(UsageError):
        find_delivery(tmp_path, "csv")


def test_every_source_is_declared_soundly() -> None:
    sources = [source for each in all_sources().values() for source in each]
    tables = [table for source in sources for table in source.tables]
    assert len({table.name for table in tables}) == len(tables) >= 20
    for table in tables:
        headers = [header for field in table.fields for header in field.headers]
        assert len(headers) == len(set(headers)), table.name
        assert all(header == header.lower() for header in headers), table.name
        assert not EXTRA.keys() & ({field.name for field in table.fields} | table.derived.keys()), table.name
        for field in table.fields:
            assert not (field.type == "key" and not field.domain), (table.name, field.name)
        looked_up = {join.frame for event in table.events for join in event.joins}
        assert not looked_up & {field.name for field in table.fields}, table.name
