"""Tables of the patient register until 2019, which come in four kinds: somatic, psychiatric, unfinished, private."""

from __future__ import annotations

from lakehouse.data_model import Setting
from lakehouse.declarations.hospital import (
    DIAGNOSIS,
    ENCOUNTER,
    ICD8,
    PERSON,
    PROCEDURE,
    code_field,
    diagnosis_event,
    hour_moment,
    hour_precision,
    loose,
)
from lakehouse.declarations.quality import clock, joined, recent, register_break
from lakehouse.declarations.schema import FORMS, Contacts, DatedCodes, Event, Field, Table, Type

CONTACT = "lpr2-contact"
"""Domain of its record numbers: those of the later register may be the same and mean other contacts."""
OPEN = (("", ""),)
SINCE_2004, UNTIL_2003 = (("2004-01-01", ""),), (("", "2003-12-31"),)
PATIENT_TYPES = dict.fromkeys("01245", OPEN) | {"3": (("", "2014-12-31"),)}
"""In-patient, part-day, out-patient, emergency room (an out-patient since 2015), psychiatric day and night."""
ADMISSIONS = dict.fromkeys("12", OPEN) | {"9": UNTIL_2003}
DISCHARGES = (
    dict.fromkeys(("1", "2", "7", "8", "A", "E"), OPEN)
    | dict.fromkeys(("F", "G", "K", "L"), SINCE_2004)
    | dict.fromkeys(("3", "5", "6", "B", "C", "9"), UNTIL_2003)
)
TYPE_YEARS = (("H", "1995", ""), ("G", "1995", "2003"), ("M", "1998", "2013"), ("C", "2002", "2013"))
"""First and last year of the diagnosis types that were not always there."""
HOUR, MINUTE = r"[01]?\d|2[0-4]", r"[0-5]?\d"
ACUTE = "patient_type = '3' OR (admission = '1' AND (patient_type IN ('0', '1') OR start_date >= DATE'2014-01-01'))"
SETTING = (
    f"CASE WHEN patient_type IN ('0', '1') THEN {Setting.INPATIENT:d} WHEN {ACUTE} THEN {Setting.EMERGENCY:d} "
    f"ELSE {Setting.OUTPATIENT:d} END"
)


def record(stem: str, *aliases: str) -> Field:
    """The contact's number; private hospitals count on their own."""
    domain = "minipas-contact" if stem.startswith("minipas") else CONTACT
    return Field("contact_id", Type.KEY, aliases=aliases, filled=True, domain=domain)


def files(stem: str) -> str:
    """Where the files of a table may lie: one for all years, or one a year."""
    return rf"(.*/)?(lpr2?|minipas)/{stem}(_?\d{{4}})?{FORMS}"


def contacts(name: str, stem: str, *, unfinished: bool = False) -> Table:
    """Contacts. Those of the ``unfinished`` tables were going on when they were delivered: they have no end."""
    start = hour_moment("start_date", "start_hour", "start_minute")
    return Table(
        name=name,
        files=files(stem),
        encoding="cp1252",
        once=True,
        fields=(
            record(stem, "k_recnum", "recnum", "v_recnum"),
            Field("person_id", Type.PERSON, aliases=PERSON, filled=True),
            Field("hospital", Type.CODE, aliases=("c_sgh",), pad=4, pattern=r"[0-9A-Z]{4}"),
            Field(
                "department", Type.CODE, aliases=("c_afd",), pad=2, pattern=r"[0-9A-Z]{2,3}", required=False
            ),
            code_field("patient_type", "c_pattype", r"\d", filled=True, required=True),
            Field("start_date", Type.DATE, aliases=("d_inddto",), filled=True, sas=True),
            Field("start_hour", Type.CODE, aliases=("v_indtime",), required=False, pattern=HOUR),
            Field("start_minute", Type.CODE, aliases=("v_indminut",), required=False, pattern=MINUTE),
            Field("end_date", Type.DATE, aliases=("d_uddto",), sas=True, required=not unfinished),
            Field("end_hour", Type.CODE, aliases=("v_udtime",), required=False, pattern=HOUR),
            Field("referred_on", Type.DATE, aliases=("d_hendto",), required=False, sas=True),
            code_field("admission", "c_indm", r"\d"),
            code_field("discharge", "c_udm", r"[0-9A-Z]"),
            loose("reason", "c_kontaars"),
            loose("main_diagnosis", "c_adiag"),
            loose("bed_days", "v_sengdage", type=Type.INTEGER),
            Field("specialty", Type.CODE, aliases=("c_spec",), required=False, pad=2, pattern=r"[0-9A-Z]{2}"),
            Field("municipality", Type.CODE, aliases=("c_kom",), required=False, pad=4, pattern=r"\d{4}"),
        ),
        dated=(
            DatedCodes("patient_type", "start_date", PATIENT_TYPES),
            DatedCodes("admission", "start_date", ADMISSIONS),
            DatedCodes("discharge", "start_date", DISCHARGES),
        ),
        contacts=Contacts(
            contact="contact_id",
            start=start,
            end="NULL" if unfinished else hour_moment("end_date", "end_hour", "NULL"),
            precision=hour_precision("start_hour", "start_minute"),
            acute=f"coalesce({ACUTE}, false)",
            place="concat(hospital, coalesce(department, ''))",
            setting=SETTING,
        ),
    )


