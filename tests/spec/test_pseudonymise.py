"""What a worker hands on: tokens instead of identifiers, scrubbed text, every physical row with its number."""

from __future__ import annotations

import gzip
import random
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse.delivery import survey as surveying
from lakehouse.delivery.find import find_delivery
from lakehouse.delivery.readers import blocks as reading
from lakehouse.delivery.readers import chunks
from lakehouse.delivery.readers.blocks import Part
from lakehouse.errors import DataError
from lakehouse.identity.pseudonyms import root_key_file
from lakehouse.ingest.pseudonymise import Pseudonymiser, read_chunk
from lakehouse.settings import load_settings
from tests.support.deliveries import (
    ANNA,
    BENT,
    CARL,
    contact,
    persons,
    write_delivery,
    write_file,
    write_meds,
)


def pseudonymiser_of(root: Path, name: str, home: Path) -> tuple[Pseudonymiser, list[Part]]:
    delivery = find_delivery(root)
    found = next(each for each in delivery.files if each.name == name)
    file = surveying.survey(found, delivery)
    key = root_key_file(load_settings(home, "test"), create=True)
    parts = [Part(chunk, found.name, file.columns, "2025-01-15", delivery.issuer) for chunk in file.chunks]
    return Pseudonymiser(
        found.table, found.source.identifier, str(key), verbatim=delivery.kind != "real"
    ), parts


def rows(root: Path, name: str, home: Path) -> list[dict[str, Any]]:
    pseudonymiser, parts = pseudonymiser_of(root, name, home)
    return [row for part in parts for table in read_chunk(pseudonymiser, part) for row in table.to_pylist()]


def danish(tmp_path: Path, name: str, lines: Sequence[str]) -> list[dict[str, Any]]:
    return rows(write_delivery(tmp_path / "out", {name: lines}), name, tmp_path / "home")


def test_identifiers_become_tokens_and_stay_equal_across_tables(tmp_path: Path) -> None:
    people = danish(tmp_path, "cpr/cpr3_t_person.csv", persons())
    visits = danish(
        tmp_path, "lpr_f/kontakter.csv", [contact("41", ANNA, "2020-01-01 08:00", "2020-01-01 09:00")]
    )
    assert people[0]["person_id"] == visits[0]["person_id"] != people[1]["person_id"]
    assert visits[0]["contact_id"] != "41"
    assert len(visits[0]["contact_id"]) == 34
    assert str(people).count(ANNA) + str(visits).count(ANNA) == 0
    assert [row["row_number"] for row in people] == [1, 2, 3]
    assert {row["fault"] for row in people} == {None}


def test_rows_that_are_none_keep_their_number_and_show_only_their_shape(tmp_path: Path) -> None:
    lines = [f"{ANNA};2020-01-01;I219", "too;few", f'{BENT};2020-01-01;"open', f"{CARL};2020-01-01;C10"]
    seen = danish(tmp_path, "dod/dodsaars.csv", lines)
    assert [row["fault"] for row in seen] == [None, "corrupt_row", "corrupt_row", None]
    assert [row["row_number"] for row in seen] == [1, 2, 3, 4]
    assert seen[1]["fault_example"] == "2 of 3 fields: AAA;AAA"
    assert seen[1]["person_id"] is None
    assert BENT not in str(seen)


def test_a_number_that_may_be_a_person_s_is_refused_and_never_handed_on(tmp_path: Path) -> None:
    root = write_delivery(tmp_path / "out", {})
    header = "dw_ek_kontakt;drg_kode;c_mdc;v_totpris;v_pris;overgangskontakt_dyreste"
    lines = ["41;05MP09;5;29800;29800;", f"42;05MP09;5;{BENT};29800;", f"43;05MP09;5;1;{CARL};"]
    write_file(root, "drg/drg_kontakt_2020.csv", lines, header)
    seen = rows(root, "drg/drg_kontakt_2020.csv", tmp_path / "home")
    assert [(row["fault"], row["fault_example"]) for row in seen] == [
        (None, None),
        ("person_number_in_value", "value may be a person number"),
        ("person_number_in_base_value", "base_value may be a person number"),
    ]
    assert BENT not in str(seen)
    assert CARL not in str(seen)


def test_nobodies_are_refused_with_the_shape_of_what_stood_there(tmp_path: Path) -> None:
    lines = ["0000000000;2020-01-01;", ";2020-01-01;", "9901901234;2020-01-01;", "x12;2020-01-01;"]
    seen = danish(tmp_path, "dod/dodsaars.csv", lines)
    assert [(row["fault"], row["fault_example"]) for row in seen] == [
        ("no_subject", "person_id=9999999999"),
        ("no_subject", "person_id is empty"),
        ("bad_cpr_date", "person_id=9999999999"),
        ("bad_cpr_length", "person_id=A99"),
    ]


