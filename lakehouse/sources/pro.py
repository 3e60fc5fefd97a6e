"""What patients report themselves: one line an answer, with the colour the algorithm gave the whole set."""

from __future__ import annotations

from lakehouse.data_model import Setting
from lakehouse.declarations.helpers import codelist, person, prefixed
from lakehouse.declarations.schema import DATED, FORMS, Event, Field, SetAggregate, Source, Table, Type

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

DECREMENTS = {row["item"] + row["answer"]: row["decrement"] for row in codelist("eq5d5l")}
"""What each answer of EQ-5D-5L takes off full health, by item and answer.

The Danish value set: Jensen CE, Sørensen SS, Gudex C, Jensen MB, Pedersen KM, Ehlers LH, Appl Health Econ Health
Policy 2021;19:579-591. From 1 (11111) to -0.758 (55555).
"""
WHOLE = "size(answers) = 5 AND size(array_distinct(transform(answers, x -> left(x, length(x) - 1)))) = 5"
"""SQL: the set has five answers, one to each item."""
TAKEN = "map({})".format(", ".join(f"'{answer}', {much}D" for answer, much in DECREMENTS.items()))
INDEX = f"round(1 - aggregate(answers, 0D, (sum, x) -> sum + try_element_at({TAKEN}, x)), 3)"
"""SQL: the utility of a set; null where an answer is missing."""
STATE = (
    "concat_ws('', transform(array('MO', 'SC', 'UA', 'PD', 'AD'), "
    "x -> right(try_element_at(filter(answers, y -> startswith(y, x)), 1), 1)))"
)
"""SQL: the five answers in order, as health states are written."""
WELL_BEING = (
    "4 * aggregate(answers, 0, (sum, x) -> sum + "
    "CASE WHEN right(x, 1) BETWEEN '0' AND '5' THEN CAST(right(x, 1) AS INT) END)"
)
"""SQL: WHO-5 from 0 to 100."""


def of_the_set(code: str, number: str, text: str, instrument: str, first: str) -> Event:
    """One event a whole set of five answers, on its first item; without one that was not answered."""
    return Event(
        WHEN
        | {
            "domain": "'questionnaire'",
            "code_raw": f"'{code}'",
            "code": prefixed("PRO", f"'{instrument}//{code}'"),
            "value_num": number,
            "value_text": text,
            "flag": "'N'",
        },
        where=f"instrument = '{instrument}' AND item = '{first}' AND {WHOLE} AND {number} IS NOT NULL",
    )


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
    together=SetAggregate(
        same=("response_id", "person_id", "instrument"),
        column="answers",
        aggregate="collect_set(CASE WHEN item <> 'VAS' AND length(answer) = 1 THEN concat(item, answer) END)",
    ),
    events=(
        of_the_set("INDEX", INDEX, STATE, "EQ5D5L", "MO"),
        of_the_set("SCORE", WELL_BEING, "NULL", "WHO5", "1"),
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