def diagnoses(name: str, stem: str) -> Table:
    """Diagnoses: a row may carry an add-on, which is never a diagnosis of its own."""
    years = " OR ".join(
        f"(row.kind = '{kind}' AND (year(encounter.time_start) < {first}"
        + (f" OR year(encounter.time_start) > {last}))" if last else "))")
        for kind, first, last in TYPE_YEARS
    )
    out_of_years = f"CASE WHEN {years} THEN 'not_valid_then' END"
    return Table(
        name=name,
        files=files(stem),
        encoding="cp1252",
        once=True,
        fields=(
            record(stem, "v_recnum", "recnum", "k_recnum"),
            code_field("code", "c_diag", f"{DIAGNOSIS}|{ICD8}|{PROCEDURE}", filled=True, required=True),
            code_field("kind", "c_diagtype", r"[ABHGMC+]", filled=True, required=True),
            code_field("addon", "c_tildiag", f"{DIAGNOSIS}|{PROCEDURE}"),
            loose("modifier", "c_diagmod"),
        ),
        events=(
            diagnosis_event(extra=out_of_years),
            diagnosis_event(code="row.addon", role="'+'", where="addon IS NOT NULL"),
        ),
    )


def procedure_event(code: str, role: str, where: str = "true") -> Event:
    """A procedure: the person is the contact's, time and place are its own."""
    at, known = hour_moment("row.day", "row.hour", "row.minute"), hour_precision("row.hour", "row.minute")
    return Event(
        {
            "person_id": "encounter.person_id",
            "time_start": at,
            "time_precision": known,
            "domain": "'procedure'",
            "code_system": "'SKS'",
            "code_raw": code,
            "code": f"concat('SKS//', {code})",
            "code_role": role,
            "encounter_id": "row.contact_id",
            "place": "coalesce(concat(row.hospital, coalesce(row.department, '')), encounter.place)",
            "setting": "coalesce(encounter.setting, -1)",
            "status": "CASE WHEN encounter.superseded THEN 'superseded' ELSE 'active' END",
            "quality": joined(
                "row.remarks", clock(at, known), recent("row.delivered", "row.day"), register_break("row.day")
            ),
        },
        where=where,
        joins=(ENCOUNTER,),
    )


def procedures(name: str, stem: str) -> Table:
    """Operations, or examinations and treatments."""
    return Table(
        name=name,
        files=files(stem),
        encoding="cp1252",
        fields=(
            record(stem, "v_recnum", "recnum", "k_recnum"),
            code_field("code", "c_opr", PROCEDURE, filled=True, required=True),
            code_field("addon", "c_tilopr", f"{PROCEDURE}|{DIAGNOSIS}"),
            code_field("kind", "c_oprart", r"[VPD0+]"),
            Field("day", Type.DATE, aliases=("d_odto",), filled=True, sas=True),
            Field("hour", Type.CODE, aliases=("v_otime",), required=False, pattern=HOUR),
            Field("minute", Type.CODE, aliases=("v_ominut",), required=False, pattern=MINUTE),
            Field("hospital", Type.CODE, aliases=("c_osgh",), required=False, pad=4, pattern=r"[0-9A-Z]{4}"),
            Field(
                "department", Type.CODE, aliases=("c_oafd",), required=False, pad=2, pattern=r"[0-9A-Z]{2,3}"
            ),
        ),
        events=(
            procedure_event("row.code", "CASE row.kind WHEN 'D' THEN 'secondary' ELSE 'main' END"),
            procedure_event("row.addon", "'addon'", where="addon IS NOT NULL"),
        ),
    )


def visits(name: str, stem: str) -> Table:
    """Days on which an out-patient course was attended: kept, no event (the course has its own diagnosis)."""
    return Table(
        name=name,
        files=files(stem),
        encoding="cp1252",
        fields=(
            record(stem, "v_recnum", "recnum", "k_recnum"),
            Field("visited_on", Type.DATE, aliases=("d_ambdto", "d_besdto"), filled=True, sas=True),
        ),
    )


def transfers(name: str, stem: str) -> Table:
    """Where patients were discharged to."""
    return Table(
        name=name,
        files=files(stem),
        encoding="cp1252",
        fields=(
            record(stem, "v_recnum", "recnum", "k_recnum"),
            Field("hospital", Type.CODE, aliases=("c_udtilsgh",), required=False, pad=4),
            Field("department", Type.CODE, aliases=("c_udtilafd",), required=False, pad=2),
        ),
    )
