"""The result table: every column declared once, the same for every job, stored whole with its origin."""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from experiments.products.pattern_kinds import kind_of
from experiments.products.patterns import COLUMNS, FACTS, PERSON_COUNTS, REQUIRED, PatternMeta, Patterns
from lakehouse.errors import DataError
from lakehouse.governance.suppression.disclosure import Fact, Thresholds
from tests.support.pattern_tables import code_names, meta, patterns, scan_table


def test_every_column_says_what_it_means_in_which_unit() -> None:
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)
    assert all(column.about.endswith((".", "p.")) and len(column.about) > 10 for column in COLUMNS)
    assert set(PERSON_COUNTS) == {"n_a", "n_b", "n_person", "n_before", "n_same_day", "n_after", "O"}


def test_no_column_that_follows_from_a_count_is_left_out_of_the_check() -> None:
    """What is a key must not be a function of joint counts; this list is the whole of it."""
    keys = {name for name, fact in FACTS.items() if fact is Fact.KEY}
    assert keys == {
        "kind", "code_a", "code_b", "text_a", "text_b", "items", "texts", "window", "nsr", "comparable", "flags", "tested",
        "small_cell", "job", "study", "permit", "data_versions", "seed",
    }  # fmt: skip


def test_names_come_from_the_codes_numbers() -> None:
    raw = patterns(20)
    codes, texts = code_names(20)
    scan = scan_table(20)
    row = 17
    assert raw.table["code_a"][row].as_py() == codes[scan["code_a"][row].as_py()]
    assert raw.table["text_b"][row].as_py() == texts[scan["code_b"][row].as_py()]


def test_codes_of_one_name_and_codes_without_a_name(tmp_path: Path) -> None:
    codes, _ = code_names(20)
    texts = [None, "Same", "Same", *[f"Text {i}" for i in range(17)]]
    raw = Patterns.from_scan(scan_table(20), codes, texts, meta())
    frame = pd.read_parquet(raw.write_file(tmp_path / "patterns.parquet"))
    by_code = dict(zip(frame["code_a"], frame["text_a"], strict=True))
    assert [by_code[code] for code in codes] == ["", *texts[1:]]


def test_every_job_has_the_same_columns_in_the_same_types() -> None:
    scan = scan_table(20).select([*sorted(REQUIRED), "tested"])
    table = Patterns.from_scan(scan, *code_names(20), meta()).table
    assert table.column_names == [column.name for column in kind_of("pair").all_columns]
    assert [field.type for field in table.schema] == [column.type for column in kind_of("pair").all_columns]
    assert table["rr"].null_count == len(table), "what a job does not make is empty"
    assert set(table["job"].to_pylist()) == {"mine_pairs"} and set(table["seed"].to_pylist()) == {7}
    assert table["data_versions"][0].as_py() == "gold.timeline@1 gold.vocabulary@1"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(lambda scan: scan.append_column("lift", scan["rr"]), "'lift'.*unknown", id="unknown"),
        pytest.param(lambda scan: scan.drop_columns(["O"]), "'O'.*missing", id="missing"),
    ],
)
def test_a_column_nobody_declared_and_one_that_is_missing_are_refused(change: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Patterns.from_scan(change(scan_table(20)), *code_names(20), meta())  # type: ignore[operator]


def test_stored_and_read_again_it_is_the_same(tmp_path: Path) -> None:
    raw = patterns(20)
    path = raw.write_file(tmp_path / "new" / "patterns.parquet")
    again = Patterns.read(path)
    assert again.meta == raw.meta
    assert again.table.to_pylist() == raw.table.to_pylist()
    assert [entry.name for entry in path.parent.iterdir()] == ["patterns.parquet"], (
        "nothing half-written is left"
    )


def test_a_file_without_origin_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"rr": [1.0]}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="no record of its making"):
        Patterns.read(tmp_path / "x.parquet")


def test_called_patterns_come_by_the_end_of_the_interval_nearest_to_one() -> None:
    significant = patterns(60, persons=100_000, planted=60).significant()
    assert significant.num_rows > 10 and all(significant["called"].to_pylist())
    strength = [
        max(low, 1 / high) if low and high else 0.0
        for low, high in zip(
            significant["rr_low"].to_pylist(), significant["rr_high"].to_pylist(), strict=True
        )
    ]
    assert strength == sorted(strength, reverse=True)


def test_a_checked_table_says_so() -> None:
    checked, _ = patterns(20).cleaned(Thresholds())
    assert checked.meta.checked and not patterns(20).meta.checked
    assert checked.table.column_names == [column.name for column in kind_of("pair").all_columns]
    assert set(checked.table["tested"].to_pylist()) == {True}


def test_origin_as_one_line() -> None:
    origin = PatternMeta("j", "s", "p", 1, {"gold.timeline": 3, "gold.event": 2})
    assert origin.versions_text == "gold.event@2 gold.timeline@3"


def test_a_national_table_is_written_in_time(tmp_path: Path) -> None:
    """A fifth of 2.25 million pairs; processor time, the best of three: the machine has other things to do."""
    raw = patterns(671, persons=200_000)
    assert len(raw) == 449_570
    times = []
    for _ in range(3):
        began = time.process_time()
        raw.write_file(tmp_path / "patterns.parquet")
        times.append(time.process_time() - began)
    assert min(times) < 1.5 / 5 * 2, f"{min(times):.2f} s; the whole should take at most 1.5 s"
    assert pc.sum(Patterns.read(tmp_path / "patterns.parquet").table["O"]) == pc.sum(raw.table["O"])
