"""The cross-check without Spark: every way in which observed, opened and declared can disagree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from lakehouse.governance.access.openings import Opening
from lakehouse.governance.observers.observations import (
    Leaf,
    Observations,
    ObservedQuery,
    Scan,
    UnexplainedWork,
)
from lakehouse.governance.plans.lineage import PlanUse, Role, StudyTableUse
from lakehouse.governance.plans.tree import Node
from lakehouse.governance.scope.reconcile import OpenedTables, PermittedReads, Verdict, reconcile
from lakehouse.governance.scope.scope import State
from tests.governance.test_permits import permit

EVENT, SPELL = "/home/lake/gold/event", "/home/lake/gold/spell"
DECLARED = PermittedReads(
    permit(),
    {EVENT: "gold.event", "/home/lake/gold/person": "gold.person"},
    {"gold.event": 3, "gold.person": 2},
    "/home/lake",
    ("/home/keys",),
    ("/home/conf/permits/out.txt",),
)
GATED = OpenedTables(
    1,
    {
        "aaaaaaaa": Opening("lab", 1, "gold.event", ("day", "code", "place", "person_id")),
        "bbbbbbbb": Opening("other", 2, "gold.event", ("day",)),
        "cccccccc": Opening("lab", 1, "gold.event", (), platform=True),
        "dddddddd": Opening("old", 3, "gold.event", ("day",), closed=5.0),
    },
)


def used(nonce: str = "aaaaaaaa", **roles: Role) -> StudyTableUse:
    columns = {name: {role} for name, role in roles.items()} or {"day": {Role.DIRECT}}
    return StudyTableUse(
        "gold.event", "lab", nonce, columns, ["(`day` > 3)"], {7}, ("day", "code", "place", "person_id")
    )


def query(*used: StudyTableUse, **leaves: Leaf) -> ObservedQuery:
    """A query on 1 June 2025 at moment 9 over one pinned leaf, number 7, and further leaves under no study table."""
    outside = [outer(10 + place) for place in range(len(leaves))]
    found = {7: Leaf("TahoeLogFileIndex", EVENT, 3)} | {
        10 + n: leaf for n, leaf in enumerate(leaves.values())
    }
    return ObservedQuery("collect", date(2025, 6, 1), 9.0, False, PlanUse(list(used), outside), found)


def outer(identity: int) -> Node:
    """A leaf that no study table stands over, whose first column has this identity."""
    column = {"class": "x.expressions.AttributeReference", "num-children": 0, "exprId": {"id": identity}}
    return Node("LogicalRelation", "x.execution.LogicalRelation", {"output": [[column]]})


def verdict(*queries: ObservedQuery, **more: list[UnexplainedWork] | list[str]) -> Verdict:
    return reconcile(Observations(list(queries), **more), GATED, DECLARED)  # type: ignore[arg-type]


def test_agreement__is_accounted_and_tells_uses() -> None:
    seen = query(used(day=Role.DIRECT, place=Role.FILTER, person_id=Role.JOIN))
    seen.scans.append(Scan((EVENT,), ("day", "place", "person_id")))
    told = verdict(seen, seen)
    table = told.tables["gold.event"]
    assert told.state is State.ACCOUNTED and told.reasons == []
    assert [table.used(role) for role in Role] == [["day"], ["place"], ["person_id"]]
    assert table.columns == {"day", "place", "person_id"}
    assert table.predicates == ["(`day` > 3)"] and table.queries == 2


def test_many_conditions__are_shown_up_to_a_number() -> None:
    queries = []
    for day in range(60):
        one = query(used())
        one.use.study_tables[0].conditions = [f"(`day` > {day:02d})"]
        queries.append(one)
    shown = verdict(*queries).tables["gold.event"].predicates
    assert len(shown) == 51 and shown[0] == "(`day` > 00)" and shown[-1] == "and 10 further conditions"


def test_nothing_read__is_accounted() -> None:
    assert verdict().state is State.ACCOUNTED


BREACHES: list[tuple[ObservedQuery, str]] = [
    (query(used(place=Role.DIRECT)), "place was used direct, but is granted filter only"),
    (query(used(person_id=Role.FILTER)), "person_id was used filter, but is granted join only"),
    (query(used(unit=Role.FILTER)), "unit was used filter, but is granted not at all"),
    (query(used("eeeeeeee")), "claims an opening of gold.event that the study did not make"),
    (query(used("dddddddd")), "gold.event of study 'old' was read after that study was closed"),
    (query(used(), used("bbbbbbbb")), "joined this study's data with another study's"),
    (replace(query(used()), on=date(2026, 1, 1)), "outside the permit's 2025-01-01 to 2025-12-31"),
    (replace(query(used()), leaves={7: Leaf("TahoeLogFileIndex", EVENT, 2)}), "version 2 was read under the name"),
    (replace(query(used()), leaves={7: Leaf("TahoeLogFileIndex", SPELL, 1)}), "read under the name of gold.event"),
    (query(a=Leaf("TahoeLogFileIndex", EVENT, 2)), "version 2 (the study is pinned to 3) was read past the study"),
    (query(a=Leaf("InMemoryFileIndex", f"{SPELL}/part.parquet")), "part.parquet was read past the study"),
    (query(a=Leaf("InMemoryFileIndex", "/tmp/x", more=(SPELL,))), f"{SPELL} was read past the study"),
    (query(a=Leaf("InMemoryFileIndex", "/home/keys/root.key")), "root.key was read past the study"),
    (query(a=Leaf("InMemoryFileIndex", "/home/lake/go*/spell")), "was read past the study"),
    (query(a=Leaf("Relation", name="DeltaCDFRelation")), "change feed"),
    (replace(query(), command=f"DescribeDeltaHistoryCommand DeltaTableV2(x,{SPELL},None)"), f"was run on {SPELL}, past"),
    (query(replace(used(), columns=("day", "_metadata"))), "_metadata was taken though it was not handed out"),
    (replace(query(used()), writes=("/home/lake/gold/planted",)), "wrote to /home/lake/gold/planted"),
    (replace(query(used()), scans=[Scan((SPELL,), ("hours",))]), "was scanned though no source"),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "told"), BREACHES, ids=lambda each: each if isinstance(each, str) else "")
def test_breach__says_what(seen: ObservedQuery, told: str) -> None:
    found = verdict(seen)
    assert found.state is State.BREACH
    assert told in " ".join(found.reasons)


def test_gaps__leave_a_run_unaccounted() -> None:
    cases: list[Callable[[], Verdict]] = [
        lambda: verdict(runs=[UnexplainedWork("a job outside any query (take)", ())]),
        lambda: verdict(runs=[UnexplainedWork("a query outside the watched session (x)", (EVENT,))]),
        lambda: verdict(faults=["a query (collect) could not be read"]),
        lambda: verdict(replace(query(used()), fault="its executed plan could not be read")),
        lambda: verdict(query(a=Leaf("FileRDD", name="FileScanRDD"))),
        lambda: verdict(query(a=Leaf("Relation", name="JDBCRelation"))),
        lambda: verdict(query(a=Leaf("StreamingRelation"))),
        lambda: verdict(replace(query(), command="CreateDeltaTableCommand x, CloneTableCommand y")),
        lambda: verdict(replace(query(used()), leaves={})),
    ]
    for case in cases:
        assert case().state is State.UNACCOUNTED
        assert len(case().reasons) == 1


def test_runs_over_other_tables__are_breaches() -> None:
    assert verdict(runs=[UnexplainedWork("a job", (f"{SPELL}/_delta_log/*.json",))]).state is State.BREACH


def test_python_openings__are_breaches_named_once() -> None:
    found = verdict(opened=["Python opened /x", "Python opened /x"])
    assert found.reasons == ["Python opened /x, past the study."]


@pytest.mark.parametrize(
    "kind", ["Range", "LocalRelation", "OneRowRelation", "RDD", "DeltaLog", "SetCommand"]
)
def test_harmless_sources__are_nothing(kind: str) -> None:
    assert verdict(query(a=Leaf(kind))).state is State.ACCOUNTED


def test_data_from_elsewhere__is_a_remark() -> None:
    found = verdict(query(a=Leaf("InMemoryFileIndex", "/home/lakeside/own.csv")))
    assert found.state is State.ACCOUNTED
    assert found.remarks == ["Data from outside the lake was read: /home/lakeside/own.csv."]


def test_another_open_studys_query__is_not_ours() -> None:
    found = verdict(query(used("bbbbbbbb")), query(used("cccccccc")))
    assert found.state is State.ACCOUNTED and found.queries == 0 and not found.tables


def test_a_breach_beside_another_studys_table__is_still_ours() -> None:
    assert verdict(query(used("bbbbbbbb"), a=Leaf("InMemoryFileIndex", SPELL))).state is State.BREACH


def test_row_rules_own_sources__are_part_of_a_study_table() -> None:
    own = query(used())
    own.use.study_tables[0].leaves |= {8, 9}
    own.leaves |= {
        8: Leaf("TahoeLogFileIndex", "/home/lake/gold/person", 2),
        9: Leaf("InMemoryFileIndex", "/home/conf/permits/out.txt"),
    }
    assert verdict(own).state is State.ACCOUNTED
