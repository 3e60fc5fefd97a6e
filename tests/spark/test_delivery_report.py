"""The report of an ingest says what came, what broke and what changed; a corrected rule lets rows through."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lakehouse.delivery.register import entries
from lakehouse.ingest import quarantine_replay as module
from lakehouse.ingest.quarantine_replay import declared_table, quarantined, replay, shown
from lakehouse.ingest.run import ingest, rebuild
from lakehouse.lake import Lake
from lakehouse.settings import load_settings
from tests.support.deliveries import ANNA, BENT, persons, write_delivery, write_file

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NAME = "dod/dodsaars.csv"


def test_a_report_tells_and_a_corrected_rule_lets_rows_through(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(tmp_path / "home", "test")
    lines = [f"{ANNA};2020-01-01;I219;x", f"{BENT};2020-01-02;?9;y", "0000000000;2020-01-01;I21;z", "short"]
    root = write_delivery(tmp_path / "out", {"cpr/cpr3_t_person.csv": persons()})
    write_file(root, NAME, lines, header="PNR;D_DODSDATO;C_DOD1A;Ekstra")
    summary = ingest(Lake(spark, settings), root)
    assert summary.report is not None
    told = json.loads(summary.report.with_suffix(".json").read_text(encoding="utf-8"))
    (deaths,) = (each for each in told["files"] if each["table"] == "dod_deaths")
    assert (deaths["rows_in"], deaths["silver"], deaths["quarantine"], deaths["new"]) == (4, 1, 3, True)
    reasons = {each["reason"]: each["examples"] for each in told["quarantine"]}
    assert reasons == {
        "bad_cause": ["cause=?9"],
        "no_subject": ["person_id=9999999999"],
        "corrupt_row": ["1 of 4 fields: AAAAA"],
    }
    (columns,) = (each for each in told["columns"] if each["file"] == NAME)
    assert columns["unknown"] == ["ekstra"]
    assert set(columns["missing"]) == {"cause_b", "cause_c", "cause_d", "underlying", "manner"}
    assert told["gold"]["gold.person"] == 3
    assert told["verdict"]["state"] == "refused" and summary.verdict in str(summary)
    assert told["verdict"]["reasons"] == [
        f"{NAME}: 75.0% of 4 new rows are in quarantine (allowed are 10.0%)."
    ]
    assert set(told["verdict"]["definitions"]) == {"delivery/default@1", "delivery/organisations@1"}
    page = summary.report.read_text(encoding="utf-8")
    assert page.index("Refused, for one reason.") < page.index("Every row is accounted for")
    assert "cause=?9" in page
    assert "http" not in page and "<script" not in page
    for text in (page, json.dumps(told)):
        assert ANNA not in text and BENT not in text

    assert ("dod_deaths", "bad_cause", 1) in quarantined(entries(Lake(spark, settings)))
    (row,) = shown(Lake(spark, settings), "dod_deaths", "bad_cause", 5)
    assert (row["file"], row["row"], row["example"]) == (NAME, 2, "cause=?9")
    writers = [os.getpid()]
    assert replay(Lake(spark, settings), "dod_deaths", writers).let_through == 0
    table = declared_table("dod_deaths")
    lenient = dataclasses.replace(
        table,
        fields=tuple(
            dataclasses.replace(each, pattern="") if each.name == "cause" else each for each in table.fields
        ),
    )
    monkeypatch.setattr(module, "declared_table", lambda name: lenient)
    done = replay(Lake(spark, settings), "dod_deaths", writers)
    assert (done.looked_at, done.let_through, done.still_refused) == (3, 1, 2)
    assert replay(Lake(spark, settings), "dod_deaths", writers).let_through == 0
    (entry,) = (each for each in entries(Lake(spark, settings)) if each.source_table == "dod_deaths")
    assert (entry.rows_silver, entry.reasons, entry.balanced) == (
        2,
        {"no_subject": 1, "corrupt_row": 1},
        True,
    )
    rebuild(Lake(spark, settings))
    person = spark.read.format("delta").load(str(settings.lake / "gold" / "person"))
    assert person.where("death_date IS NOT NULL").count() == 3
