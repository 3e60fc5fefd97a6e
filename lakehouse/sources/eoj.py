"""The municipal care record as FHIR bundles: conditions, goals, help, meetings, ratings; FSIII in four code forms."""

from __future__ import annotations

from lakehouse.data_model import Setting
from lakehouse.declarations.helpers import codelist, prefixed, translated
from lakehouse.declarations.schema import BUNDLES, DATED, Bundle, Event, Field, Source, Table, Type

HERE = f"{Setting.MUNICIPAL:d}"
FSIII = "urn:oid:1.2.208.176.2.21"
CPR = "urn:oid:1.2.208.176.1.2"
SOR = "urn:oid:1.2.208.176.1.1"
FILES = rf"(.*/)?eoj/{DATED}bundle[^/]*{BUNDLES}"
FORM = (
    r"[A-J](\d{1,2}([a-c]|\.\d{1,2})?)?|[0-9A-F]{8}([-_][0-9A-F]{4}){3}[-_][0-9A-F]{12}"
    r"|[A-ZÆØÅ]{2}[A-ZÆØÅ0-9§_]*"
)
"""Letter and digits, a UUID with hyphens, one with low lines, or words joined by low lines; upper case."""


def one_id(column: str) -> str:
    """SQL of the letter code a code in any of the four forms stands for.

    A UUID or word the list does not know keeps its own form, with hyphens, so that it is still one id.
    """
    known: dict[str, str] = {}
    for row in codelist("fsiii"):
        known |= {row["uuid"].upper(): row["code"], row["word"].upper(): row["code"]}
    hyphened = (
        f"CASE WHEN {column} RLIKE '^[0-9A-F]{{8}}_' THEN replace({column}, '_', '-') ELSE {column} END"
    )
    return f"coalesce({translated(hyphened, known)}, {hyphened})"


def severity(column: str) -> str:
    """SQL of a severity as a number, 0 none to 4 total; null where it does not apply (B6)."""
    steps = " ".join(f"WHEN 'B{step + 1}' THEN {step}" for step in range(5))
    return f"CASE {one_id(column)} {steps} END"


def resource(*more: Field, person: str = "subject") -> tuple[Field, ...]:
    """Columns every resource has: id and version, the citizen, and the organisation that keeps the record."""
    citizen = f"{person}.resolve()"
    return (
        Field("resource_id", Type.KEY, path="id", filled=True, domain="eoj"),
        Field("version", Type.INTEGER, path="meta.versionId", filled=True),
        Field("person_id", Type.PERSON, path=f"{citizen}.identifier[system={CPR}].value", filled=True),
        Field("place", Type.CODE, path=f"{citizen}.managingOrganization.identifier.value", required=False),
        *more,
    )


def fsiii(name: str, path: str, *, filled: bool = False) -> Field:
    """A code of Fælles Sprog III."""
    return Field(
        name,
        Type.CODE,
        path=f"{path}.coding[system={FSIII}].code",
        filled=filled,
        required=filled,
        pattern=FORM,
    )


def table(name: str, kind: str, fields: tuple[Field, ...], columns: dict[str, str], each: str = "") -> Table:
    """A resource type: upserted by id and version, one event a row."""
    given = {
        "code_system": "'FSIII'",
        "code_raw": "row.code",
        "code": prefixed("FSIII", one_id("row.code")),
        "place": "row.place",
        "setting": HERE,
    }
    return Table(
        name=name,
        files=FILES,
        bundle=Bundle(kind, each=each),
        key=("resource_id",) if not each else ("resource_id", "code"),
        version="version",
        fields=fields,
        events=(Event(given | columns),),
    )


