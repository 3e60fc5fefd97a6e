"""Every kind of pattern says what it needs, how it is told and how it is checked; its table is stored like any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from experiments.products.columns import COLUMNS
from experiments.products.pattern_kinds import kind_of, kinds
from experiments.products.patterns import Patterns
from lakehouse.errors import DataError
from lakehouse.governance.suppression.disclosure import Fact, Thresholds
from tests.support.pattern_tables import code_names, meta


@pytest.mark.parametrize("name", sorted(kinds()))
def test_a_kind_is_whole(name: str) -> None:
    kind = kind_of(name)
    columns = [column.name for column in kind.all_columns]
    assert len(set(columns)) == len(columns), "no column twice"
    assert columns[: len(COLUMNS)] == [column.name for column in COLUMNS]
    assert kind.required <= set(columns)
    assert set(kind.needs) <= set(columns)
    assert kind.tests(100) and kind.asked and kind.one and kind.many
    assert kind.shown or name == "pair"
    assert kind.limits, "a page says what this kind cannot tell"
    assert not kind.model or set(kind.model.columns) <= set(columns)
    for column in kind.columns:
        assert column.about.endswith("."), column.name
        whole = column.unit == "persons" and pa.types.is_integer(column.type)
        assert not (whole and column.fact is Fact.KEY), f"{column.name} counts persons and is never hidden"


def test_a_kind_nobody_declared_is_refused() -> None:
    with pytest.raises(DataError, match=r"'nonsense'.*pair"):
        kind_of("nonsense")


def made_up(name: str, rows: int = 8) -> pa.Table:
    """A table of a kind with every column filled: large counts, ratios around 1."""
    rng = np.random.default_rng(3)
    made: dict[str, pa.Array] = {}
    kind = kind_of(name)
    for column in kind.all_columns:
        if column.name in (
            "kind",
            "text_a",
            "text_b",
            "texts",
            "small_cell",
            "job",
            "study",
            "permit",
            "data_versions",
            "seed",
        ):
            continue
        if column.name in ("code_a", "code_b"):
            made[column.name] = pa.array(rng.permutation(20)[:rows].astype(np.int32))
        elif column.name == "items":
            made["items"] = pa.array(
                [rng.permutation(20)[:3].tolist() for _ in range(rows)], pa.list_(pa.int32())
            )
        elif pa.types.is_list(column.type):
            made[column.name] = pa.array([[10.0, 20.0]] * rows, column.type)
        elif pa.types.is_boolean(column.type):
            made[column.name] = pa.array([True] * rows)
        elif pa.types.is_integer(column.type):
            size = 900 if column.fact is Fact.MARGIN else 300
            made[column.name] = pa.array((size + 50 * np.arange(rows)).astype(np.int32))
        elif pa.types.is_dictionary(column.type):
            made[column.name] = pa.array([""] * rows)
        else:
            made[column.name] = pa.array(rng.uniform(0.5, 2, rows))
    if made["items"] is not None and "items" not in kind.required:
        del made["items"]
    if "code_a" not in kind.required:
        made = {key: value for key, value in made.items() if key not in ("code_a", "code_b")}
    return pa.table(made)


@pytest.mark.parametrize("name", sorted(set(kinds()) - {"pair"}))
def test_a_table_of_the_kind_is_checked_told_and_stored(name: str, tmp_path: Path) -> None:
    codes, texts = code_names(20)
    raw = Patterns.from_scan(made_up(name), codes, texts, meta(job="j"), kind=name)
    checked, _ = raw.cleaned(Thresholds())
    again = Patterns.read(checked.write_file(tmp_path / "patterns.parquet"))
    assert again.form.name == name and again.meta.kind == name
    rows = again.significant().to_pylist()
    assert rows and set(again.table["kind"].to_pylist()) == {name}
    kind = again.form
    for row in rows:
        assert all(isinstance(one.text(row), str) and one.text(row) for one in kind.shown)
        assert len(kind.sentence(row)) > 20
    hidden = {
        key: None if kind.facts[key] not in (Fact.KEY, Fact.MARGIN) else value
        for key, value in rows[0].items()
    }
    assert all(isinstance(one.text(hidden), str) for one in kind.shown), "a hidden number has words too"
