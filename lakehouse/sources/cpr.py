"""The person register: sex, birth, municipality and status, residence, spells abroad, and changed numbers."""

from __future__ import annotations

from lakehouse.declarations.schema import FORMS, Facts, Field, Kin, Links, Period, Source, Table, Type

PERSON = ("v_pnr", "pnr", "cpr", "pnr12", "cprnummer")

STATUSES = ("01", "03", "05", "07", "20", "30", "50", "60", "70", "80", "90")
"""Active (four kinds), tax number only, annulled, deleted double, changed number, disappeared, emigrated, dead."""
REPLACED = "('50', '60')"
"""Rows of a number that another one took the place of."""

PERSONS = Table(
    name="cpr_person",
    files=rf"(.*/)?cpr/cpr3_t_person(_.*)?{FORMS}",
    once=True,
    fields=(
        Field("person_id", Type.PERSON, aliases=PERSON, filled=True, classified=True),
        Field(
            "sex",
            Type.CODE,
            aliases=("c_kon", "koen"),
            filled=True,
            values={"M": "M", "K": "F", "F": "F", "1": "M", "2": "F"},
        ),
        Field("status", Type.CODE, aliases=("c_status",), pad=2, pattern="|".join(STATUSES)),
        Field("birth_date", Type.DATE, aliases=("d_foddato",), filled=True),
        Field("status_from", Type.DATE, aliases=("d_status_hen_start",)),
        Field("mother_id", Type.PERSON, aliases=("v_mor_pnr",), required=False),
        Field("father_id", Type.PERSON, aliases=("v_far_pnr",), required=False),
        Field("municipality", Type.CODE, aliases=("kom",), pad=4, pattern=r"\d{4}"),
        Field("municipality_from", Type.DATE, aliases=("kom_fra",), required=False),
        Field("later_id", Type.PERSON, aliases=("v_pnr_ny", "gaeldende_pnr"), required=False),
    ),
    links=(
        Links(
            "person_id",
            "later_id",
            "status_from",
            where=f"status IN {REPLACED} AND later_id IS NOT NULL",
        ),
    ),
    facts=(
        Facts(
            {
                "sex": "sex",
                "birth_date": "birth_date",
                "municipality": "right(municipality, 3)",
                "death_date": "CASE status WHEN '90' THEN status_from END",
            },
            where="status IS NULL OR status NOT IN ('30', '50', '60')",
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
    absences=(Period("left_on", "returned_on", where="annulled IS NULL"),),
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
LINKS = Table(
    name="cpr_person_link",
    files=rf"(.*/)?cpr/(cpr3_t_)?person_?link(_.*)?{FORMS}",
    issuer="issuer",
    once=True,
    fields=(
        Field("old_id", Type.PERSON, aliases=("v_pnr_gammel", "erstatningsnummer"), filled=True),
        Field("issuer", Type.CODE, aliases=("udsteder", "region"), required=False),
        Field("new_id", Type.PERSON, aliases=("v_pnr_ny", "v_pnr"), filled=True),
        Field("valid_from", Type.DATE, aliases=("d_start", "gyldig_fra"), filled=True),
    ),
    links=(Links("old_id", "new_id", "valid_from"),),
)
"""Replacement numbers of one region and the number their person got later: they are one only by this list."""
SOURCE = Source(
    name="cpr",
    format="danish",
    identifier="cpr",
    tables=(PERSONS, ABROAD, RESIDENCE, LINKS),
    death_code="CPR//DEATH",
    levels=True,
)
