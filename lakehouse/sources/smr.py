"""The hospital medicine register: one row a dose given, with the price of the region's contract."""

from __future__ import annotations

from lakehouse.data_model import Setting
from lakehouse.declarations.convert import number_or_none
from lakehouse.declarations.hospital import PERSON, loose, precision_of
from lakehouse.declarations.quality import clock, joined
from lakehouse.declarations.schema import FORMS, Copies, DerivedColumn, Event, Field, Source, Table, Type
from lakehouse.sources.lmdb import ATC

DOSES = Table(
    name="smr_doses",
    files=rf"(.*/)?smr/(indberetningmedpris|smr)(_?\d{{4}})?{FORMS}",
    encoding="cp1252",
    once=True,
    issuer="region",
    key=("dose_id",),
    fields=(
        Field("dose_id", Type.KEY, aliases=("k_adm_id",), filled=True, domain="smr-dose"),
        loose("region", "k_region_id", pad=4),
        Field("person_id", Type.PERSON, aliases=PERSON, filled=True),
        loose("municipality", "c_hjem_kommune", pad=4),
        Field("given_at", Type.TIMESTAMP, aliases=("d_adm",), filled=True, sas=True),
        Field("contact_start", Type.TIMESTAMP, aliases=("d_kontakt_start",), required=False, sas=True),
        Field("ordered_at", Type.TIMESTAMP, aliases=("d_ord_start",), required=False, sas=True),
        Field("order_ended", Type.TIMESTAMP, aliases=("d_ord_slut",), required=False, sas=True),
        loose("shak", "c_shak"),
        loose("sor", "c_sor"),
        Field("patient_kind", Type.CODE, aliases=("c_patienttype",), required=False, pattern=r"\d"),
        Field("atc", Type.CODE, aliases=("c_atc",), filled=True, pattern=ATC),
        Field("product", aliases=("v_laegemiddelnavn",), required=False),
        Field("item", Type.CODE, aliases=("c_varenummer",), required=False, pad=6, pattern=r"\d{6}"),
        Field("drug", Type.CODE, aliases=("v_drugid",), required=False, pad=11, pattern=r"\d{11}"),
        loose("route", "c_adm_vej"),
        Field("dose", aliases=("v_adm_dosis",), required=False),
        Field("dose_unit", aliases=("v_adm_dosis_enhed",), required=False),
        Field("strength", Type.NUMBER, aliases=("v_styrke_num",), required=False),
        Field("strength_unit", aliases=("v_styrke_enhed",), required=False),
        Field("price", Type.NUMBER, aliases=("amgros_adm_pris",), required=False),
    ),
    derived={"dose_number": DerivedColumn(Type.NUMBER, ("dose",), number_or_none)},
    same=Copies("dose", "1"),
    events=(
        Event(
            {
                "time_start": "row.given_at",
                "time_precision": precision_of("row.given_at"),
                "domain": "'medicine'",
                "code_system": "'ATC'",
                "code_raw": "row.atc",
                "code": "concat('ATC//', row.atc)",
                "code_role": "'administered'",
                "value_num": "row.dose_number",
                "value_op": "CASE WHEN row.dose_number IS NOT NULL THEN '=' END",
                "value_text": "CASE WHEN row.dose_number IS NULL THEN row.dose END",
                "unit": "row.dose_unit",
                "cost_dkk": "row.price",
                "place": "coalesce(row.sor, row.shak)",
                "setting": f"CASE row.patient_kind WHEN '0' THEN {Setting.INPATIENT:d} "
                f"WHEN '3' THEN {Setting.EMERGENCY:d} ELSE {Setting.OUTPATIENT:d} END",
                "quality": joined("row.remarks", clock("row.given_at", precision_of("row.given_at"))),
            },
        ),
    ),
)
SOURCE = Source(name="smr", format="danish", identifier="cpr", tables=(DOSES,), levels=True)
