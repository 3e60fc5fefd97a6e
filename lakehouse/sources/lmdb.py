"""Dispensed prescriptions: one line a package dispensed; negative lines take an earlier one back."""

from __future__ import annotations

from lakehouse.schema import FORMS, Event, Field, Join, Reversal, Source, Table, Type
from lakehouse.tables import Setting

DISPENSINGS = Table(
    name="lmdb_dispensings",
    files=rf"(.*/)?lmdb/(lmdb|lsr|epikur)(_?\d{{4}})?{FORMS}",
    encoding="cp1252",
    once=True,
    fields=(
        Field("person_id", Type.PERSON, aliases=("pnr", "pnr12", "cpr", "v_cpr"), filled=True),
        Field("dispensed_on", Type.DATE, aliases=("eksd",), filled=True),
        Field("item", Type.CODE, aliases=("vnr",), pad=6, pattern=r"\d{6}"),
        Field("atc", Type.CODE, filled=True, pattern=r"[A-V](\d{2}([A-Z]([A-Z](\d{2})?)?)?)?"),
        Field("product", aliases=("name", "pname"), required=False),
        Field("pack_size", Type.NUMBER, aliases=("packsize",), required=False),
        Field("packages", Type.NUMBER, aliases=("apk",), filled=True),
        Field("ddd_per_package", Type.NUMBER, aliases=("volume",), required=False),
        Field("indication", Type.CODE, aliases=("indo",), required=False),
        Field("prescriber", Type.CODE, aliases=("recu",), required=False),
        Field("pharmacy", Type.CODE, aliases=("ibnr",), required=False),
        Field("correction", Type.CODE, aliases=("korr",), required=False),
        Field("price", Type.NUMBER, aliases=("eksp",), required=False),
    ),
    reversal=Reversal(same=("person_id", "item"), amount="packages", day="dispensed_on", within_days=90),
    events=(
        Event(
            {
                "time_start": "CAST(row.dispensed_on AS TIMESTAMP_NTZ)",
                "domain": "'medicine'",
                "code_system": "'ATC'",
                "code_raw": "row.atc",
                "code": "concat('ATC//', row.atc)",
                "quantity": "row.ddd_per_package * row.packages",
                "cost_dkk": "coalesce(row.price, price_list.retail_price * row.packages)",
                "place": "row.pharmacy",
                "setting": f"{Setting.PHARMACY:d}",
                "status": "CASE WHEN row.reversed OR row.packages <= 0 THEN 'reversed' ELSE 'active' END",
            },
            joins=(
                Join("price_list", "item", "item", at="row.dispensed_on", valid=("valid_from", "valid_to")),
            ),
        ),
    ),
)
SOURCE = Source(name="lmdb", format="danish", identifier="cpr", tables=(DISPENSINGS,), levels=True)
