"""What every source of laboratory results has in common: number, bound or word; unit made one; flag and plausibility."""

from __future__ import annotations

from lakehouse.convert import number_or_null
from lakehouse.quality import clock, joined
from lakehouse.schema import Event, Join, Known
from lakehouse.tables import Setting

UNITS = "units.csv"
UNIT = Join("unit_list", "unit_key", "unit_key")
KNOWN_UNITS = Known(("analysis", "unit"), UNITS, "unknown_unit")
BARE = 'CASE WHEN value < "A" THEN ltrim("<>= ", value) ELSE value END'
OPERATOR = (
    "CASE WHEN left(value, 1) IN ('<', '>') THEN left(value, 1) "
    "WHEN operator IN ('<', '>') THEN operator ELSE '=' END"
)
WORDS = {"NORMAL": "N", "FORHØJET": "H", "FORHOEJET": "H", "NEDSAT": "L"}
"""Words that say themselves where a result lies."""
UNLIKELY = "row.number * unit_list.factor + unit_list.offset NOT BETWEEN unit_list.low AND unit_list.high"
"""Outside what a living person can have, by the code's own band."""


def result_columns(analysis: str) -> dict[str, tuple[str, str]]:
    """Silver columns read out of the delivered texts; ``analysis`` is SQL of the code."""
    return {
        "number": ("DOUBLE", number_or_null(BARE)),
        "bound": ("STRING", OPERATOR),
        "low": ("DOUBLE", number_or_null("reference_low")),
        "high": ("DOUBLE", number_or_null("reference_high")),
        "unit_key": ("STRING", f"concat({analysis}, '|', coalesce(unit, ''))"),
    }


def flag() -> str:
    """SQL of H, L or N against the interval that came with the result; null where nothing tells.

    A bound tells high or low only when it lies beyond the interval as a whole. What no living person can have
    tells nothing.
    """
    words = " ".join(f"WHEN '{word}' THEN '{letter}'" for word, letter in WORDS.items())
    return (
        f"CASE WHEN row.number IS NULL THEN CASE upper(row.value) {words} END "
        f"WHEN {UNLIKELY} THEN NULL WHEN row.low IS NULL AND row.high IS NULL THEN NULL "
        "WHEN row.bound = '<' THEN CASE WHEN row.number <= row.low THEN 'L' ELSE 'N' END "
        "WHEN row.bound = '>' THEN CASE WHEN row.number >= row.high THEN 'H' ELSE 'N' END "
        "WHEN row.number > row.high THEN 'H' WHEN row.number < row.low THEN 'L' ELSE 'N' END"
    )


def result_event(moment: str, precision: str, system: str, code: str, where: str = "true") -> Event:
    """A result: the value in the unit of the code list, under the code that unit is listed with.

    An old code that differs from the present one by its unit alone becomes the present one. Results of codes
    the list does not name keep their number and unit as they came.
    """
    return Event(
        {
            "time_start": moment,
            "time_precision": precision,
            "domain": "'laboratory'",
            "code_system": system,
            "code_raw": "row.analysis",
            "code": f"CASE WHEN unit_list.becomes IS NOT NULL THEN concat('NPU//', unit_list.becomes) ELSE {code} END",
            "value_num": "coalesce(round(row.number * unit_list.factor + unit_list.offset, 6), row.number)",
            "value_op": "CASE WHEN row.number IS NOT NULL THEN row.bound END",
            "value_text": "CASE WHEN row.number IS NULL THEN row.value END",
            "unit": "coalesce(unit_list.ucum, row.unit)",
            "flag": flag(),
            "place": "row.laboratory",
            "setting": f"{Setting.LABORATORY:d}",
            "quality": joined(
                "row.remarks",
                f"CASE WHEN {UNLIKELY} THEN 'implausible_value' END",
                "CASE WHEN row.number IS NOT NULL AND row.unit IS NULL THEN 'no_unit' "
                "WHEN row.number IS NOT NULL AND unit_list.ucum IS NULL THEN 'unit_as_delivered' END",
                clock(moment, precision),
            ),
        },
        where=where,
        joins=(UNIT,),
    )
