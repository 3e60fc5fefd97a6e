"""The patient register since 2019, research model A: contacts, courses, diagnoses, procedures, results, payers."""

from __future__ import annotations

from lakehouse.declarations.hospital import (
    DIAGNOSIS,
    ENCOUNTER,
    PERSON,
    PROCEDURE,
    code_field,
    diagnosis_event,
    loose,
    precision_of,
)
from lakehouse.declarations.quality import clock, joined, recent, register_break
from lakehouse.declarations.schema import FORMS, Contacts, Event, Field, Join, Source, Table, Type

REFUTED = Field(
    "refuted", Type.CODE, aliases=("senere_afkraeftet",), required=False, values={"JA": "JA", "NEJ": "NEJ"}
)
CONTACT = Field("contact_id", Type.KEY, aliases=("dw_ek_kontakt",), domain="contact")
COURSE = Field("course_id", Type.KEY, aliases=("dw_ek_forloeb",), required=False, domain="course")
SYSTEM = Field("system", Type.CODE, aliases=("lprindberetningssystem",), required=False)


def files(stem: str) -> str:
    """Where a table may lie: one file for all years, or one a year."""
    return rf"(.*/)?lpr_a/(lpr_a_)?{stem}(_?\d{{4}})?{FORMS}"


def stamp(name: str, alias: str, *, filled: bool = False, required: bool = False) -> Field:
    """A moment."""
    return Field(name, Type.TIMESTAMP, aliases=(alias,), filled=filled, required=required, sas=True)


def keyed(contact: Field) -> Field:
    """The contact's key where every row has one."""
    return Field(contact.name, contact.type, contact.aliases, filled=True, domain=contact.domain)


CONTACTS = Table(
    name="lpr_a_kontakt",
    files=files("kontakt"),
    issuer="region",
    once=True,
    fields=(
        keyed(CONTACT),
        COURSE,
        Field("chain_id", Type.KEY, aliases=("dw_ek_helbredsforloeb",), required=False, domain="chain"),
        Field("stay_id", Type.KEY, aliases=("dw_sk_sygehusophold",), required=False, domain="stay"),
        Field("person_id", Type.PERSON, aliases=PERSON, filled=True),
        stamp("start", "kont_starttidspunkt", filled=True, required=True),
        stamp("end", "kont_sluttidspunkt", required=True),
        stamp("treated_from", "beh_starttidspunkt"),
        stamp("referred_at", "kont_henv_tidspunkt"),
        stamp("reported_at", "kont_indb_tidspunkt"),
        loose("patient_kind", "kont_patient_type"),
        loose("kind", "kont_type"),
        Field("priority", Type.CODE, aliases=("prioritet",)),
        loose("reason", "kont_aarsag"),
        loose("main_diagnosis", "adiag"),
        Field("place", Type.CODE, aliases=("kont_ans",)),
        loose("institution", "kont_ans_inst", type=Type.TEXT),
        loose("specialty", "kont_ans_hovedspec", type=Type.TEXT),
        loose("region", "kont_ans_geo_reg"),
        loose("owner", "kont_inst_ejertype", type=Type.TEXT),
        loose("municipality", "borger_bo_kom", pad=4),
        Field("finished", Type.CODE, aliases=("flag_kont_afsluttet",), required=False, pattern="[01]"),
        SYSTEM,
    ),
    unless={
        "lpr2": "system IN ('LPR2', 'LPR1')",
        "minipas": "system = 'MINIPAS' AND start < TIMESTAMP_NTZ'2019-03-01 00:00:00'",
    },
    contacts=Contacts(
        contact="contact_id",
        start="start",
        end="CASE WHEN finished = '0' THEN NULL ELSE `end` END",
        precision=precision_of("start"),
        acute="coalesce(priority = 'ATA1', false)",
        place="place",
    ),
)
COURSES = Table(
    name="lpr_a_forloeb",
    files=files("forloeb"),
    role="course",
    once=True,
    fields=(
        Field("course_id", Type.KEY, aliases=("dw_ek_forloeb",), filled=True, domain="course"),
        Field("chain_id", Type.KEY, aliases=("dw_ek_helbredsforloeb",), required=False, domain="chain"),
        Field("person_id", Type.PERSON, aliases=PERSON, filled=True),
        stamp("start", "forl_starttidspunkt"),
        stamp("end", "forl_sluttidspunkt"),
        loose("ended", "forl_afslutningsmaade"),
        loose("label", "forl_label"),
    ),
)
DIAGNOSES = Table(
    name="lpr_a_diagnose",
    files=files("diagnose"),
    once=True,
    fields=(
        keyed(CONTACT),
        code_field("code", "diag_kode", f"{DIAGNOSIS}|{PROCEDURE}", filled=True, required=True),
        Field(
            "kind",
            Type.CODE,
            aliases=("diag_kode_type", "diag_type"),
            filled=True,
            pattern=r"[ABGCMH+]",
        ),
        REFUTED,
        loose("parent_code", "diag_parent_kode"),
        loose("parent_kind", "diag_parent_kode_type"),
    ),
    events=(diagnosis_event(refuted="coalesce(row.refuted = 'JA', false)"),),
)


