"""A delivery may bring any one table alone: every declared event can be made without the tables it looks up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lakehouse.declarations.schema import Source, Table
from lakehouse.delivery.find import all_sources
from lakehouse.delta.tables import table_path
from lakehouse.gold.events import event_rows, marked
from lakehouse.gold.stays import ENCOUNTER
from lakehouse.ingest.run import ingest
from lakehouse.ingest.silver import silver_schema
from lakehouse.lake import Lake
from lakehouse.settings import load_settings
from tests.support.deliveries import ANNA, contact, persons, write_delivery

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DECLARED = [
    (source, table)
    for sources in all_sources().values()
    for source in sources
    for table in source.tables
    if table.events
]


@pytest.mark.parametrize(
    ("source", "table"), DECLARED, ids=[f"{source.name}-{table.name}" for source, table in DECLARED]
)
def test_events_without_anything_to_look_up(spark: SparkSession, source: Source, table: Table) -> None:
    rows = marked(spark.createDataFrame(silver_schema(table).empty_table()), table)
    contacts = spark.createDataFrame([], ENCOUNTER)
    for event in table.events:
        made = event_rows(rows, source, table, event, {"encounter": contacts})
        assert "person_id" in made.columns


def test_contacts_of_whom_nothing_else_is_delivered_are_events(spark: SparkSession, tmp_path: Path) -> None:
    files = {
        "cpr/cpr3_t_person.csv": persons(),
        "lpr_f/kontakter.csv": [contact("41", ANNA, "2020-01-01 08:00", "2020-01-03 09:00")],
    }
    settings = load_settings(tmp_path / "home", "test")
    ingest(Lake(spark, settings), write_delivery(tmp_path / "out", files))
    events = spark.read.format("delta").load(str(table_path(settings, "gold.event")))
    codes = [row.code for row in events.where("domain = 'contact'").collect()]
    assert codes == ["LPR//ADMISSION"]
