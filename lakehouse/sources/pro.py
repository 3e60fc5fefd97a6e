"""What patients report themselves: one line an answer, with the colour the algorithm gave the whole set."""

from __future__ import annotations

from lakehouse.declare import person, prefixed
from lakehouse.schema import DATED, FORMS, Event, Field, Source, Table, Type
from lakehouse.tables import Setting

COLOURS = {"GRØN": "GREEN", "GUL": "YELLOW", "RØD": "RED", "GREEN": "GREEN", "YELLOW": "YELLOW", "RED": "RED"}
FIRST_ITEMS = "('MO', '1')"
"""The item every set of an instrument begins with; it stands for the set."""
WHEN = {
    "time_start": "row.answered_at",
    "time_precision": "CASE WHEN row.answered_at = date_trunc('DAY', row.answered_at) THEN 'day' ELSE 'minute' END",
    "code_system": "'PRO'",
    "place": "row.place",
    "setting": f"{Setting.OUTPATIENT:d}",
}

ANSWERS = Table(
    name="pro_answers",
    files=rf"(.*/)?pro/{DATED}pro_(svar|answers)(_?\d{{4}})?{FORMS}",
    once=True,
    fields=(
        Field("response_id", Type.KEY, filled=True, domain="pro_response"),
        person(),
        Field("instrument", Type.CODE, filled=True, pattern=r"[A-Z0-9]{2,16}"),
        Field("version", required=False),
        Field("item", Type.CODE, aliases=("item_code",), filled=True, pattern=r"[A-Z0-9_]{1,16}"),
        Field("answer", Type.CODE, aliases=("answer_code",)),
        Field("answer_text", Type.RESTRICTED, required=False),
        Field("answered_at", Type.TIMESTAMP, filled=True),
        Field("sent_at", Type.TIMESTAMP, required=False),
        Field("mode", Type.CODE, required=False, pattern=r"WEB|PAPER|PROXY"),
        Field("colour", Type.CODE, aliases=("algorithm_colour",), values=COLOURS, required=False),
        Field("place", Type.CODE, aliases=("sor",), required=False, pattern=r"\d{6,}"),
    ),
    events=(
        Event(
            WHEN
            | {
                "domain": "'questionnaire'",
                "code_raw": "row.item",
                "code": prefixed("PRO", "concat(row.instrument, '//', row.item)"),
                "value_num": "CASE WHEN row.answer <> '9' OR row.item = 'VAS' THEN try_cast(row.answer AS DOUBLE) END",
                "value_text": "CASE WHEN try_cast(row.answer AS DOUBLE) IS NULL THEN row.answer END",
                "flag": "'N'",
            }
        ),
        Event(
            WHEN
            | {
                "domain": "'questionnaire'",
                "code_raw": "row.colour",
                "code": prefixed("PRO", "concat(row.instrument, '//', row.colour)"),
            },
            where=f"colour IS NOT NULL AND item IN {FIRST_ITEMS}",
        ),
    ),
)
SOURCE = Source(name="pro", format="danish", identifier="cpr", tables=(ANSWERS,), levels=True)
