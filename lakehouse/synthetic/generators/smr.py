"""The hospital medicine register: doses given, with the price of the region's contract."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow.compute as pc

from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.generator import Generator, Planter, Rows
from lakehouse.synthetic.hospital_view import clock_text, hospital_of, taken
from lakehouse.synthetic.inpatient_doses import HOSPITAL_ATC, doses_of
from lakehouse.synthetic.layout import FileKind, columns
from lakehouse.synthetic.registers import choose, constant, text

DOSES = FileKind(
    "smr",
    "indberetningmedpris",
    "cp1252",
    columns(
        "k_adm_id k_region_id v_cpr c_hjem_kommune d_adm d_kontakt_start c_sor c_patienttype c_atc v_laegemiddelnavn "
        "c_varenummer c_adm_vej v_adm_dosis v_adm_dosis_enhed amgros_adm_pris"
    ),
    yearly=True,
    loud=True,
)


def rows(block: Block, world: World, planter: Planter) -> Iterator[Rows]:
    """Doses of the ward contacts, in the order of their time."""
    given, seen = doses_of(block, world), hospital_of(block, world)
    order = np.argsort(given.minute, kind="stable")
    contact, minute, medicine = given.contact[order], given.minute[order], given.medicine[order]
    count = len(contact)
    of = taken(seen.contacts, contact)
    whole = (given.amount[order] * 10).astype(np.int64)
    amount = pc.binary_join_element_wise(text(whole // 10), text(whole % 10), ",")
    item = 100_000 + medicine * 7
    table = {
        "k_adm_id": text(9_000_000_000 + block.number * 10_000_000 + np.arange(count)),
        "k_region_id": of["region_ans"],
        "v_cpr": of["cpr"],
        "c_hjem_kommune": constant("0751", count),
        "d_adm": clock_text(minute),
        "d_kontakt_start": clock_text(block.contacts.start[contact]),
        "c_sor": of["sorenhed_ans"],
        "c_patienttype": constant("0", count),
        "c_atc": choose(HOSPITAL_ATC, medicine),
        "v_laegemiddelnavn": choose([f"Præparat {code}" for code in HOSPITAL_ATC], medicine),
        "c_varenummer": text(item),
        "c_adm_vej": constant("OR", count),
        "v_adm_dosis": amount,
        "v_adm_dosis_enhed": constant("g", count),
        "amgros_adm_pris": pc.binary_join_element_wise(text(3 + medicine * 4), constant("25", count), ","),
    }
    inside = np.flatnonzero(minute // 1440 <= world.calendar.last)
    planter.expect("T28", "gold.event", "source_table = 'smr_doses' AND status = 'active'", len(inside))
    planter.plant("T05", len(inside))
    planter.expect("T05", "silver.smr_doses", "true", len(inside))
    yield Rows(DOSES, taken(table, inside), day=minute[inside] // 1440)


GENERATOR = Generator(name="smr", files=(DOSES,), rows=rows, known_defects=("T05", "T28"))
