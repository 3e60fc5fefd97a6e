"""Costs: DRG values on contacts, tariffs by year, unit costs of contacts, and medicine prices every fortnight."""

from __future__ import annotations

from lakehouse.declarations.helpers import prefixed
from lakehouse.declarations.lpr2 import CONTACT as BEFORE_THE_CHANGE
from lakehouse.declarations.schema import (
    DATED,
    FORMS,
    Event,
    Field,
    Join,
    Names,
    Source,
    StayCost,
    Table,
    Type,
)

DRG = r"\d{2}[A-Z]{2}\d{2}[A-Z]?"
CONTACT = Field("contact_id", Type.KEY, aliases=("dw_ek_kontakt",), filled=True, domain="contact")
FROM_CONTACT = {
    "person_id": "encounter.person_id",
    "time_start": "encounter.time_start",
    "time_end": "encounter.time_end",
    "time_precision": "encounter.time_precision",
    "domain": "'cost'",
    "encounter_id": "row.contact_id",
    "place": "encounter.place",
    "setting": "encounter.setting",
}
"""Costs hang on a contact: person, time and place are the contact's."""
GROUPED_TO = FROM_CONTACT | {
    "code_system": "'DRG'",
    "code_raw": "row.drg",
    "code": prefixed("DRG", "row.drg"),
    "cost_dkk": "row.value",
}
"""The group is the code, and what it is worth the cost."""
TO_CONTACT = (Join("encounter", "contact_id", "contact_id"),)


def files(name: str) -> str:
    """Where a table of costs may lie."""
    return rf"(.*/)?drg/{DATED}{name}(_?\d{{4}})?{FORMS}"


GROUPED = Table(
    name="drg_contacts",
    files=files("drg_kontakt(er)?"),
    encoding="cp1252",
    once=True,
    fields=(
        CONTACT,
        Field("drg", Type.CODE, aliases=("drg_kode", "c_drg"), filled=True, pattern=DRG),
        Field("mdc", Type.CODE, aliases=("c_mdc",), pad=2, pattern=r"\d{2}"),
        Field("value", Type.NUMBER, aliases=("v_totpris", "drg_vaerdi"), filled=True),
        Field("base_value", Type.NUMBER, aliases=("v_pris",), required=False),
        Field("long_stay_value", Type.NUMBER, aliases=("v_langpris",), required=False),
        Field("tariff_year", Type.INTEGER, aliases=("takstaar",), required=False),
        Field("dearest", Type.CODE, aliases=("overgangskontakt_dyreste",), pattern=r"LPR[23]"),
    ),
    events=(
        Event(
            GROUPED_TO | {"status": "CASE WHEN row.dearest = 'LPR2' THEN 'superseded' ELSE 'active' END"},
            joins=TO_CONTACT,
        ),
    ),
    stay_cost=StayCost("contact_id", "value", where="dearest IS NULL OR dearest <> 'LPR2'"),
)
"""A contact that spans the change of registers is grouped in both; the dearest group wins, the other is superseded."""
GROUPED_BEFORE = Table(
    name="lpr2_drg",
    files=rf"(.*/)?(lpr2?|drg)/{DATED}t_drg(_?\d{{4}})?{FORMS}",
    encoding="cp1252",
    once=True,
    fields=(
        Field(
            "contact_id",
            Type.KEY,
            aliases=("v_recnum", "k_recnum", "recnum"),
            filled=True,
            domain=BEFORE_THE_CHANGE,
        ),
        Field("drg", Type.CODE, aliases=("c_drg", "drg_kode"), filled=True, pattern=DRG),
        Field("mdc", Type.CODE, aliases=("c_mdc",), pad=2, pattern=r"\d{2}"),
        Field("value", Type.NUMBER, aliases=("v_totpris",), filled=True),
        Field("base_value", Type.NUMBER, aliases=("v_pris",), required=False),
        Field("long_stay_value", Type.NUMBER, aliases=("v_langpris",), required=False),
        Field("rehabilitation_value", Type.NUMBER, aliases=("v_genoppris",), required=False),
        Field("trim_point", Type.INTEGER, aliases=("v_trimpkt",), required=False),
        Field("bed_days", Type.INTEGER, aliases=("v_sengdag",), required=False),
        Field("municipality", Type.CODE, aliases=("c_kom",), required=False, pad=4, pattern=r"\d{4}"),
        Field("region", Type.CODE, aliases=("c_region",), required=False, pattern=r"\d{4}"),
    ),
    events=(Event(GROUPED_TO, joins=TO_CONTACT),),
    stay_cost=StayCost("contact_id", "value"),
)
"""Until the change of registers. Its copies of diagnoses and procedures are the patient register's, and left there."""
TARIFFS = Table(
    name="drg_tariffs",
    files=files("drg_takster"),
    encoding="cp1252",
    role="tariff",
    once=True,
    fields=(
        Field("year", Type.INTEGER, aliases=("aar",), filled=True),
        Field("drg", Type.CODE, aliases=("drg_kode",), filled=True, pattern=DRG),
        Field("text", aliases=("tekst",)),
        Field("tariff", Type.NUMBER, aliases=("takst",), filled=True),
        Field("trim_point", Type.INTEGER, aliases=("trimpunkt",), required=False),
        Field("day_rate", Type.NUMBER, aliases=("langliggertakst",), required=False),
    ),
    names=(Names(prefixed("DRG", "drg"), "text"),),
)
PSYCHIATRIC_RATES = Table(
    name="psychiatric_rates",
    files=files("psykiatri_takster"),
    encoding="cp1252",
    role="tariff",
    once=True,
    fields=(
        Field("year", Type.INTEGER, aliases=("aar",), filled=True),
        Field("service", Type.CODE, aliases=("ydelse",), filled=True, pattern="SENGEDAG|BESOEG"),
        Field("rate", Type.NUMBER, aliases=("takst",), filled=True),
    ),
)
"""Psychiatry is not grouped: a rate for a bed-day and one for a visit."""
UNIT_COSTS = Table(
    name="unit_costs",
    files=files("omkostninger"),
    encoding="cp1252",
    once=True,
    fields=(
        CONTACT,
        Field("pool", Type.CODE, aliases=("omkostningsgruppe",), filled=True, pattern=r"[A-ZÆØÅ_]{2,30}"),
        Field("cost", Type.NUMBER, aliases=("beloeb",), filled=True),
    ),
    events=(
        Event(
            FROM_CONTACT
            | {
                "code_system": "'COST'",
                "code_raw": "row.pool",
                "code": prefixed("COST", "row.pool"),
                "cost_dkk": "row.cost",
            },
            joins=TO_CONTACT,
        ),
    ),
)
PRICES = Table(
    name="medicine_prices",
    files=rf"(.*/)?(drg|priser)/{DATED}medicinpriser(_?\d{{4,8}})?{FORMS}",
    encoding="cp1252",
    role="price_list",
    once=True,
    fields=(
        Field("item", Type.CODE, aliases=("vnr", "varenummer"), filled=True, pad=6, pattern=r"\d{6}"),
        Field("valid_from", Type.DATE, aliases=("gyldig_fra",), filled=True),
        Field("valid_to", Type.DATE, aliases=("gyldig_til",)),
        Field("purchase_price", Type.NUMBER, aliases=("aip",)),
        Field("retail_price", Type.NUMBER, aliases=("esp", "aup"), filled=True),
    ),
)
SOURCE = Source(
    name="costs",
    format="danish",
    identifier="cpr",
    tables=(GROUPED, GROUPED_BEFORE, TARIFFS, PSYCHIATRIC_RATES, UNIT_COSTS, PRICES),
    levels=True,
)
