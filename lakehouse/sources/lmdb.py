"""Dispensed prescriptions: one line a package dispensed; negative lines take an earlier one back.

What is not here says nothing: hospitals' own medicines and most of what is sold without a prescription are missing.
"""

from __future__ import annotations

from lakehouse.data_model import Setting
from lakehouse.declarations.hospital import PERSON, loose
from lakehouse.declarations.quality import joined
from lakehouse.declarations.schema import FORMS, Event, Field, Join, Repeats, Reversal, Source, Table, Type

ATC = r"[A-V](\d{2}([A-Z]([A-Z](\d{2})?)?)?)?"
DOSE_DISPENSED = "DD"
"""Dispensing type of packages for one week, packed by dose."""


def price(name: str, *aliases: str) -> Field:
    """An amount of Danish kroner."""
    return Field(name, Type.NUMBER, aliases=aliases, required=False)


DISPENSINGS = Table(
    name="lmdb_dispensings",
    files=rf"(.*/)?lmdb/(lmdb|lsr|lms|epikur)(_?\d{{4}})?{FORMS}",
    encoding="cp1252",
    once=True,
    fields=(
        Field("person_id", Type.PERSON, aliases=PERSON, filled=True),
        Field("dispensed_on", Type.DATE, aliases=("eksd",), filled=True, sas=True),
        Field("dispensed_at", Type.TIME, aliases=("etid",), required=False),
        Field("item", Type.CODE, aliases=("vnr",), pad=6, pattern=r"\d{6}"),
        Field("ordered_item", Type.CODE, aliases=("ovnr",), required=False, pad=6, pattern=r"\d{6}"),
        Field("atc", Type.CODE, filled=True, pattern=ATC),
        Field("product", aliases=("name", "pname"), required=False),
        Field("form", aliases=("dosform",), required=False),
        Field("strength", Type.NUMBER, aliases=("strnum",), required=False),
        Field("strength_unit", aliases=("strunit",), required=False),
        Field("pack_size", Type.NUMBER, aliases=("packsize",), required=False),
        Field("packages", Type.NUMBER, aliases=("apk",), filled=True),
        Field("ddd_per_package", Type.NUMBER, aliases=("volume",), required=False),
        Field("indication", Type.CODE, aliases=("indo",), required=False),
        Field("dosage", Type.CODE, aliases=("doso",), required=False),
        Field("prescriber", Type.CODE, aliases=("recu",), required=False),
        Field("prescriber_id", Type.KEY, aliases=("reca",), required=False, domain="authorisation"),
        Field("pharmacy", Type.CODE, aliases=("ibnr",), required=False),
        Field("repeat", Type.CODE, aliases=("rinr",), required=False),
        Field("dispensing_type", Type.CODE, aliases=("ekst",), required=False),
        Field("correction", Type.CODE, aliases=("korr",), required=False),
        Field("substitution_refused", Type.CODE, aliases=("ejs",), required=False),
        loose("sector", "sektor"),
        price("price", "eksp"),
        price("paid_by_patient", "ptp"),
        price("pharmacy_price", "aip"),
        price("subsidy", "tsk1"),
        loose("municipality", "cpr_kom", "kom", pad=4),
        loose("age", "aldr", type=Type.INTEGER),
    ),
    reversal=Reversal(same=("person_id", "item"), amount="packages", day="dispensed_on", within_days=90),
    repeats=Repeats(
        where=f"dispensing_type = '{DOSE_DISPENSED}' AND packages > 0",
        same=("person_id", "atc"),
        day="dispensed_on",
    ),
    events=(
        Event(
            {
                "time_start": "CAST(row.dispensed_on AS TIMESTAMP_NTZ)",
                "domain": "'medicine'",
                "code_system": "'ATC'",
                "code_raw": "row.atc",
                "code": "concat('ATC//', row.atc)",
                "code_role": "CASE WHEN row.repeated THEN 'repeat' ELSE 'dispensed' END",
                "quantity": "row.ddd_per_package * row.packages",
                "cost_dkk": "coalesce(row.price, price_list.retail_price * row.packages)",
                "place": "row.pharmacy",
                "setting": f"{Setting.PHARMACY:d}",
                "status": "CASE WHEN row.reversed OR row.packages <= 0 THEN 'reversed' ELSE 'active' END",
                "quality": joined(
                    "row.remarks",
                    f"CASE WHEN row.dispensing_type = '{DOSE_DISPENSED}' THEN 'dose_dispensed' END",
                    "CASE WHEN row.packages <= 0 THEN 'takes_back' END",
                ),
            },
            joins=(
                Join("price_list", "item", "item", at="row.dispensed_on", valid=("valid_from", "valid_to")),
            ),
        ),
    ),
)
SOURCE = Source(name="lmdb", format="danish", identifier="cpr", tables=(DISPENSINGS,), levels=True)