def procedures(name: str, stem: str, *, cancelled: bool = False) -> Table:
    """Procedures, done or cancelled; the person is the contact's, without contact the course's."""
    status = (
        "'entered_in_error'"
        if cancelled
        else "CASE WHEN encounter.superseded THEN 'superseded' ELSE 'active' END"
    )
    return Table(
        name=name,
        files=files(stem),
        once=True,
        fields=(
            Field(
                "procedure_id",
                Type.KEY,
                aliases=("dw_ek_procedureregistrering",),
                filled=True,
                domain="procedure",
            ),
            CONTACT,
            COURSE,
            code_field("code", "proc_kode", PROCEDURE, filled=True, required=True),
            code_field("kind", "proc_kode_type", r"[VPD+]", filled=True, required=True),
            loose("parent_code", "proc_parent_kode"),
            stamp("start", "proc_starttidspunkt", filled=True, required=True),
            stamp("end", "proc_sluttidspunkt"),
            loose("place", "prod_enh"),
            Field(
                "without_contact", Type.CODE, aliases=("flag_proc_uden_kont",), required=False, pattern="[01]"
            ),
        ),
        events=(
            Event(
                {
                    "person_id": "coalesce(encounter.person_id, course.person_id)",
                    "time_start": "row.start",
                    "time_end": "row.`end`",
                    "time_precision": precision_of("row.start"),
                    "domain": "'procedure'",
                    "code_system": "'SKS'",
                    "code_raw": "row.code",
                    "code": "concat('SKS//', row.code)",
                    "code_role": "CASE row.kind WHEN '+' THEN 'addon' WHEN 'D' THEN 'secondary' ELSE 'main' END",
                    "encounter_id": "row.contact_id",
                    "place": "coalesce(row.place, encounter.place)",
                    "setting": "coalesce(encounter.setting, -1)",
                    "status": status,
                    "quality": joined(
                        "row.remarks",
                        clock("row.start", precision_of("row.start")),
                        recent("row.delivered", "row.start"),
                        register_break("row.start"),
                    ),
                },
                joins=(ENCOUNTER, Join("course", "course_id", "course_id")),
            ),
        ),
    )


RESULTS = Table(
    name="lpr_a_resultater",
    files=files("resultater"),
    once=True,
    fields=(
        keyed(CONTACT),
        loose("trigger", "triggerkode"),
        code_field("kind", "res_type", r"[A-Z_]+", filled=True, required=True),
        Field("number", Type.NUMBER, aliases=("res_vaerdi_tal",), required=False),
        Field("text", Type.TEXT, aliases=("res_vaerdi_tekst",), required=False),
        stamp("moment", "res_vaerdi_tidspunkt"),
        Field("other_person", Type.PERSON, aliases=("res_vaerdi_pnr",), required=False),
        stamp("done_at", "res_udfoert_tidspunkt", filled=True, required=True),
        stamp("reported_at", "res_indb_tidspunkt"),
    ),
    events=(
        Event(
            {
                "person_id": "encounter.person_id",
                "time_start": "row.done_at",
                "time_precision": precision_of("row.done_at"),
                "domain": "'observation'",
                "code_system": "'SKS'",
                "code_raw": "row.kind",
                "code": "concat('SKS//', coalesce(row.trigger, row.kind))",
                "code_role": "'result'",
                "value_num": "row.number",
                "value_text": "row.text",
                "encounter_id": "row.contact_id",
                "place": "encounter.place",
                "setting": "encounter.setting",
                "status": "CASE WHEN encounter.superseded THEN 'superseded' ELSE 'active' END",
            },
            joins=(ENCOUNTER,),
        ),
    ),
)
STAYS = Table(
    name="lpr_a_sghophold",
    files=files("sghophold"),
    once=True,
    fields=(
        Field("stay_id", Type.KEY, aliases=("dw_sk_sygehusophold",), filled=True, domain="stay"),
        Field("person_id", Type.PERSON, aliases=PERSON, filled=True),
        stamp("start", "ophold_starttidspunkt", filled=True, required=True),
        stamp("end", "ophold_sluttidspunkt"),
    ),
)
PAYERS = Table(
    name="lpr_a_betalingsoplysninger",
    files=files("betalingsoplysninger"),
    once=True,
    fields=(
        CONTACT,
        Field(
            "procedure_id",
            Type.KEY,
            aliases=("dw_ek_procedureregistrering",),
            required=False,
            domain="procedure",
        ),
        loose("payer", "betaler"),
        loose("agreement", "bet_aftale"),
        Field("valid_from", Type.DATE, aliases=("bet_fra",), required=False, sas=True),
        Field("valid_to", Type.DATE, aliases=("bet_til",), required=False, sas=True),
    ),
)
SOURCE = Source(
    name="lpr_a",
    format="danish",
    identifier="cpr",
    tables=(
        CONTACTS,
        COURSES,
        DIAGNOSES,
        procedures("lpr_a_procregistrering", "procregistrering"),
        procedures("lpr_a_procregistrering_aflys", "procregistrering_aflys", cancelled=True),
        RESULTS,
        STAYS,
        PAYERS,
    ),
    levels=True,
    instead_of=("lpr_f",),
)