CONDITIONS = table(
    "eoj_conditions",
    "Condition",
    resource(
        fsiii("code", "code", filled=True),
        fsiii("severity", "severity"),
        Field("recorded_on", Type.DATE, path="recordedDate", filled=True),
        Field("clinical_status", Type.CODE, path="clinicalStatus.coding.code", required=False),
        Field("verification", Type.CODE, path="verificationStatus.coding.code", required=False),
    ),
    {
        "time_start": "CAST(row.recorded_on AS TIMESTAMP_NTZ)",
        "domain": "'condition'",
        "value_num": severity("row.severity"),
        "value_text": one_id("row.severity"),
        "status": "CASE WHEN row.verification = 'ENTERED-IN-ERROR' THEN 'entered_in_error' ELSE 'active' END",
    },
)
PLANNED = table(
    "eoj_care_plans",
    "CarePlan",
    resource(
        Field(
            "code",
            Type.CODE,
            path=f"%each.detail.code.coding[system={FSIII}].code",
            filled=True,
            pattern=FORM,
        ),
        Field("granted_on", Type.DATE, path="period.start", filled=True),
        Field("ended_on", Type.DATE, path="period.end", required=False),
    ),
    {
        "time_start": "CAST(row.granted_on AS TIMESTAMP_NTZ)",
        "time_end": "CAST(row.ended_on AS TIMESTAMP_NTZ)",
        "domain": "'care_plan'",
        "code": prefixed("FSIII", f"concat({one_id('row.code')}, '//PLANNED')"),
    },
    each="activity",
)
DELIVERED = table(
    "eoj_procedures",
    "Procedure",
    resource(
        fsiii("code", "code", filled=True),
        Field("performed_on", Type.DATE, path="performedPeriod.start", filled=True),
        Field("performed_to", Type.DATE, path="performedPeriod.end", required=False),
        Field("local_code", path="code.coding[system=urn:local].code", required=False),
    ),
    {
        "time_start": "CAST(row.performed_on AS TIMESTAMP_NTZ)",
        "time_end": "CAST(row.performed_to AS TIMESTAMP_NTZ)",
        "domain": "'procedure'",
    },
)
RATINGS = table(
    "eoj_observations",
    "Observation",
    resource(
        fsiii("code", "code", filled=True),
        fsiii("rating", "valueCodeableConcept"),
        Field("observed_on", Type.DATE, path="effectiveDateTime", filled=True),
    ),
    {
        "time_start": "CAST(row.observed_on AS TIMESTAMP_NTZ)",
        "domain": "'rating'",
        "code": prefixed("FSIII", f"concat({one_id('row.code')}, '//', {one_id('row.rating')})"),
        "value_text": one_id("row.rating"),
    },
)
GOALS = table(
    "eoj_goals",
    "Goal",
    resource(
        fsiii("code", "description", filled=True),
        fsiii("expected", "target.detailCodeableConcept"),
        Field("set_on", Type.DATE, path="startDate", filled=True),
        Field("lifecycle", Type.CODE, path="lifecycleStatus", required=False),
    ),
    {
        "time_start": "CAST(row.set_on AS TIMESTAMP_NTZ)",
        "domain": "'goal'",
        "code": prefixed("FSIII", f"concat({one_id('row.code')}, '//GOAL')"),
        "value_num": severity("row.expected"),
        "value_text": one_id("row.expected"),
        "status": "CASE row.lifecycle WHEN 'ENTERED-IN-ERROR' THEN 'entered_in_error' "
        "WHEN 'CANCELLED' THEN 'cancelled' ELSE 'active' END",
    },
)
ENCOUNTERS = table(
    "eoj_encounters",
    "Encounter",
    resource(
        fsiii("code", "type"),
        Field("began_on", Type.DATE, path="period.start", filled=True),
        Field("ended_on", Type.DATE, path="period.end", required=False),
        Field("state", Type.CODE, path="status", filled=True),
    ),
    {
        "time_start": "CAST(row.began_on AS TIMESTAMP_NTZ)",
        "time_end": "CAST(row.ended_on AS TIMESTAMP_NTZ)",
        "domain": "'contact'",
        "code_system": "'EOJ'",
        "code": "CASE WHEN row.state = 'PLANNED' THEN 'EOJ//ENCOUNTER//PLANNED' ELSE 'EOJ//ENCOUNTER' END",
        "status": "CASE row.state WHEN 'PLANNED' THEN 'planned' WHEN 'CANCELLED' THEN 'cancelled' "
        "WHEN 'ENTERED-IN-ERROR' THEN 'entered_in_error' ELSE 'active' END",
    },
)
CITIZENS = Table(
    name="eoj_citizens",
    files=FILES,
    bundle=Bundle("Patient"),
    key=("resource_id",),
    version="version",
    fields=(
        Field("resource_id", Type.KEY, path="id", filled=True, domain="eoj"),
        Field("version", Type.INTEGER, path="meta.versionId", filled=True),
        Field("person_id", Type.PERSON, path=f"identifier[system={CPR}].value", filled=True),
        Field(
            "place", Type.CODE, path=f"managingOrganization.identifier[system={SOR}].value", required=False
        ),
        Field("dead", Type.CODE, path="deceasedBoolean", required=False),
    ),
)
SOURCE = Source(
    name="eoj",
    format="danish",
    identifier="cpr",
    tables=(CITIZENS, CONDITIONS, PLANNED, DELIVERED, RATINGS, GOALS, ENCOUNTERS),
    levels=True,
)
