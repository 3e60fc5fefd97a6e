"""Laboratory results: number, bound or word, each held against the interval of the laboratory that made it."""

from __future__ import annotations

from lakehouse.convert import number_or_null
from lakehouse.schema import FORMS, Event, Field, Source, Table, Type
from lakehouse.tables import Setting

BARE = 'CASE WHEN value < "A" THEN ltrim("<>= ", value) ELSE value END'
OPERATOR = (
    "CASE WHEN left(value, 1) IN ('<', '>') THEN left(value, 1) "
    "WHEN operator IN ('<', '>') THEN operator ELSE '=' END"
)
FLAG = (
    "CASE WHEN row.number IS NULL OR (row.low IS NULL AND row.high IS NULL) THEN NULL "
    "WHEN row.bound = '<' THEN CASE WHEN row.number <= row.low THEN 'L' ELSE 'N' END "
    "WHEN row.bound = '>' THEN CASE WHEN row.number >= row.high THEN 'H' ELSE 'N' END "
    "WHEN row.number > row.high THEN 'H' WHEN row.number < row.low THEN 'L' ELSE 'N' END"
)
"""A bound tells high or low only when it lies beyond the interval as a whole."""

RESULTS = Table(
    name="lab_results",
    files=rf"(.*/)?lab/(lab_forsker|lab_dm_forsker|laboratorieproevesvar)(_?\d{{4}})?{FORMS}",
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
    derived={
        "number": ("DOUBLE", number_or_null(BARE)),
        "bound": ("STRING", OPERATOR),
        "low": ("DOUBLE", number_or_null("reference_low")),
        "high": ("DOUBLE", number_or_null("reference_high")),
    },
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
                "value_num": "row.number",
                "value_op": "CASE WHEN row.number IS NOT NULL THEN row.bound END",
                "value_text": "CASE WHEN row.number IS NULL THEN row.value END",
                "unit": "row.unit",
                "flag": FLAG,
                "place": "row.laboratory",
                "setting": f"{Setting.LABORATORY:d}",
            },
        ),
    ),
)
SOURCE = Source(name="lab", format="danish", identifier="cpr", tables=(RESULTS,), levels=True)
