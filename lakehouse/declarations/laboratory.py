"""What every source of laboratory results has in common: number, bound or word; unit made one; flag and plausibility."""

from __future__ import annotations

from collections.abc import Callable

from lakehouse.data_model import Setting
from lakehouse.declarations.convert import number_or_none
from lakehouse.declarations.quality import clock, joined
from lakehouse.declarations.schema import DerivedColumn, Event, Join, KnownPairs, Type

UNITS = "units.csv"
UNIT = Join("unit_list", "unit_key", "unit_key")
KNOWN_UNITS = KnownPairs(("analysis", "unit"), UNITS, "unknown_unit")
WORDS = {"NORMAL": "N", "FORHØJET": "H", "FORHOEJET": "H", "NEDSAT": "L"}
"""Words that say themselves where a result lies."""
UNLIKELY = "row.number * unit_list.factor + unit_list.offset NOT BETWEEN unit_list.low AND unit_list.high"
"""Outside what a living person can have, by the code's own band."""


def result_number(value: str | None) -> float | None:
    """The number of a result, without the sign of a bound; None where it is a word."""
    return number_or_none(value.lstrip("<>= ") if value is not None and value < "A" else value)


def result_bound(value: str | None, operator: str | None) -> str | None:
    """Whether a result is a bound: ``<`` or ``>`` out of its own text, else out of the column of operators; else ``=``."""
    if value and value[0] in "<>":
        return value[0]
    return operator if operator in ("<", ">") else "="


def unit_key(analysis: str | None, unit: str | None) -> str | None:
    """What the list of units is keyed by; ``analysis`` is the code."""
    return None if analysis is None else f"{analysis.upper()}|{unit or ''}"


def result_columns(
    column: str = "analysis", key: Callable[..., str | None] = unit_key
) -> dict[str, DerivedColumn]:
    """Silver columns read out of the delivered texts; ``key`` makes the unit's key of the ``column`` with the code."""
    return {
        "number": DerivedColumn(Type.NUMBER, ("value",), result_number),
        "bound": DerivedColumn(Type.TEXT, ("value", "operator"), result_bound),
        "low": DerivedColumn(Type.NUMBER, ("reference_low",), number_or_none),
        "high": DerivedColumn(Type.NUMBER, ("reference_high",), number_or_none),
        "unit_key": DerivedColumn(Type.TEXT, (column, "unit"), key),
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
