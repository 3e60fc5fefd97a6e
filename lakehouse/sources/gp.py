"""The record of general practice: contacts, own measurements, the condition list, and who is listed where."""

from __future__ import annotations

from lakehouse.data_model import Setting
from lakehouse.declarations.helpers import moment, person, prefixed
from lakehouse.declarations.schema import BUNDLES, DATED, FORMS, Bundle, Event, Field, Source, Table, Type

HERE = f"{Setting.PRIMARY_CARE:d}"
PROVIDER = Field("provider", Type.CODE, aliases=("ydernr",), pad=6, pattern=r"\d{6}")
ICPC2 = r"[A-Z]\d{2}"
SKS_DIAGNOSIS = r"D[A-Z]\d{2}[0-9A-Z]{0,5}"


def coded(system: str, column: str, code: str, day: str, place: str, role: str = "main") -> Event:
    """A diagnosis written in one of the two code systems of practice, where the row has it."""
    return Event(
        {
            "time_start": f"CAST({day} AS TIMESTAMP_NTZ)",
            "domain": "'diagnosis'",
            "code_system": f"'{system}'",
            "code_raw": f"row.{column}",
            "code": prefixed(system, code),
            "code_role": f"'{role}'",
            "place": place,
            "setting": HERE,
        },
        where=f"{column} IS NOT NULL",
    )


CONTACTS = Table(
    name="gp_contact",
    files=rf"(.*/)?gp/{DATED}gp_contact(_?\d{{4}})?{FORMS}",
    once=True,
    fields=(
        person(),
        PROVIDER,
        Field("met_on", Type.DATE, aliases=("dt", "kontaktdato"), filled=True),
        Field("kind", Type.CODE, aliases=("type",), filled=True, pattern=r"[A-Z]{2,12}"),
        Field("icpc2", Type.CODE, required=False, pattern=ICPC2),
        Field("sks", Type.CODE, required=False, pattern=SKS_DIAGNOSIS),
    ),
    events=(
        Event(
            {
                "time_start": moment("met_on"),
                "domain": "'contact'",
                "code_system": "'GP'",
                "code_raw": "row.kind",
                "code": prefixed("GP", "row.kind"),
                "place": "row.provider",
                "setting": HERE,
            }
        ),
        coded("ICPC2", "icpc2", "row.icpc2", "row.met_on", "row.provider"),
        coded("ICD10", "sks", "substr(row.sks, 2)", "row.met_on", "row.provider"),
    ),
)
MEASURES = Table(
    name="gp_measure",
    files=rf"(.*/)?gp/{DATED}gp_measure(_?\d{{4}})?{FORMS}",
    once=True,
    fields=(
        person(),
        PROVIDER,
        Field("measured_on", Type.DATE, aliases=("dt",), filled=True),
        Field("analysis", Type.CODE, aliases=("npu",), filled=True, pattern=r"(NPU|DNK)\d{5}"),
        Field("value", Type.NUMBER, filled=True),
        Field("unit", required=False),
    ),
    events=(
        Event(
            {
                "time_start": moment("measured_on"),
                "domain": "'measurement'",
                "code_system": "'NPU'",
                "code_raw": "row.analysis",
                "code": prefixed("NPU", "row.analysis"),
                "value_num": "row.value",
                "value_op": "'='",
                "unit": "row.unit",
                "place": "row.provider",
                "setting": HERE,
            }
        ),
    ),
)
LISTED = Table(
    name="gp_list",
    files=rf"(.*/)?gp/{DATED}gp_list(_?\d{{4}})?{FORMS}",
    once=True,
    fields=(
        person(),
        PROVIDER,
        Field("listed_from", Type.DATE, aliases=("fra", "from"), filled=True),
        Field("listed_to", Type.DATE, aliases=("til", "to")),
    ),
    events=(
        Event(
            {
                "time_start": moment("listed_from"),
                "time_end": moment("listed_to"),
                "domain": "'administrative'",
                "code_system": "'GP'",
                "code": "'GP//LISTED'",
                "place": "row.provider",
                "setting": HERE,
            }
        ),
    ),
)
CONDITIONS = Table(
    name="gp_conditions",
    files=rf"(.*/)?gp/{DATED}conditionlist[^/]*{BUNDLES}",
    bundle=Bundle("Condition"),
    key=("resource_id",),
    version="version",
    fields=(
        Field("resource_id", Type.KEY, path="id", filled=True, domain="gp_condition"),
        Field("version", Type.INTEGER, path="meta.versionId", filled=True),
        Field(
            "person_id",
            Type.PERSON,
            path="subject.resolve().identifier[system=urn:oid:1.2.208.176.1.2].value",
            filled=True,
        ),
        Field("recorded_on", Type.DATE, path="recordedDate", filled=True),
        Field(
            "sks",
            Type.CODE,
            path="code.coding[system=urn:oid:1.2.208.176.2.4.12].code",
            required=False,
            pattern=SKS_DIAGNOSIS,
        ),
        Field(
            "icpc2",
            Type.CODE,
            path="code.coding[system=urn:oid:1.2.208.176.2.31].code",
            required=False,
            pattern=ICPC2,
        ),
        Field("status", Type.CODE, path="clinicalStatus.coding.code", required=False),
        Field("provider", Type.CODE, path="asserter.identifier.value", required=False, pad=6),
    ),
    events=(
        coded("ICPC2", "icpc2", "row.icpc2", "row.recorded_on", "row.provider"),
        coded("ICD10", "sks", "substr(row.sks, 2)", "row.recorded_on", "row.provider"),
    ),
)
SOURCE = Source(
    name="gp",
    format="danish",
    identifier="cpr",
    tables=(CONTACTS, MEASURES, LISTED, CONDITIONS),
    levels=True,
)
