"""Home measurements as FHIR observations: bursts, missing days, and the same value uploaded again."""

from __future__ import annotations

from lakehouse.data_model import Setting
from lakehouse.declarations.helpers import prefixed
from lakehouse.declarations.schema import BUNDLES, DATED, Bundle, Event, Field, Source, Table, Type

MEASUREMENTS = Table(
    name="telemedicine_observations",
    files=rf"(.*/)?telemedicin/{DATED}observationer[^/]*{BUNDLES}",
    bundle=Bundle("Observation"),
    key=("resource_id",),
    version="version",
    decimal=".",
    fields=(
        Field("resource_id", Type.KEY, path="id", filled=True, domain="telemedicine"),
        Field("version", Type.INTEGER, path="meta.versionId", filled=True),
        Field("person_id", Type.PERSON, path="subject.identifier.value", filled=True),
        Field("measured_at", Type.TIMESTAMP, path="effectiveDateTime", filled=True),
        Field(
            "analysis",
            Type.CODE,
            path="code.coding[system=http://npu-terminology.org].code",
            filled=True,
            pattern=r"(NPU|DNK)\d{5}",
        ),
        Field("value", Type.NUMBER, path="valueQuantity.value", filled=True),
        Field("unit", path="valueQuantity.code", required=False),
        Field("device", path="device.display", required=False),
        Field("entered_by", Type.CODE, path="method.coding.code", required=False, pattern=r"DEVICE|MANUAL"),
        Field("place", Type.CODE, path="performer.identifier.value", required=False),
    ),
    events=(
        Event(
            {
                "time_start": "row.measured_at",
                "time_precision": "'minute'",
                "domain": "'measurement'",
                "code_system": "'NPU'",
                "code_raw": "row.analysis",
                "code": prefixed("NPU", "row.analysis"),
                "code_role": "CASE row.entered_by WHEN 'MANUAL' THEN 'manual' ELSE 'device' END",
                "value_num": "row.value",
                "value_op": "'='",
                "unit": "row.unit",
                "place": "row.place",
                "setting": f"{Setting.OUTPATIENT:d}",
            }
        ),
    ),
)
SOURCE = Source(name="telemedicine", format="danish", identifier="cpr", tables=(MEASUREMENTS,), levels=True)
