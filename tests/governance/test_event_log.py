"""The second observer: what an event log says was scanned, and that what it shows beyond the plans is a breach or a gap."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lakehouse.governance.observers.event_log import EventLogReads, EventLogScan, read
from lakehouse.governance.observers.observations import Observations, UnexplainedWork
from lakehouse.governance.permits.model import Permit
from lakehouse.governance.scope.cross_check import hold_log
from lakehouse.governance.scope.reconcile import ObservedTable, PermittedReads, Verdict
from lakehouse.governance.scope.scope import State
from tests.governance.test_permits import permit

SQL = "org.apache.spark.sql.execution.ui."


def scan(path: str, columns: str = "struct<day:int,code:string>", metric: int = 7) -> dict[str, Any]:
    return {
        "nodeName": "Scan parquet ", "children": [],
        "metadata": {
            "Location": f"PreparedDeltaFileIndex(1 paths)[file:{path}]", "ReadSchema": columns,
            "PushedFilters": "[EqualTo(code,ICD10//A)]", "PartitionFilters": "[]",
        },
        "metrics": [{"name": "number of output rows", "accumulatorId": metric, "metricType": "sum"}],
    }  # fmt: skip


def started(execution: int, *children: dict[str, Any], update: bool = False) -> dict[str, Any]:
    kind = "SparkListenerSQLAdaptiveExecutionUpdate" if update else "SparkListenerSQLExecutionStart"
    plan = {"nodeName": "Project", "metadata": {}, "metrics": [], "children": list(children)}
    return {"Event": SQL + kind, "executionId": execution, "sparkPlanInfo": plan}


def task(metric: int, update: object) -> dict[str, Any]:
    return {
        "Event": "SparkListenerTaskEnd",
        "Task Info": {"Accumulables": [{"ID": metric, "Update": update}]},
    }


def job(number: int, scope: str, **properties: str) -> dict[str, Any]:
    stage = {"RDD Info": [{"Scope": json.dumps({"id": "1", "name": scope})}]}
    return {
        "Event": "SparkListenerJobStart",
        "Job ID": number,
        "Stage Infos": [stage],
        "Properties": properties,
    }


def logged(tmp_path: Path, *events: dict[str, Any]) -> EventLogReads:
    path = tmp_path / "log"
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return read(path)


def test_the_last_plan_of_an_execution_counts_and_rows_are_summed_over_tasks(tmp_path: Path) -> None:
    first, last = started(3, scan("/old")), started(3, scan("/lake/gold/event"), update=True)
    found = logged(tmp_path, first, last, task(7, 40), task(7, "2"), task(8, 100), task(7, "a text"))
    assert found.executions == 1
    assert found.scans == [
        EventLogScan(3, ("/lake/gold/event",), ("day", "code"), "[] [EqualTo(code,ICD10//A)]", 42)
    ]


def test_deltas_reading_of_its_own_log_is_left_out(tmp_path: Path) -> None:
    assert logged(tmp_path, started(1, scan("/lake/gold/event/_delta_log/0.json"))).scans == []


@pytest.mark.parametrize(
    ("event", "loose"),
    [
        (job(4, "Scan parquet "), [4]),
        (job(5, "textFile"), [5]),
        (job(6, "Scan parquet ", **{"spark.sql.execution.id": "3"}), []),
        (job(7, "parallelize"), []),
    ],
)
def test_jobs_of_no_query_that_read_files_are_counted(
    tmp_path: Path, event: dict[str, Any], loose: list[int]
) -> None:
    assert logged(tmp_path, event).loose_jobs == loose


def test_a_line_that_is_no_event_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "log").write_text('{"Event": "x"}\n{half')
    with pytest.raises(ValueError):
        read(tmp_path / "log")


def declared(made: Permit | None = None) -> PermittedReads:
    tables = {"/lake/gold/event": "gold.event", "/lake/gold/person": "gold.person"}
    own = {"gold.event": frozenset({"person_id"}), "gold.person": frozenset({"person_id", "region"})}
    return PermittedReads(made or permit(), tables, {}, "/lake", ("/keys",), ("/keys/list",), own)


def judged(*scans: EventLogScan, **more: Any) -> Verdict:
    verdict = Verdict(tables={"gold.event": ObservedTable()})
    seen = Observations(logged=EventLogReads(list(scans), len(scans), more.pop("loose", [])), **more)
    hold_log(seen, declared(), verdict)
    return verdict


def at(path: str, *columns: str) -> EventLogScan:
    return EventLogScan(1, (path,), columns, "", 1234)


def test_what_permit_and_row_rules_cover_is_accounted() -> None:
    verdict = judged(
        at("/lake/gold/event", "day", "person_id", "_tmp_metadata_row_index"),
        at("/lake/gold/person", "region"),
    )
    assert verdict.state is State.ACCOUNTED
    assert verdict.observers["rows_scanned"] == {"gold.event": 1200, "gold.person": 1200}


@pytest.mark.parametrize(
    ("scan_", "told"),
    [
        (at("/lake/gold/event", "day", "cost_dkk"), "cost_dkk of gold.event left the disk"),
        (at("/lake/gold/person", "sex"), "sex of gold.person left the disk"),
        (at("/lake/gold/spell", "hours"), "/lake/gold/spell was scanned, past the study"),
        (at("/keys/other", "value"), "/keys/other was scanned"),
        (at("/elsewhere/../lake/gold/spell", "hours"), "was scanned, past the study"),
    ],
)
def test_what_they_do_not_cover_is_a_breach(scan_: EventLogScan, told: str) -> None:
    verdict = judged(scan_)
    assert verdict.state is State.BREACH and told in " ".join(verdict.breaches)


def test_the_opt_out_list_and_data_from_elsewhere_are_none() -> None:
    assert judged(at("/keys/list", "value"), at("/own/file", "x")).state is State.ACCOUNTED


def test_a_table_no_query_reads_is_a_gap_and_one_not_granted_a_breach() -> None:
    places = {"/lake/gold/event": "gold.event", "/lake/gold/person": "gold.person"}
    plain = PermittedReads(permit(), places, {}, "/lake")
    for path, state in (("/lake/gold/event", State.UNACCOUNTED), ("/lake/gold/person", State.BREACH)):
        verdict = Verdict()
        hold_log(Observations(logged=EventLogReads([at(path)], 1)), plain, verdict)
        assert verdict.state is state
        assert "no query that the recorder knows reads it" in verdict.reasons[0]


def test_jobs_the_recorder_did_not_report_are_a_gap() -> None:
    assert judged(loose=[4, 5], runs=[UnexplainedWork("a job", ())]).gaps == [
        "1 jobs outside any query read files, and the recorder does not know which."
    ]
    assert judged(loose=[4], runs=[UnexplainedWork("a job", ())]).gaps == []


def test_a_missing_log_is_a_gap() -> None:
    verdict = Verdict()
    hold_log(Observations(), declared(), verdict)
    assert verdict.state is State.UNACCOUNTED and "event log" in verdict.gaps[0]


def test_with_another_study_open_the_log_is_only_a_remark() -> None:
    verdict = judged(at("/lake/gold/spell", "hours"), shared=True)
    assert verdict.state is State.ACCOUNTED and "Another study" in verdict.remarks[0]
