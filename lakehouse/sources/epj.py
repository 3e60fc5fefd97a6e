"""The hospital record of an Epic-based region, as extracts: movements, diagnoses, medicines, intensive care, notes.

Most of it reaches the lake by better ways too: diagnoses through the patient register, doses through the hospital
medicine register, results from the laboratory. Here they have roles of their own, or give way as copies.
"""

from __future__ import annotations

from lakehouse.data_model import Setting
from lakehouse.declarations.convert import number_or_none
from lakehouse.declarations.hospital import (
    DIAGNOSIS,
    PERSON,
    PROCEDURE,
    code_field,
    diagnosis_code,
    diagnosis_system,
    loose,
    precision_of,
)
from lakehouse.declarations.schema import FORMS, Copies, DerivedColumn, Event, Field, Source, Table, Type
from lakehouse.sources.lmdb import ATC

PATIENT = Field("person_id", Type.PERSON, aliases=("patientid", *PERSON), filled=True)
GIVEN = "action IN ('1', 'GIVEN', 'GIVET')"


def files(stem: str) -> str:
    """Where an extract may lie; Danish letters in names are kept or written out, long ones come in parts."""
    return rf"(.*/)?epj/sp_{stem}(_del\d+)?(_?\d{{4}})?{FORMS}"


def stamp(name: str, *aliases: str, filled: bool = False) -> Field:
    """A moment."""
    return Field(name, Type.TIMESTAMP, aliases=aliases, filled=filled, required=filled, sas=True)


def event(time: str, domain: str, system: str, code: str, **more: str) -> Event:
    """An event of an extract; ``where`` and ``setting`` may be given among its columns."""
    where = more.pop("where", "true")
    columns = {
        "time_start": time,
        "time_precision": precision_of(time),
        "domain": f"'{domain}'",
        "code_system": system,
        "code": code,
        "setting": f"{Setting.INPATIENT:d}",
    }
    return Event(columns | more, where=where)


def diagnoses(name: str, stem: str, time: Field) -> Table:
    """Diagnoses of visits, or the list of active problems: both hold what was only considered."""
    return Table(
        name=name,
        files=files(stem),
        once=True,
        fields=(
            PATIENT,
            code_field("code", "skskode", f"{DIAGNOSIS}|{PROCEDURE}", filled=True, required=True)
            if stem.startswith("behandling")
            else Field(
                "code",
                Type.CODE,
                aliases=("current_icd10_list",),
                filled=True,
                pattern=f"{DIAGNOSIS}|{PROCEDURE}",
            ),
            Field("name", aliases=("dx_name",), required=False),
            time,
            loose("kind", "diagnosetype"),
        ),
        events=(
            event(
                f"row.{time.name}",
                "diagnosis",
                diagnosis_system("row.code"),
                diagnosis_code("row.code"),
                code_raw="row.code",
                code_role="'problem'",
                setting=f"{Setting.UNKNOWN:d}",
            ),
        ),
    )


