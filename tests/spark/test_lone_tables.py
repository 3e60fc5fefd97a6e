"""A delivery may bring any one table alone: every declared event can be made without the tables it looks up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lakehouse.delivery import all_sources
from lakehouse.door import EXTRA
from lakehouse.gold import event_rows, marked
from lakehouse.schema import Source, Table
from lakehouse.silver import silver_frame
from lakehouse.stays import ENCOUNTER

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
    ddl = EXTRA + "".join(f", `{each.name}` STRING" for each in table.fields)
    rows = marked(silver_frame(spark.createDataFrame([], ddl), table), table)
    contacts = spark.createDataFrame([], ENCOUNTER)
    for event in table.events:
        made = event_rows(rows, source, table, event, {"encounter": contacts})
        assert "person_id" in made.columns
