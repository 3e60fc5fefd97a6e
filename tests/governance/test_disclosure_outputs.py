"""What goes out beside a table: attrition, scope records, and the guard over a folder that is to be shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.products.patterns import PERSON_COUNTS
from lakehouse.errors import DisclosureRefused
from lakehouse.governance.suppression.disclosure import Thresholds
from lakehouse.governance.suppression.totals import assert_clean, clean_scope, differ_by_few, merge_steps
from tests.support.pattern_tables import scope_like

K = Thresholds()


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        pytest.param([("all", 100), ("adult", 80)], [("all", 100), ("adult", 80)], id="far apart"),
        pytest.param(
            [("all", 100), ("a", 98), ("b", 80)], [("all", 100), ("a; b", 80)], id="told with the next"
        ),
        pytest.param([("all", 100), ("a", 98)], [("all", 100), ("a", None)], id="nothing follows"),
        pytest.param(
            [("all", 100), ("a", 100), ("b", 95)], [("all", 100), ("a", 100), ("b", 95)], id="none removed"
        ),
        pytest.param([("all", 100), ("a", 3)], [("all", 100), ("a", None)], id="few are left"),
        pytest.param([("all", 100), ("a", 0)], [("all", 100), ("a", 0)], id="nobody is left"),
        pytest.param([("all", 9), ("a", 7), ("b", 5)], [("all", 9), ("a; b", None)], id="in small steps"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_attrition_steps(steps: list[tuple[str, int]], told: list[tuple[str, int | None]]) -> None:
    assert merge_steps(steps, K) == told


@settings(deadline=None)
@given(st.lists(st.integers(0, 60), max_size=8), st.integers(5, 12))
def test_no_two_told_steps_differ_by_few_persons(numbers: list[int], k: int) -> None:
    steps = [(f"step {i}", persons) for i, persons in enumerate(sorted(numbers, reverse=True))]
    told = [persons for _, persons in merge_steps(steps, Thresholds(k)) if persons is not None]
    differences = {abs(x - y) for i, x in enumerate(told) for y in told[:i]}
    assert not any(0 < difference < k for difference in {*differences, *told})
    rules = "; ".join(rule for rule, _ in merge_steps(steps, Thresholds(k)))
    assert all(rule in rules for rule, _ in steps), "no rule goes untold"


def test_a_harmless_scope_is_shown_as_it_is() -> None:
    assert clean_scope(scope_like(), K) == scope_like()


@pytest.mark.parametrize(
    ("persons", "shown"),
    [
        ((20_000, 19_998), (20_000, 19_995)),
        ((20_000, 3), (20_000, 0)),
        ((4, None), (0, None)),
        ((20, 10), (20, 10)),
    ],
)
def test_persons_that_differ_by_few_are_rounded(
    persons: tuple[int | None, ...], shown: tuple[int | None, ...]
) -> None:
    scope = scope_like()
    for read, count in zip(scope["reads"], persons, strict=True):
        read["persons"] = read["rows"] = count
    cleaned = clean_scope(scope, K)
    assert tuple(read["persons"] for read in cleaned["reads"]) == shown
    assert ("shown" in cleaned) == (persons != shown)
    assert cleaned["digest"] == scope["digest"], "the digest stays that of the exact record"


def test_a_total_shown_beside_the_record_counts_too() -> None:
    scope = scope_like()
    scope["reads"][0]["persons"] = 20_003
    assert clean_scope(scope, K) == scope
    assert clean_scope(scope, K, [20_001])["reads"][0]["persons"] == 20_000
    assert clean_scope(scope, K, [20_003, 19_000]) == scope


@pytest.mark.parametrize(
    ("totals", "few"),
    [([20, 20], False), ([20, 16], True), ([20, 15], False), ([3], True), ([0, None], False), ([], False)],
)
def test_totals_that_differ_by_few(totals: list[int | None], few: bool) -> None:
    assert differ_by_few(totals, K) is few


@pytest.mark.parametrize(
    "predicate", ["person_id = 'ab12ab12ab12ab12ab12'", "cpr = '010170-1234'", "cpr = '6101701234'"]
)
def test_identifiers_leave_predicates(predicate: str) -> None:
    scope = scope_like()
    scope["reads"][0]["predicates"] = [predicate, "birth_year >= 1950 AND day < 20454"]
    first, second = clean_scope(scope, K)["reads"][0]["predicates"]
    assert first == predicate.split("'")[0] + "'…'" and second == "birth_year >= 1950 AND day < 20454"


@pytest.mark.parametrize(
    ("write", "where"),
    [
        pytest.param(lambda f: pq.write_table(pa.table({"O": [7, 3]}), f / "a.parquet"), "a.parquet: O", id="parquet"),
        pytest.param(lambda f: pa_csv.write_csv(pa.table({"n_a": [4]}), f / "a.csv"), "a.csv: n_a", id="csv"),
        pytest.param(
            lambda f: (f / "a.json").write_text(json.dumps({"x": [{"persons": 2}]})), "a.json: persons", id="json"
        ),
        pytest.param(
            lambda f: (f / "a.html").write_text('<td data-persons="3">3</td>'), "a.html: data-persons=3", id="page"
        ),
        pytest.param(
            lambda f: (f / "a.html").write_text('<script type="application/json">{"O": [9, 1]}</script>'),
            "a.html: O", id="data in a page",
        ),
    ],
)  # fmt: skip
def test_a_folder_with_a_small_count_is_refused(
    tmp_path: Path, write: Callable[[Path], object], where: str
) -> None:
    (tmp_path / "deep").mkdir()
    write(tmp_path / "deep")
    with pytest.raises(DisclosureRefused, match="1 to 4 persons") as refused:
        assert_clean(tmp_path, PERSON_COUNTS, K)
    assert f"deep/{where}" in str(refused.value)


def test_a_clean_folder_passes(tmp_path: Path) -> None:
    pq.write_table(pa.table({"O": [5, None, 0], "rr": [1.5, 2.5, 3.5]}), tmp_path / "a.parquet")
    (tmp_path / "a.json").write_text(json.dumps({"persons": 12, "version": 1, "queries": 3}))
    (tmp_path / "a.html").write_text(
        '<td data-persons="12">12</td><script type="application/json">{"O": [9]}</script>'
    )
    assert_clean(tmp_path, PERSON_COUNTS, K)
    with pytest.raises(DisclosureRefused, match=r"a\.json: persons"):
        assert_clean(tmp_path, PERSON_COUNTS, Thresholds(20))