MOVEMENTS = Table(
    name="epj_adt",
    files=files("adt_haendelser"),
    once=True,
    fields=(
        PATIENT,
        Field("event", Type.CODE, aliases=("event_type_name",), filled=True),
        stamp("at", "effective_time", filled=True),
        loose("hospital", "hospital_area_name", type=Type.TEXT),
        loose("department", "afdeling_name", type=Type.TEXT),
        stamp("start", "kontakt_start_local_dttm"),
        stamp("end", "kontakt_end_local_dttm"),
        loose("admission", "admission_type"),
        loose("patient_class"),
    ),
    events=(
        event(
            "row.at",
            "administrative",
            "'EPJ'",
            "concat('EPJ//', row.event)",
            code_raw="row.event",
            place="coalesce(row.department, row.hospital)",
        ),
    ),
)
ORDERS = Table(
    name="epj_orders",
    files=files("ordineretmedicin"),
    once=True,
    fields=(
        PATIENT,
        Field("order_id", Type.KEY, aliases=("order_med_id",), filled=True, domain="epj-order"),
        Field("product", aliases=("name", "medication_name"), required=False),
        Field("atc", Type.CODE, filled=True, pattern=ATC),
        Field("dose", aliases=("hv_discrete_dose",), required=False),
        stamp("start", "order_start_time", filled=True),
        stamp("end", "order_end_time"),
        loose("state", "order_status_c"),
    ),
    events=(
        event(
            "row.start",
            "medicine",
            "'ATC'",
            "concat('ATC//', row.atc)",
            code_raw="row.atc",
            code_role="'ordered'",
            time_end="row.`end`",
        ),
    ),
)
DOSES = Table(
    name="epj_doses",
    files=files("administreretmedicin"),
    once=True,
    fields=(
        PATIENT,
        stamp("taken_at", "taken_time", filled=True),
        Field("atc", Type.CODE, filled=True, pattern=ATC),
        Field("product", aliases=("medication_name", "name"), required=False),
        Field("dose", aliases=("sig",), required=False),
        Field("dose_unit", aliases=("zc_med_unit_name",), required=False),
        loose("route", "zc_admin_route_name"),
        Field("action", Type.CODE, aliases=("mar_action_c",), filled=True),
    ),
    derived={"dose_number": DerivedColumn(Type.NUMBER, ("dose",), number_or_none)},
    same=Copies("dose", "2"),
    events=(
        event(
            "row.taken_at",
            "medicine",
            "'ATC'",
            "concat('ATC//', row.atc)",
            code_raw="row.atc",
            code_role=f"CASE WHEN row.{GIVEN} THEN 'administered' ELSE 'not_given' END",
            value_num="row.dose_number",
            value_op="CASE WHEN row.dose_number IS NOT NULL THEN '=' END",
            unit="row.dose_unit",
        ),
    ),
)
INTENSIVE = Table(
    name="epj_intensive",
    files=files("itaophold"),
    once=True,
    fields=(
        PATIENT,
        stamp("start", "ita_start", "in_time", filled=True),
        stamp("end", "ita_slut", "out_time"),
        stamp("ventilated_from", "respirator_start"),
        stamp("ventilated_to", "respirator_slut"),
        loose("department", "afdeling_name", type=Type.TEXT),
    ),
    events=(
        event(
            "row.start",
            "contact",
            "'EPJ'",
            "'EPJ//INTENSIVE_CARE'",
            time_end="row.`end`",
            place="row.department",
        ),
        event(
            "row.ventilated_from",
            "procedure",
            "'SKS'",
            "'SKS//BGDA0'",
            time_end="row.ventilated_to",
            place="row.department",
            where="ventilated_from IS NOT NULL",
        ),
    ),
)
HABITS = Table(
    name="epj_social",
    files=files("social_hx"),
    once=True,
    fields=(
        PATIENT,
        Field("asked_on", Type.DATE, aliases=("registreringsdato", "contact_date"), filled=True, sas=True),
        Field("smoking", aliases=("ryger",), required=False),
        Field("packs", Type.NUMBER, aliases=("pakkeromdagen",), required=False),
    ),
    events=(
        event(
            "CAST(row.asked_on AS TIMESTAMP_NTZ)",
            "observation",
            "'EPJ'",
            "'EPJ//SMOKING'",
            code_role="'result'",
            value_num="row.packs",
            value_text="row.smoking",
            setting=f"{Setting.UNKNOWN:d}",
            where="smoking IS NOT NULL",
        ),
    ),
)
NOTES = Table(
    name="epj_notes",
    files=files("journalnotater"),
    fields=(
        PATIENT,
        stamp("written_at", "notat_tidspunkt", "note_time", filled=True),
        Field("kind", aliases=("notat_type",), required=False),
        Field("text", Type.RESTRICTED, aliases=("notat_text",), required=False),
    ),
)
SOURCE = Source(
    name="epj",
    format="danish",
    identifier="cpr",
    tables=(
        MOVEMENTS,
        diagnoses(
            "epj_diagnoses",
            "behandlingskontakterogdiagnoser",
            stamp("start", "start_date_of_diagnosis", "kontaktdato", filled=True),
        ),
        diagnoses(
            "epj_problems", "aktiveproblemlistediagnoser", stamp("noted_at", "noted_date", filled=True)
        ),
        ORDERS,
        DOSES,
        INTENSIVE,
        HABITS,
        NOTES,
    ),
    levels=True,
)
