"""The scope record, the conditions in it, and the watch over Python's own file openings."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from lakehouse.errors import ScopeBreach
from lakehouse.governance.access.platform_reads import platform_at_work
from lakehouse.governance.guard.file_watch import FileWatch
from lakehouse.governance.observers.observations import scans_of
from lakehouse.governance.plans.predicates import conjuncts, render, without_tokens
from lakehouse.governance.plans.text import below, plain_path, schema_names
from lakehouse.governance.plans.tree import Node, parse_plan
from lakehouse.governance.scope.scope import Read, Scope, State

SCOPE = Scope(
    study="lab",
    permit={"id": "p", "version": 1, "hash": "00"},
    actor="anna",
    started="2025-06-01T10:00:00+00:00",
    ended="2025-06-01T10:01:00+00:00",
    state=State.ACCOUNTED,
    reads=[Read("gold.event", "lake/gold/event", 1, ["code"], ["day"], [], ["code", "day"], ["(`day` > 3)"], 20, 8, 1)],
    versions={"gold.event": 1},
)  # fmt: skip


def test_record__survives_json_and_keeps_its_digest() -> None:
    again = Scope.from_json(SCOPE.to_json())
    assert again == SCOPE and again.digest == SCOPE.digest and len(SCOPE.digest) == 36
    assert json.loads(SCOPE.to_json())["releasable"] is True


def test_record__that_was_changed_is_refused() -> None:
    with pytest.raises(ScopeBreach, match="was changed"):
        Scope.from_json(SCOPE.to_json().replace('"persons": 8', '"persons": 9'))


def test_record__of_another_version_is_refused_with_a_sentence() -> None:
    for change in ({"format": 1}, {"invented": 1}):
        text = json.dumps(json.loads(SCOPE.to_json()) | change)
        with pytest.raises(ScopeBreach, match="this version of the platform reads 2"):
            Scope.from_json(text)


def test_record__is_releasable_only_when_accounted() -> None:
    assert [Scope(**{**vars(SCOPE), "state": state}).releasable for state in State] == [True, False, False]


def test_record__reads_as_text() -> None:
    told = SCOPE.describe()
    for part in (
        "scope accounted",
        "gold.event version 1: 20 rows, 8 persons",
        "direct code",
        "where  (`day` > 3)",
    ):
        assert part in told


def test_tokens__in_conditions_are_replaced() -> None:
    token = "01" + "ab" * 16
    hidden = without_tokens(f"(`person_id` = '{token}') AND (`day` > 17000)")
    assert token not in hidden and hidden.endswith("AND (`day` > 17000)") and "'#" in hidden
    assert hidden == without_tokens(f"(`person_id` = '{token}') AND (`day` > 17000)")


def tree(*nodes: tuple[str, int, dict[str, object]]) -> Node:
    text = [
        {"class": f"x.expressions.{name}", "num-children": children, **fields}
        for name, children, fields in nodes
    ]
    return parse_plan(json.dumps(text))


COLUMN = ("AttributeReference", 0, {"name": "day"})


def literal(value: object, kind: str) -> tuple[str, int, dict[str, object]]:
    return ("Literal", 0, {"value": value, "dataType": kind})


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        ([("GreaterThan", 2, {}), COLUMN, literal("3", "integer")], "(`day` > 3)"),
        ([("Not", 1, {}), ("IsNull", 1, {}), COLUMN], "(NOT (`day` IS NULL))"),
        ([("In", 3, {}), COLUMN, literal("b", "string"), literal("a", "string")], "(`day` IN ('a', 'b'))"),
        ([("EqualTo", 2, {}), COLUMN, literal("o'b\\", "string")], "(`day` = 'o\\'b\\\\')"),
        ([("EqualTo", 2, {}), COLUMN, literal(None, "string")], "(`day` = NULL)"),
        ([("EqualTo", 2, {}), COLUMN, literal("2.5", "double")], "(`day` = CAST('2.5' AS DOUBLE))"),
        (
            [("EqualTo", 2, {}), COLUMN, literal("2.5", "decimal(2,1)")],
            "(`day` = CAST('2.5' AS decimal(2,1)))",
        ),
        ([("EqualTo", 2, {}), COLUMN, literal("2020-01-01", "date")], "(`day` = DATE '2020-01-01')"),
        ([("EqualTo", 2, {}), COLUMN, literal("true", "boolean")], "(`day` = TRUE)"),
        ([("EqualTo", 2, {}), COLUMN, literal("5", "timestamp")], None),
        ([("EqualTo", 2, {}), COLUMN, ("PythonUDF", 1, {}), COLUMN], None),
        ([("LessThan", 2, {}), ("Rand", 1, {}), literal("1", "long"), COLUMN], None),
        ([("Like", 2, {"escapeChar": None}), COLUMN, literal("a%", "string")], "(`day` LIKE 'a%')"),
        ([("Like", 2, {"escapeChar": "?"}), COLUMN, literal("a%", "string")], None),
    ],
)
def test_conditions__as_sql_or_not_at_all(
    nodes: list[tuple[str, int, dict[str, object]]], text: str | None
) -> None:
    assert render(tree(*nodes), lambda node: f"`{node.fields['name']}`") == text


def test_conditions__fall_into_parts_that_all_hold() -> None:
    both = tree(("And", 2, {}), ("IsNull", 1, {}), COLUMN, ("Or", 2, {}), COLUMN, COLUMN)
    assert [part.name for part in conjuncts(both)] == ["IsNull", "Or"]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("file:/a/b", "/a/b"),
        ("file:///a//b/", "/a/b"),
        ("/a/b", "/a/b"),
        ("hdfs://node/a", "hdfs://node/a"),
    ],
)
def test_paths__are_plain(given: str, path: str) -> None:
    assert plain_path(given) == path


def test_paths__below_a_folder_but_not_beside_it() -> None:
    assert below("/lake/gold", "/lake") and below("/lake", "/lake")
    assert not below("/lakeside/x", "/lake") and not below("/la*/x", "/lake")


def test_scans__columns_of_nested_schemas_and_cached_parts() -> None:
    assert schema_names("struct<a:int,b:array<struct<x:int,y:string>>,c:decimal(3,1)>") == ("a", "b", "c")
    scan = {
        "nodeName": "Scan parquet ",
        "metadata": {
            "Location": "PreparedDeltaFileIndex(1 paths)[file:/lake/x]",
            "ReadSchema": "struct<a:int>",
        },
        "metrics": [{"accumulatorId": 4}],
        "children": [],
    }
    plan = {
        "nodeName": "InMemoryTableScan",
        "metadata": {},
        "metrics": [{"accumulatorId": 2}],
        "children": [scan],
    }
    scans, metrics = scans_of(plan)
    assert (scans[0].paths, scans[0].columns, scans[0].cached) == (("/lake/x",), ("a",), True)
    assert metrics == {2, 4}


@pytest.fixture
def watched(tmp_path: Path) -> tuple[Path, list[str], FileWatch]:
    (tmp_path / "lake" / "gold" / "event").mkdir(parents=True)
    (tmp_path / "lake" / "gold" / "event" / "part.parquet").write_bytes(b"x")
    (tmp_path / "lake" / "lake.toml").write_text("")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "root.key").write_bytes(b"k")
    told: list[str] = []
    return tmp_path, told, FileWatch(tmp_path / "lake", tmp_path / "keys", told.append)


def test_watch__sees_tables_and_keys_and_nothing_else(watched: tuple[Path, list[str], FileWatch]) -> None:
    home, told, watch = watched
    part = home / "lake" / "gold" / "event" / "part.parquet"
    watch.start()
    try:
        (home / "lake" / "lake.toml").read_text()
        (home / "own.txt").write_text("mine")
        with platform_at_work():
            part.read_bytes()
        assert told == []
        part.read_bytes()
        (home / "keys" / "root.key").read_bytes()
        (home / "way").symlink_to(part)
        (home / "way").read_bytes()
        (home / "lake" / "gold" / ".." / "gold" / "event" / "part.parquet").read_bytes()
        subprocess.run(["true", str(part)], check=True)
    finally:
        watch.stop()
    part.read_bytes()
    assert told[:2] == [f"Python opened {part}", f"Python opened {home / 'keys' / 'root.key'}"]
    assert told.count(f"Python opened {part}") == 4
    assert any("process" in each for each in told)
