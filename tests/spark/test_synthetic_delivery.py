"""What the generator writes: the agreed files, byte for byte the same, whole or not at all, with exact counts."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lakehouse.errors import UsageError
from lakehouse.settings import load_settings
from lakehouse.synthetic import SynthSummary, forms, synthesise
from lakehouse.synthetic import delivery as making
from lakehouse.synthetic.block import make_block
from lakehouse.synthetic.delivery import file_headers
from lakehouse.synthetic.layout import KINDS
from lakehouse.synthetic.parts import write_block
from tests.support.synthetic_timeline import region

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SEED, PERSONS = 77, 700
DATE = re.compile(r"^\d{4}-\d{2}-\d{2}$")


@pytest.fixture(scope="module")
def made(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SynthSummary:
    out = tmp_path_factory.mktemp("region")
    return synthesise(spark, load_settings(out / "home", "test"), out, PERSONS, SEED)


def rows_of(delivery: Path, kind: str, year: int | None = None) -> list[dict[str, str]]:
    layout = KINDS[kind]
    lines = (delivery / layout.path(year)).read_bytes().decode(layout.encoding).lstrip("\ufeff").splitlines()
    return [dict(zip(lines[0].split(";"), line.split(";"), strict=True)) for line in lines[1:]]


def test_the_delivery_has_the_agreed_files_headers_and_encodings(made: SynthSummary) -> None:
    found = {str(path.relative_to(made.delivery)) for path in made.delivery.rglob("*") if path.is_file()}
    assert found == {*file_headers((2017, 2024)), "delivery.toml"}
    for kind in KINDS.values():
        data = (made.delivery / kind.path(2019 if kind.yearly else None)).read_bytes()
        assert data.startswith(b"\xef\xbb\xbf") == (kind.folder == "cpr")
        first = data.decode(kind.encoding).lstrip("\ufeff").splitlines()[0]
        assert tuple(first.split(";")) == kind.columns
        assert data.endswith(b"\n")
    organisations = (made.delivery / "sor/organisationer.csv").read_bytes()
    assert "Region Sjælland".encode("cp1252") in organisations
    assert "µmol/L".encode() in (made.delivery / "lab/lab_forsker_2020.csv").read_bytes()
    told = tomllib.loads((made.delivery / "delivery.toml").read_text())
    assert (told["format"], told["kind"]) == ("danish", "synthetic")
    assert str(told["covers_to"]) == "2024-12-31"


def test_the_planted_truth_counts_the_rows_and_the_truth_is_private(made: SynthSummary) -> None:
    for path, number in made.rows.items():
        assert (made.delivery / path).read_bytes().count(b"\n") == number + 1, path
    assert len(rows_of(made.delivery, "person")) == PERSONS == made.persons
    assert made.truth.stat().st_mode & 0o777 == 0o600
    truth = json.loads(made.truth.read_text())
    assert truth["rows"] == made.rows
    assert made.truth.parent == made.delivery.parent
    assert made.planted["planted"] >= 60


def test_rows_hang_together(made: SynthSummary) -> None:
    persons = {row["v_pnr"] for row in rows_of(made.delivery, "person")}
    courses = {row["dw_ek_forloeb"]: row["cpr"] for row in rows_of(made.delivery, "courses")}
    units = {row["sorenhed"] for row in rows_of(made.delivery, "organisations")}
    contacts = {row["dw_ek_kontakt"]: row for row in rows_of(made.delivery, "contacts", 2020)}
    assert set(courses.values()) <= persons
    for row in contacts.values():
        assert courses[row["dw_ek_forloeb"]] == row["cpr"]
        assert row["sorenhed_ans"] in units
        assert (
            DATE.match(row["dato_start"])
            and row["dato_start"] <= row["dato_slut"] <= row["dato_indberetning"]
        )
        assert row["lprindberetningssystem"] == "LPR3"
    main = Counter()
    for row in rows_of(made.delivery, "diagnoses", 2020):
        assert row["dw_ek_kontakt"] in contacts
        if row["diagnosetype"] == "A":
            main[row["dw_ek_kontakt"]] += 1
            assert row["diagnosekode"] == contacts[row["dw_ek_kontakt"]]["aktionsdiagnose"]
        assert (row["diagnosetype"] == "+") == bool(row["diagnosekode_parent"])
        assert re.match(r"^D[A-Z]\d{2}[0-9A-Z]{0,4}$|^TUL[12]$", row["diagnosekode"])
    assert main.keys() == contacts.keys() and set(main.values()) == {1}
    for kind in ("surgery", "procedures"):
        for row in rows_of(made.delivery, kind, 2020):
            assert row["dw_ek_kontakt"] or row["dw_ek_forloeb"] in courses


def test_the_register_change_divides_2019(made: SynthSummary) -> None:
    systems = {(row["dato_start"] >= "2019-03-01", row["lprindberetningssystem"]) for row in
               rows_of(made.delivery, "contacts", 2019)}  # fmt: skip
    assert systems == {(False, "LPR2"), (True, "LPR3")}


def test_ordinary_life_is_in_the_files(made: SynthSummary) -> None:
    diagnoses = [row for year in range(2017, 2025) for row in rows_of(made.delivery, "diagnoses", year)]
    real = [row for row in diagnoses if row["diagnosetype"] in "AB"]
    refuted = sum(row["senere_afkraeftet"] == "Ja" for row in real)
    assert refuted == made.defects["lpr_f/diagnoser"]["refuted"]
    assert refuted / len(real) == pytest.approx(0.01, abs=0.004)
    lines = [row for year in range(2017, 2025) for row in rows_of(made.delivery, "dispensings", year)]
    back = [row for row in lines if row["apk"].startswith("-")]
    assert len(back) == made.defects["lmdb/lmdb"]["reversed"]
    assert len(back) / len(lines) == pytest.approx(0.003, abs=0.001)
    bought = Counter((row["pnr"], row["eksd"], row["vnr"], row["apk"]) for row in lines)
    assert all(bought[(row["pnr"], row["eksd"], row["vnr"], row["apk"][1:])] for row in back)
    assert all(row["korr"] == "1" and row["eksp"].startswith("-") and "," in row["volume"] for row in back)
    results = [row for year in range(2017, 2025) for row in rows_of(made.delivery, "results", year)]
    bounded = [row for row in results if row["operator"] or row["value"][0] in "<>"]
    assert len(bounded) == made.defects["lab/lab_forsker"]["bounded"]
    assert 0.02 < len(bounded) / len(results) < 0.08
    assert any(row["operator"] for row in bounded) and any(not row["operator"] for row in bounded)


def test_persons_stand_in_no_telling_order(made: SynthSummary) -> None:
    births = [row["d_foddato"] for row in rows_of(made.delivery, "person")]
    rank = np.argsort(np.argsort(births))
    assert abs(np.corrcoef(rank, np.arange(len(rank)))[0, 1]) < 0.15


def test_spark_changes_nothing_and_another_seed_changes_everything(
    spark: SparkSession, made: SynthSummary, tmp_path: Path
) -> None:
    """Each file equals header and blocks written one after another without Spark."""
    world, parts = region(SEED), tmp_path / "parts"
    write_block(make_block(world, 0, PERSONS), world, parts, 0.0)
    for path, header in file_headers((2017, 2024)).items():
        if not path.startswith("sor/"):
            assert (made.delivery / path).read_bytes() == header + (parts / path / "000000").read_bytes(), (
                path
            )
    other = synthesise(spark, load_settings(tmp_path / "home", "test"), tmp_path / "other", 60, SEED + 1)
    assert json.loads(other.truth.read_text())["planted"] != json.loads(made.truth.read_text())["planted"]


def test_blocks_of_several_partitions_are_joined_in_order(spark: SparkSession, tmp_path: Path,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(making, "BLOCK", 50)
    made = synthesise(
        spark, load_settings(tmp_path / "home", "test"), tmp_path / "out", 180, 5, years=(2018, 2019)
    )
    world, parts = region(5, years=(2018, 2019)), tmp_path / "parts"
    for number, count in ((2, 50), (0, 50), (3, 30), (1, 50)):
        write_block(make_block(world, number, count), world, parts, 0.0)
    for path, header in file_headers((2018, 2019)).items():
        if not path.startswith("sor/"):
            joined = b"".join(part.read_bytes() for part in sorted((parts / path).iterdir()))
            assert (made.delivery / path).read_bytes() == header + joined, path


def test_a_broken_run_leaves_no_delivery_and_a_new_one_replaces_the_old(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, out = load_settings(tmp_path / "home", "test"), tmp_path / "out"
    steps: list[tuple[str, int, int]] = []
    first = synthesise(
        spark, settings, out, 40, 1, years=(2019, 2019), progress=lambda *step: steps.append(step)
    )
    before = (out / "delivery" / "cpr" / "cpr3_t_person.csv").read_bytes()
    assert ("simulate", 1, 1) in steps and steps[-1][0] == "join" and steps[-1][1] == steps[-1][2]

    def breaks(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(forms, "join_parts", breaks)
        with pytest.raises(OSError, match="disk full"):
            synthesise(spark, settings, out, 40, 2, years=(2019, 2019))
        assert (out / "delivery" / "cpr" / "cpr3_t_person.csv").read_bytes() == before
        with pytest.raises(OSError, match="disk full"):
            synthesise(spark, settings, tmp_path / "fresh", 40, 2, years=(2019, 2019))
        assert list((tmp_path / "fresh").iterdir()) == []
    second = synthesise(spark, settings, out, 40, 2, years=(2019, 2019))
    assert second.delivery == first.delivery
    assert (out / "delivery" / "cpr" / "cpr3_t_person.csv").read_bytes() != before
    assert {path.name for path in out.iterdir()} == {"delivery", "truth.json"}


def test_senseless_sizes_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "home", "test")
    with pytest.raises(UsageError):
        synthesise(spark, settings, tmp_path, 0, 1)
    with pytest.raises(UsageError):
        synthesise(spark, settings, tmp_path, 10, 1, defects=0.9)


def test_spoiled_rows_are_counted_exactly(tmp_path: Path) -> None:
    """The same block with and without defects differs in exactly the rows the planted truth names."""
    world = region(9)
    block = make_block(world, 0, 400)
    write_block(block, world, tmp_path / "clean", 0.0)
    tallies = write_block(block, world, tmp_path / "spoiled", 0.05)
    planted: dict[str, dict[str, int]] = {}
    for path, what, number in tallies:
        planted.setdefault(path, {})[what] = number
    total: Counter[str] = Counter()
    for path in sorted(
        str(p.parent.relative_to(tmp_path / "clean")) for p in (tmp_path / "clean").rglob("000000")
    ):
        truth = dict(planted[path])
        spoiled = (tmp_path / "spoiled" / path / "000000").read_bytes().splitlines()
        assert len(spoiled) == truth.pop("rows"), path
        assert len(spoiled) - len(set(spoiled)) == truth.get("duplicate", 0), path
        kind = next(kind for kind in KINDS.values() if path.startswith(f"{kind.folder}/{kind.stem}"))
        fields = [line.split(b";") for line in spoiled]
        wrong = sum(len(row) != len(kind.columns) for row in fields)
        assert wrong == truth.get("column_count", 0), path
        whole = [row for row in fields if len(row) == len(kind.columns)]
        for bad, name in (
            (b"2019-02-30", "bad_date"),
            (b"0?0", "unknown_code"),
            (b"0000000000", "placeholder_cpr"),
        ):
            assert sum(bad in row for row in whole) == truth.get(name, 0), (path, name)
        total.update(truth)
    assert min(total[name] for name in ("bad_date", "unknown_code", "invalid_cpr", "placeholder_cpr",
               "orphan_contact", "orphaned", "column_count", "duplicate", "refuted", "negative_packages",
               "bounded_value", "mojibake")) > 0  # fmt: skip


def test_without_defects_no_row_is_spoiled(made: SynthSummary) -> None:
    assert set(made.defects) == {"lpr_f/diagnoser", "lmdb/lmdb", "lab/lab_forsker"}
