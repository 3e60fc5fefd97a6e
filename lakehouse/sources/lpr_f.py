"""The patient register, research model F: contacts, courses, diagnoses and procedures of hospitals."""

from __future__ import annotations

from lakehouse.declarations.hospital import (
    DIAGNOSIS,
    ENCOUNTER,
    PROCEDURE,
    diagnosis_event,
    moment,
    precision,
)
from lakehouse.declarations.quality import clock, joined, recent, register_break
from lakehouse.declarations.schema import FORMS, Contacts, Event, Field, Join, Source, Table, Type

ENCODING = "cp1252"
CONTACT_KEY = Field("contact_id", Type.KEY, aliases=("dw_ek_kontakt",), filled=True, domain="contact")
COURSE_KEY = Field("course_id", Type.KEY, aliases=("dw_ek_forloeb",), required=False, domain="course")
SYSTEM = Field("system", Type.CODE, aliases=("lprindberetningssystem",), required=False)
YEARLY = rf"(_?\d{{4}})?{FORMS}"


CONTACTS = Table(
    name="lpr_f_kontakter",
    files=rf"(.*/)?lpr_f/kontakter{YEARLY}",
    encoding=ENCODING,
    issuer="region",
    once=True,
    fields=(
        CONTACT_KEY,
        COURSE_KEY,
        Field("person_id", Type.PERSON, aliases=("cpr", "pnr"), filled=True),
        Field("place", Type.CODE, aliases=("sorenhed_ans",)),
        Field("unit_kind", aliases=("enhedstype_ans",), required=False),
        Field("specialty", aliases=("hovedspeciale_ans",), required=False),
        Field("region", Type.CODE, aliases=("region_ans",), required=False),
        Field("start_date", Type.DATE, aliases=("dato_start",), filled=True),
        Field("start_time", Type.TIME, aliases=("tidspunkt_start",)),
        Field("end_date", Type.DATE, aliases=("dato_slut",)),
        Field("end_time", Type.TIME, aliases=("tidspunkt_slut",)),
        Field("kind", Type.CODE, aliases=("kontakttype",), required=False),
        Field("reason", Type.CODE, aliases=("kontaktaarsag",), required=False),
        Field("priority", Type.CODE, aliases=("prioritet",)),
        Field("main_diagnosis", Type.CODE, aliases=("aktionsdiagnose",), required=False),
        Field("reported_on", Type.DATE, aliases=("dato_indberetning",), required=False),
        SYSTEM,
    ),
    unless={"lpr2": "system IN ('LPR2', 'LPR1')"},
    contacts=Contacts(
        contact="contact_id",
        start=moment("start_date", "start_time"),
        end=moment("end_date", "end_time"),
        precision=precision("start_time"),
        acute="coalesce(priority = 'ATA1', false)",
        place="place",
    ),
)
COURSES = Table(
    name="lpr_f_forloeb",
    files=rf"(.*/)?lpr_f/forloeb{YEARLY}",
    encoding=ENCODING,
    role="course",
    once=True,
    fields=(
        Field("course_id", Type.KEY, aliases=("dw_ek_forloeb",), filled=True, domain="course"),
        Field("person_id", Type.PERSON, aliases=("cpr", "pnr"), filled=True),
    ),
)
DIAGNOSES = Table(
    name="lpr_f_diagnoser",
    files=rf"(.*/)?lpr_f/diagnoser{YEARLY}",
    encoding=ENCODING,
    once=True,
    fields=(
        CONTACT_KEY,
        Field("code", Type.CODE, aliases=("diagnosekode",), filled=True, pattern=rf"{DIAGNOSIS}|{PROCEDURE}"),
        Field("kind", Type.CODE, aliases=("diagnosetype",), filled=True, pattern=r"[ABGCMH+]"),
        Field("refuted", Type.CODE, aliases=("senere_afkraeftet",), values={"JA": "JA", "NEJ": "NEJ"}),
        Field("parent_code", Type.CODE, aliases=("diagnosekode_parent",), required=False),
        Field("parent_kind", Type.CODE, aliases=("diagnosetype_parent",), required=False),
        SYSTEM,
    ),
    events=(diagnosis_event(refuted="coalesce(row.refuted = 'JA', false)"),),
)


def procedures(name: str) -> Table:
    """A procedure table: person from the contact, without contact from the course; time and place its own."""
    return Table(
        name=f"lpr_f_{name}",
        files=rf"(.*/)?lpr_f/{name}{YEARLY}",
        encoding=ENCODING,
        once=True,
        fields=(
            Field(
                "procedure_id",
                Type.KEY,
                aliases=("procedureregistrering_id",),
                required=False,
                domain="procedure",
            ),
            Field("contact_id", Type.KEY, aliases=("dw_ek_kontakt",), domain="contact"),
            Field("course_id", Type.KEY, aliases=("dw_ek_forloeb",), domain="course"),
            Field("code", Type.CODE, aliases=("procedurekode",), filled=True, pattern=PROCEDURE),
            Field("kind", Type.CODE, aliases=("proceduretype",), filled=True, pattern=r"[VPD+]"),
            Field("parent_code", Type.CODE, aliases=("procedurekode_parent",), required=False),
            Field("place", Type.CODE, aliases=("sorenhed_pro",), required=False),
            Field("start_date", Type.DATE, aliases=("dato_start",), filled=True),
            Field("start_time", Type.TIME, aliases=("tidspunkt_start",)),
        ),
        events=(
            Event(
                {
                    "person_id": "coalesce(encounter.person_id, course.person_id)",
                    "time_start": moment("row.start_date", "row.start_time"),
                    "time_precision": precision("row.start_time"),
                    "domain": "'procedure'",
                    "code_system": "'SKS'",
                    "code_raw": "row.code",
                    "code": "concat('SKS//', row.code)",
                    "code_role": "CASE row.kind WHEN '+' THEN 'addon' WHEN 'D' THEN 'secondary' ELSE 'main' END",
                    "encounter_id": "row.contact_id",
                    "place": "coalesce(row.place, encounter.place)",
                    "setting": "coalesce(encounter.setting, -1)",
                    "status": "CASE WHEN encounter.superseded THEN 'superseded' ELSE 'active' END",
                    "quality": joined(
                        "row.remarks",
                        clock(moment("row.start_date", "row.start_time"), precision("row.start_time")),
                        recent("row.delivered", "row.start_date"),
                        register_break("row.start_date"),
                    ),
                },
                joins=(ENCOUNTER, Join("course", "course_id", "course_id")),
            ),
        ),
    )


SOURCE = Source(
    name="lpr_f",
    format="danish",
    identifier="cpr",
    tables=(CONTACTS, COURSES, DIAGNOSES, procedures("procedurer_kirurgi"), procedures("procedurer_andre")),
    levels=True,
)
