"""The watch over gold's form: what it says of a change, and that it sees rows rather than files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from tests.support.gold_form import as_text, complaint, table_hash

FOUND = {"form": 6, "delivery": "d", "tables": {"gold.event": "1", "gold.person": "2"}}


def test_gold_that_changes_under_one_form_must_raise_it() -> None:
    noted = FOUND | {"tables": {"gold.event": "0", "gold.person": "2"}}
    assert "gold.event is computed differently while the form of gold stays 6" in complaint(noted, FOUND)
    assert "Raise FORM" in complaint(noted, FOUND)


@pytest.mark.parametrize(
    ("changed", "said"), [({"form": 5}, "raised to 6"), ({"delivery": "c"}, "another one")]
)
def test_a_raised_form_and_another_delivery_are_noted_anew(changed: dict[str, object], said: str) -> None:
    told = complaint(FOUND | changed | {"tables": {}}, FOUND)
    assert said in told
    assert "Raise FORM" not in told
    assert complaint(FOUND, FOUND) == ""


def test_the_hash_is_of_rows_whatever_files_they_lie_in(tmp_path: Path) -> None:
    rows = [{"a": 1, "b": 0.1 + 0.2, "c": [1, 2]}, {"a": None, "b": 1e9, "c": []}]
    write_deltalake(tmp_path / "one", pa.Table.from_pylist(rows))
    for row in reversed(rows):
        write_deltalake(
            tmp_path / "two", pa.Table.from_pylist([row], pa.Table.from_pylist(rows).schema), mode="append"
        )
    write_deltalake(tmp_path / "other", pa.Table.from_pylist([rows[0] | {"c": [2, 1]}, rows[1]]))
    assert table_hash(tmp_path / "one") == table_hash(tmp_path / "two") != table_hash(tmp_path / "other")
    assert as_text(0.1 + 0.2) == as_text(0.3)
