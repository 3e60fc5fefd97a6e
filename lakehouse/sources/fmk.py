"""The shared medication card: what is prescribed now, and the prescriptions and dispensings that belong to it.

A prescription says what somebody meant, a dispensing what happened: prescribed medicines are in the lake under a role
of their own and not in the timeline, which the dispensing register fills.
"""

from __future__ import annotations

from lakehouse.data_model import Setting
from lakehouse.declarations.hospital import PERSON, loose, precision_of
from lakehouse.declarations.schema import FORMS, Event, Field, Source, Table, Type
from lakehouse.sources.lmdb import ATC

ORDER = Field(
    "medication_id",
    Type.KEY,
    aliases=("drugmedicationidentifier", "ordination_id"),
    domain="fmk",
    filled=True,
)


def files(stem: str) -> str:
    """Where a table may lie."""
    return rf"(.*/)?fmk/(fmk_)?{stem}(_?\d{{4}})?{FORMS}"


def stamp(name: str, alias: str, *, filled: bool = False) -> Field:
    """A moment."""
    return Field(name, Type.TIMESTAMP, aliases=(alias,), filled=filled, required=filled, sas=True)


def medicine(time: str, role: str, end: str = "NULL", status: str = "'active'") -> Event:
    """A medicine with its role; without an ATC code (mixed at a pharmacy) under the number of its drug."""
    return Event(
        {
            "time_start": time,
            "time_end": end,
            "time_precision": precision_of(time),
            "domain": "'medicine'",
            "code_system": "CASE WHEN row.atc IS NOT NULL THEN 'ATC' ELSE 'DRUGID' END",
            "code_raw": "coalesce(row.atc, row.drug)",
            "code": "CASE WHEN row.atc IS NOT NULL THEN concat('ATC//', row.atc) "
            "ELSE concat('DRUGID//', row.drug) END",
            "code_role": f"'{role}'",
            "place": "row.place",
            "setting": f"{Setting.PRIMARY_CARE:d}",
            "status": status,
        },
        where="atc IS NOT NULL OR drug IS NOT NULL",
    )


DRUG = (
    Field("drug", Type.CODE, aliases=("drugid",), required=False, pattern=r"\d{5,11}"),
    Field("atc", Type.CODE, aliases=("atc_kode",), required=False, pattern=ATC),
    Field("product", aliases=("laegemiddelnavn",), required=False),
)
MEDICATIONS = Table(
    name="fmk_medications",
    files=files("laegemiddelordination"),
    once=True,
    key=("medication_id",),
    version="coalesce(version, 0)",
    fields=(
        ORDER,
        Field("version", Type.INTEGER, required=False),
        Field("person_id", Type.PERSON, aliases=PERSON, filled=True),
        Field(
            "state",
            Type.CODE,
            aliases=("status",),
            filled=True,
            values={"ACTIVE": "active", "ON-HOLD": "paused", "STOPPED": "stopped", "UNKNOWN": "unknown"},
        ),
        stamp("start", "starttidspunkt", filled=True),
        stamp("end", "sluttidspunkt"),
        *DRUG,
        loose("route", "administrationsvej"),
        Field(
            "dosage_type",
            Type.CODE,
            aliases=("doseringstype",),
            required=False,
            values={"FAST": "fixed", "KOMBINERET": "combined", "PN": "as_needed", "MIDLERTIDIG": "temporary"},
        ),
        Field("dosage", aliases=("dosering",), required=False),
        Field("indication", aliases=("indikation",), required=False),
        loose("place", "organisation_sor", "ordinerende_organisation"),
    ),
    events=(medicine("row.start", "prescribed", "row.`end`"),),
)
PRESCRIPTIONS = Table(
    name="fmk_prescriptions",
    files=files("recept"),
    once=True,
    fields=(
        Field("prescription_id", Type.KEY, aliases=("recept_id",), domain="fmk-recept", filled=True),
        Field("medication_id", Type.KEY, aliases=ORDER.aliases, domain="fmk", required=False),
        Field("person_id", Type.PERSON, aliases=PERSON, filled=True),
        stamp("written_at", "oprettet", filled=True),
        *DRUG,
        Field("packages", Type.NUMBER, aliases=("antal",), required=False),
        Field("refills", Type.INTEGER, aliases=("itereringer",), required=False),
        loose("place", "organisation_sor"),
    ),
    events=(medicine("row.written_at", "prescribed"),),
)
EFFECTUATIONS = Table(
    name="fmk_dispensings",
    files=files("effektuering"),
    once=True,
    fields=(
        Field("effectuation_id", Type.KEY, aliases=("effektuering_id",), domain="fmk-effekt", filled=True),
        Field("prescription_id", Type.KEY, aliases=("recept_id",), domain="fmk-recept", required=False),
        Field("person_id", Type.PERSON, aliases=PERSON, filled=True),
        stamp("dispensed_at", "udleveret", filled=True),
        *DRUG,
        Field("item", Type.CODE, aliases=("varenummer",), required=False, pad=6, pattern=r"\d{6}"),
        Field("packages", Type.NUMBER, aliases=("antal",), required=False),
        loose("place", "apotek", "lokationsnummer"),
    ),
    events=(medicine("row.dispensed_at", "dispensed_copy"),),
)
SOURCE = Source(
    name="fmk",
    format="danish",
    identifier="cpr",
    tables=(MEDICATIONS, PRESCRIPTIONS, EFFECTUATIONS),
    levels=True,
)
