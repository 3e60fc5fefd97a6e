"""Benefits week by week, one wide row a person: equal weeks next to each other become one event with start and end."""

from __future__ import annotations

from lakehouse.data_model import Setting
from lakehouse.declarations.convert import week_sql
from lakehouse.declarations.helpers import person, prefixed
from lakehouse.declarations.schema import DATED, FORMS, Event, Field, Source, Table, Type

WEEKS = Table(
    name="dream_weeks",
    files=rf"(.*/)?dream/{DATED}dream(_?\d{{4,6}})?{FORMS}",
    fields=(
        person(),
        Field("weeks", Type.WIDE, gathers=r"y_(\d{4})", runs=True),
    ),
    events=(
        Event(
            {
                "time_start": f"CAST({week_sql('item.first')} AS TIMESTAMP_NTZ)",
                "time_end": f"CAST(date_add({week_sql('item.last')}, 6) AS TIMESTAMP_NTZ)",
                "time_precision": "'week'",
                "domain": "'social'",
                "code_system": "'DREAM'",
                "code_raw": "item.value",
                "code": prefixed("DREAM", "upper(item.value)"),
                "setting": f"{Setting.REGISTER:d}",
            },
            each="weeks",
        ),
    ),
)
"""A single day suffices for a week's code, and codes overwrite one another by priority: never use them to count days."""
SOURCE = Source(name="dream", format="danish", identifier="cpr", tables=(WEEKS,), levels=True)