def test_numbers_hidden_in_text_are_scrubbed(tmp_path: Path) -> None:
    hidden = f"efter aftale med {BENT[:6]}-{BENT[6:]}"
    line = f"{ANNA};2020-01-01;123456;C10AA05;{hidden};100;1;50,0;1;2;3;;38,70"
    (row,) = danish(tmp_path, "lmdb/lmdb_2020.csv", [line])
    assert row["product"] == "efter aftale med [cpr]"
    assert row["item"] == "123456"


def test_decentral_numbers_are_kept_apart_by_region(tmp_path: Path) -> None:
    here = contact("41", "0101900AB3", "2020-01-01 08:00", "")
    lines = [here, here.replace(";1084;", ";1082;").replace("41;", "42;"), here.replace("41;", "43;")]
    one, other, again = danish(tmp_path, "lpr_f/kontakter.csv", lines)
    assert one["person_id"] == again["person_id"] != other["person_id"]


def test_windows_letters_arrive_and_unknown_bytes_refuse_the_row(tmp_path: Path) -> None:
    root = write_delivery(tmp_path / "out", {"sor/organisationer.csv": []})
    path = root / "sor" / "organisationer.csv"
    line = "99001011000016;Ørenæs – æstetik;afdeling;R;S;K;1301;130110;1084;2007-01-01;2500-01-01\n".encode(
        "cp1252"
    )
    path.write_bytes(path.read_bytes() + line + line.replace(b"K;1301", b"\x81;1301"))
    good, bad = rows(root, "sor/organisationer.csv", tmp_path / "home")
    assert (good["name"], good["fault"]) == ("Ørenæs – æstetik", None)
    assert (bad["fault"], bad["fault_example"]) == (
        "undecodable",
        "specialty holds bytes that are not in the declared encoding",
    )


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("step", [40, 1 << 20])
def test_rows_are_the_same_however_the_file_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool, step: int
) -> None:
    lines = [f"{ANNA};2020-01-{day:02d};C{day:02d}" for day in range(1, 29)]
    lines[7] = "spoiled"
    root = write_delivery(tmp_path / "out", {"dod/dodsaars.csv": lines})
    name = "dod/dodsaars.csv"
    whole = rows(root, name, tmp_path / "home")
    monkeypatch.setattr(chunks, "BLOCK_BYTES", 50)
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 90)
    monkeypatch.setattr(reading, "STEP_BYTES", step)
    if packed:
        (root / f"{name}.gz").write_bytes(gzip.compress((root / name).read_bytes()))
        (root / name).unlink()
        name += ".gz"
    cut = rows(root, name, tmp_path / "home")
    assert [row | {"file_id": ""} for row in cut] == [row | {"file_id": ""} for row in whole]
    assert [row["cause"] for row in whole if row["row_number"] != 8][7] == "C09"


def test_a_file_that_changed_after_it_was_counted_is_refused(tmp_path: Path) -> None:
    root = write_delivery(tmp_path / "out", {"dod/dodsaars.csv": [f"{ANNA};2020-01-01;x"] * 3})
    pseudonymiser, (part,) = pseudonymiser_of(root, "dod/dodsaars.csv", tmp_path / "home")
    path = root / "dod" / "dodsaars.csv"
    path.write_bytes(path.read_bytes().replace(b"x\n", b"xx", 1))
    with pytest.raises(DataError, match="gave 2 rows where 3 were counted"):
        list(read_chunk(pseudonymiser, part))
    path.unlink()
    with pytest.raises(DataError, match="could not be read") as refused:
        list(read_chunk(pseudonymiser, part))
    assert refused.value.__cause__ is None


def test_foreign_ids_are_tokens_of_their_data_set_and_codes_unchanged(tmp_path: Path) -> None:
    events = [(7, "2020-01-01T08:30:00", f"NDC//{ANNA}", 1.5), (7, None, "SEX//F", None)]
    here = rows(write_meds(tmp_path / "a", events, name="a"), "data/train/0.parquet", tmp_path / "home")
    there = rows(write_meds(tmp_path / "b", events, name="b"), "data/train/0.parquet", tmp_path / "home")
    assert here[0]["person_id"] == here[1]["person_id"] != there[0]["person_id"]
    assert (here[0]["code"], here[0]["numeric_value"]) == (f"NDC//{ANNA}", "1.5")
    assert here[0]["time"].startswith("2020-01-01 08:30:00")
    assert here[1]["time"] is None


