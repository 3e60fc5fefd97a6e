"""Laboratory results by three ways: the research register, a region's own system, and copies sent as messages."""

from __future__ import annotations

from lakehouse.declarations.hospital import PERSON, moment, precision
from lakehouse.declarations.laboratory import KNOWN_UNITS, result_columns, result_event
from lakehouse.declarations.schema import FORMS, Copies, Field, Source, Table, Type

NATIONAL = r"(NPU|DNK)\d{5}"
LOCAL = r"[A-ZÆØÅ0-9][A-ZÆØÅ0-9_.-]{1,14}"
"""A laboratory's own code, which only that laboratory understands."""
IS_NATIONAL = f"row.analysis RLIKE r'^{NATIONAL}$'"


def results(name: str, stem: str, rank: int, analysis: str) -> Table:
    """Results of one way; ``rank`` says whose copy of a result is the best (1), ``analysis`` which codes it may hold."""
    return Table(
        name=name,
        files=rf"(.*/)?lab/{stem}(_?\d{{4}})?{FORMS}",
        once=True,
        fields=(
            Field("person_id", Type.PERSON, aliases=("patient_cpr", *PERSON), filled=True),
            Field("sampled_on", Type.DATE, aliases=("samplingdate", "samplingdato"), filled=True, sas=True),
            Field("sampled_at", Type.TIME, aliases=("samplingtime",), required=False),
            Field("analysis", Type.CODE, aliases=("analysiscode", "npu"), filled=True, pattern=analysis),
            Field("value", aliases=("samplevalue",), filled=True),
            Field("operator", required=False),
            Field("unit", required=False),
            Field("reference_low", aliases=("referenceinterval_lowerlimit",), required=False),
            Field("reference_high", aliases=("referenceinterval_upperlimit",), required=False),
            Field("laboratory", Type.CODE, aliases=("laboratorium_idcode",), required=False),
            Field("requester", Type.CODE, aliases=("rekvirent_id",), required=False),
        ),
        known=KNOWN_UNITS,
        same=Copies("laboratory", str(rank)),
        derived=result_columns(),
        events=(
            result_event(
                moment("row.sampled_on", "row.sampled_at"),
                precision("row.sampled_at"),
                f"CASE WHEN {IS_NATIONAL} THEN 'NPU' ELSE 'LAB' END",
                f"CASE WHEN {IS_NATIONAL} THEN concat('NPU//', row.analysis) "
                "ELSE concat('LAB//', coalesce(row.laboratory, '?'), '/', row.analysis) END",
            ),
        ),
    )


SOURCE = Source(
    name="lab",
    format="danish",
    identifier="cpr",
    tables=(
        results("lab_labka", r"labka", 1, LOCAL),
        results("lab_results", r"(lab_forsker|lab_dm_forsker|laboratorieproevesvar)", 2, NATIONAL),
        results("lab_medcom", r"medcom", 3, LOCAL),
    ),
    levels=True,
)
