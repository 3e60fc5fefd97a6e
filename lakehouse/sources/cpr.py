"""The person register: sex, birth, municipality and status, spells of residence, spells abroad."""

from __future__ import annotations

from lakehouse.schema import FORMS, Facts, Field, Kin, Period, Source, Table, Type

PERSON = ("v_pnr", "pnr", "cpr", "pnr12", "cprnummer")

PERSONS = Table(
    name="cpr_person",
    files=rf"(.*/)?cpr/cpr3_t_person(_.*)?{FORMS}",
    once=True,
    fields=(
        Field("person_id", Type.PERSON, aliases=PERSON, filled=True),
        Field(
            "sex",
            Type.CODE,
            aliases=("c_kon", "koen"),
            filled=True,
            values={"M": "M", "K": "F", "F": "F", "1": "M", "2": "F"},
        ),
        Field("status", Type.CODE, aliases=("c_status",), pad=2, pattern=r"\d\d"),
        Field("birth_date", Type.DATE, aliases=("d_foddato",), filled=True),
        Field("status_from", Type.DATE, aliases=("d_status_hen_start",)),
        Field("mother_id", Type.PERSON, aliases=("v_mor_pnr",), required=False),
        Field("father_id", Type.PERSON, aliases=("v_far_pnr",), required=False),
        Field("municipality", Type.CODE, aliases=("kom",), pad=4, pattern=r"\d{4}"),
        Field("municipality_from", Type.DATE, aliases=("kom_fra",), required=False),
    ),
    facts=(
        Facts(
            {
                "sex": "sex",
                "birth_date": "birth_date",
                "municipality": "right(municipality, 3)",
                "death_date": "CASE status WHEN '90' THEN status_from END",
            },
            where="status IS NULL OR status NOT IN ('30', '50')",
        ),
    ),
    kin=Kin(
        child="person_id",
        parents=("mother_id", "father_id"),
        born="birth_date",
        where="status IS NULL OR status NOT IN ('30', '50', '60')",
    ),
)
ABROAD = Table(
    name="cpr_abroad",
    files=rf"(.*/)?cpr/cpr3_t_adresse_udland(_.*)?{FORMS}",
    once=True,
    fields=(
        Field("person_id", Type.PERSON, aliases=PERSON, filled=True),
        Field("left_on", Type.DATE, aliases=("d_udrejse_dato",), filled=True),
        Field("returned_on", Type.DATE, aliases=("d_indrejse_dato",)),
        Field("annulled", Type.CODE, aliases=("c_annkor",)),
    ),
)
RESIDENCE = Table(
    name="cpr_residence",
    files=rf"(.*/)?cpr/cpr3_dansk_ophold_periode(_.*)?{FORMS}",
    once=True,
    fields=(
        Field("person_id", Type.PERSON, aliases=PERSON, filled=True),
        Field("start_date", Type.DATE, aliases=("dk_adresse_start",), filled=True),
        Field("end_date", Type.DATE, aliases=("dk_adresse_slut",)),
    ),
    periods=(Period("start_date", "end_date"),),
)
SOURCE = Source(
    name="cpr",
    format="danish",
    identifier="cpr",
    tables=(PERSONS, ABROAD, RESIDENCE),
    death_code="CPR//DEATH",
    levels=True,
)