def test_row_groups_are_numbered_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 4)
    root = write_meds(tmp_path / "a", [(number, None, "X", None) for number in range(10)])
    path = root / "data" / "train" / "0.parquet"
    table = pq.read_table(path)
    pq.write_table(pa.concat_tables([table]), path, row_group_size=3)
    seen = rows(root, "data/train/0.parquet", tmp_path / "home")
    assert [row["row_number"] for row in seen] == list(range(1, 11))


def test_t07_a_letter_that_was_lost_on_the_way_is_remarked_and_kept(tmp_path: Path) -> None:
    name = "sor/organisationer.csv"
    lines = [
        f"9900101100001{k};{text};afdeling;R;S;K;1301;130110;1084;2007-01-01;2500-01-01"
        for k, text in enumerate(("H?moglobin", "Åben? ja", "PAAVIST"))
    ]
    seen = rows(write_delivery(tmp_path / "out", {name: lines}), name, tmp_path / "home")
    assert [row["remarks"] for row in seen] == ["lost_letters_name", None, None]
    assert [row["name"] for row in seen] == ["H?moglobin", "Åben? ja", "PAAVIST"]


def test_t04_a_pseudonym_of_another_project_is_nobody(tmp_path: Path) -> None:
    lines = ["412345678901;2020-01-01;", f"00{ANNA};2020-01-01;"]
    seen = danish(tmp_path, "dod/dodsaars.csv", lines)
    assert [row["fault"] for row in seen] == ["foreign_pseudonym", None]
    assert (
        seen[1]["person_id"] == danish(tmp_path, "dod/dodsaars.csv", [f"{ANNA};2020-01-01;"])[0]["person_id"]
    )


def test_an_erased_person_passes_as_an_empty_row_and_her_child_loses_a_mother(tmp_path: Path) -> None:
    from lakehouse.governance.persons.erasure import refuse_tokens
    from lakehouse.identity.pseudonyms import key_tokens, person_tokens

    settings = load_settings(tmp_path / "home", "test")
    key = str(root_key_file(settings, create=True))
    tokens, _ = person_tokens(key, [ANNA], [""])
    refuse_tokens(settings, [str(tokens[0]), *key_tokens(key, "contact", "cpr-contact", "", ["41"])])
    child = f"7105901238;K;01;1990-05-11;1990-05-11;{ANNA};{BENT};0101;2001-01-01"
    people = danish(tmp_path, "cpr/cpr3_t_person.csv", persons(child))
    assert [row["fault"] for row in people] == ["erased", None, None, None]
    told = {name for name, value in people[0].items() if value is not None}
    assert told <= {"file_id", "row_number", "delivered", "fault", "fault_example"}
    assert (people[3]["mother_id"], people[3]["father_id"]) == (None, people[1]["person_id"])
    found = danish(tmp_path, "lpr_f/diagnoser.csv", ["41;DI219;A;Nej;;;LPR3", "42;DI219;A;Nej;;;LPR3"])
    assert [row["fault"] for row in found] == ["erased", None]
    assert found[0]["code"] is None and found[1]["code"] == "DI219"


def test_a_person_in_many_blocks__has_one_token_and_one_record_and_stays_out_once_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lakehouse.governance.persons.erasure import refuse_tokens
    from lakehouse.identity.pseudonyms import person_tokens
    from lakehouse.identity.vault import init_vault

    monkeypatch.setattr(chunks, "BLOCK_BYTES", 60)
    settings = load_settings(tmp_path / "home", "test")
    key = str(root_key_file(settings, create=True))
    vault = init_vault(settings)
    numbers = random.Random(secrets.randbits(40))
    people = [f"61{numbers.randint(1, 12):02d}80{number:04d}" for number in range(9)]
    named = [numbers.choice(people) for _ in range(80)] + people
    made, _ = person_tokens(key, named, [""] * len(named))
    gone = made[0]
    assert gone is not None
    refuse_tokens(settings, [gone])
    seen = danish(tmp_path, "dod/dodsaars.csv", [f"{person};2020-01-01;I219" for person in named])
    assert [row["person_id"] for row in seen] == [None if each == gone else each for each in made]
    assert {row["fault"] for row in seen if row["person_id"] is None} == {"erased"}
    assert vault.collect() == len(people) - 1, "each person once, and nobody erased"
