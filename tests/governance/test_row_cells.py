"""The check of kinds without one of their own: small rows go, and what nested rows or complements give away."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.products.columns import FACTS
from lakehouse.governance.suppression.disclosure import Thresholds
from lakehouse.governance.suppression.row_cells import check_rows

K = Thresholds()
Row = tuple[list[str], int, int]


def sets(rows: list[Row]) -> pa.Table:
    """Sets with the persons who have them and those of them with the outcome."""
    items, persons, outcome = (list(column) for column in zip(*rows, strict=True))
    return pa.table(
        {
            "items": pa.array(items, pa.list_(pa.string())),
            "window": pa.array(["-"] * len(rows)),
            "n_person": pa.array(persons, pa.int32()),
            "O": pa.array(outcome, pa.int32()),
            "rr": pa.array(np.array(outcome) / np.maximum(persons, 1)),
            "lag_q05": pa.array([3.0] * len(rows)),
            "lag_q50": pa.array([30.0] * len(rows)),
            "tested": pa.array([True] * len(rows)),
            "called": pa.array([True] * len(rows)),
        }
    )


FACTS_HERE = {**FACTS, "n_person": FACTS["n_a"]}


def shown(rows: list[Row]) -> list[dict[str, object]]:
    return list(check_rows(sets(rows), FACTS_HERE, K)[0].to_pylist())


def test_a_row_of_few_persons_does_not_leave_nor_its_names() -> None:
    rows = shown([(["A", "B"], 4, 0), (["A"], 300, 100)])
    assert [row["items"] for row in rows] == [["A"]]


def test_a_small_outcome_takes_every_number_made_of_it() -> None:
    (row,) = shown([(["A"], 300, 3)])
    assert row["n_person"] == 300 and row["small_cell"] == "numbers"
    assert all(row[name] is None for name in ("O", "rr", "called", "lag_q50"))


@pytest.mark.parametrize("outcome", [296, 299])
def test_a_small_complement_is_as_telling_as_a_small_count(outcome: int) -> None:
    (row,) = shown([(["A"], 300, outcome)])
    assert row["O"] is None


def test_the_difference_of_two_nested_rows_is_no_small_group() -> None:
    rows = shown([(["A"], 300, 100), (["A", "B"], 297, 99), (["A", "C"], 100, 30)])
    assert [row["items"] for row in rows] == [["A"], ["A", "C"]]


def test_a_quantile_needs_persons_beyond_it() -> None:
    (row,) = shown([(["A"], 300, 60)])
    assert row["lag_q05"] is None and row["lag_q50"] == 30.0


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from("ABCD"), min_size=1, max_size=4, unique=True).map(sorted),
            st.integers(0, 40),
            st.integers(0, 40),
        ).map(lambda row: (row[0], max(row[1:]), min(row[1:]))),
        min_size=1,
        max_size=12,
        unique_by=lambda row: tuple(row[0]),
    )
)
def test_nothing_small_is_left_in_any_table(rows: list[Row]) -> None:
    left = shown(rows)
    persons = {tuple(row["items"]): row["n_person"] for row in left}  # type: ignore[arg-type]
    for row in left:
        for value in (row["n_person"], row["O"]):
            assert value is None or value == 0 or value >= 5  # type: ignore[operator]
        if row["O"]:
            assert not 0 < row["n_person"] - row["O"] < 5  # type: ignore[operator]
    for own, count in persons.items():
        for other, more in persons.items():
            if set(other) < set(own):
                assert not 0 < more - count < 5  # type: ignore[operator]


def test_the_record_counts_what_was_hidden() -> None:
    table, record = check_rows(sets([(["A"], 300, 150), (["B"], 3, 0), (["C"], 90, 2)]), FACTS_HERE, K)
    assert (record.pairs, record.pairs_whole, table.num_rows) == (3, 1, 2)
    assert {hidden.rule: hidden.pairs for hidden in record.hidden} == {"margin": 1, "count": 1, "lag": 1}
    assert record.verdict == "released without small cells"
