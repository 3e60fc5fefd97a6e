"""Laboratory results: number, bound or word, each held against the interval of the laboratory that made it."""

from __future__ import annotations

from lakehouse.convert import as_number
from lakehouse.schema import Event, Field, Source, Table, Type
from lakehouse.tables import Setting

BARE = 'regexp_replace(row.value, r"^[<>]=? *", "")'
NUMBER = as_number(BARE, ",")
OPERATOR = (
    "CASE WHEN left(row.value, 1) IN ('<', '>') THEN left(row.value, 1) "
    "WHEN row.operator IN ('<', '>') THEN row.operator ELSE '=' END"
)
LOW, HIGH = as_number("row.reference_low", ","), as_number("row.reference_high", ",")
FLAG = (
    f"CASE WHEN {NUMBER} IS NULL OR ({LOW} IS NULL AND {HIGH} IS NULL) THEN NULL "
    f"WHEN {OPERATOR} = '<' THEN CASE WHEN {NUMBER} <= {LOW} THEN 'L' ELSE 'N' END "
    f"WHEN {OPERATOR} = '>' THEN CASE WHEN {NUMBER} >= {HIGH} THEN 'H' ELSE 'N' END "
    f"WHEN {NUMBER} > {HIGH} THEN 'H' WHEN {NUMBER} < {LOW} THEN 'L' ELSE 'N' END"
)
"""A bound tells high or low only when it lies beyond the interval as a whole."""

RESULTS = Table(
    name="lab_results",
    files=r"(.*/)?lab/(lab_forsker|lab_dm_forsker|laboratorieproevesvar)(_?\d{4})?\.csv(\.gz)?",
    once=True,
    fields=(
        Field("person_id", Type.PERSON, aliases=("patient_cpr", "cprnummer", "pnr"), filled=True),
        Field("sampled_on", Type.DATE, aliases=("samplingdate", "samplingdato"), filled=True),
        Field("sampled_at", Type.TIME, aliases=("samplingtime",), required=False),
        Field("analysis", Type.CODE, aliases=("analysiscode", "npu"), filled=True, pattern=r"(NPU|DNK)\d{5}"),
        Field("value", aliases=("samplevalue",), filled=True),
        Field("operator", required=False),
        Field("unit", required=False),
        Field("reference_low", aliases=("referenceinterval_lowerlimit",), required=False),
        Field("reference_high", aliases=("referenceinterval_upperlimit",), required=False),
        Field("laboratory", Type.CODE, aliases=("laboratorium_idcode",), required=False),
    ),
    events=(
        Event(
            {
                "time_start": "CAST(concat(row.sampled_on, ' ', coalesce(row.sampled_at, '00:00:00')) AS TIMESTAMP_NTZ)",
                "time_precision": "CASE WHEN coalesce(row.sampled_at, '00:00:00') = '00:00:00' THEN 'day' "
                "ELSE 'minute' END",
                "domain": "'laboratory'",
                "code_system": "'NPU'",
                "code_raw": "row.analysis",
                "code": "concat('NPU//', row.analysis)",
                "value_num": NUMBER,
                "value_op": f"CASE WHEN {NUMBER} IS NOT NULL THEN {OPERATOR} END",
                "value_text": f"CASE WHEN {NUMBER} IS NULL THEN row.value END",
                "unit": "row.unit",
                "flag": FLAG,
                "place": "row.laboratory",
                "setting": f"{Setting.LABORATORY:d}",
            },
        ),
    ),
)
SOURCE = Source(name="lab", format="danish", identifier="cpr", tables=(RESULTS,), levels=True)
