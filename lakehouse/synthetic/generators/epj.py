"""Extracts of the hospital record: movements, diagnoses, doses, results, vital signs, and notes that name their patient."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow.compute as pc

from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.generator import Generator, Planter, Rows
from lakehouse.synthetic.hospital_view import Hospital, clock_text, hospital_of, taken
from lakehouse.synthetic.inpatient_doses import HOSPITAL_ATC, doses_of
from lakehouse.synthetic.intensity import STAY
from lakehouse.synthetic.layout import FileKind, columns
from lakehouse.synthetic.population import day_of
from lakehouse.synthetic.registers import choose, constant, text

BEGINS = day_of(2017, 5, 20)


def extract(stem: str, header: str) -> FileKind:
    """A file of the record."""
    return FileKind("epj", stem, "utf-8", columns(header), bom=True)


MOVES = extract(
    "SP_ADT_haendelser", "patientid event_type_name effective_time hospital_area_name afdeling_name"
)
DIAGNOSES = extract(
    "SP_BehandlingskontakterOgDiagnoser", "patientid skskode dx_name start_date_of_diagnosis diagnosetype"
)
ORDERS = extract(
    "SP_OrdineretMedicin", "patientid order_med_id name atc hv_discrete_dose order_start_time order_end_time"
)
DOSES = extract(
    "SP_AdministreretMedicin", "patientid taken_time atc medication_name sig zc_med_unit_name mar_action_c"
)
SIGNS = extract(
    "SP_VitaleVaerdier", "patientid displayname recorded_time meas_value numericvalue isaccepted_yn"
)
NOTES = extract("SP_Journalnotater_Del1", "patientid notat_tidspunkt notat_type notat_text")
NAMES, MIDDLE = ("Puls", "Blodtryk systolisk", "Temperatur", "Saturation"), np.array([78, 132, 37, 97])


def rows(block: Block, world: World, planter: Planter) -> Iterator[Rows]:
    """All extracts of the block's ward contacts."""
    seen = hospital_of(block, world)
    contacts = block.contacts
    wards = np.flatnonzero((contacts.setting == STAY) & (contacts.day >= BEGINS))
    of, start = taken(seen.contacts, wards), contacts.start[wards]
    count = len(wards)
    yield Rows(
        MOVES,
        {
            "patientid": of["cpr"],
            "event_type_name": choose(
                ("Admission", "Transfer In", "Discharge"), planter.rng.integers(0, 3, count)
            ),
            "effective_time": clock_text(start),
            "hospital_area_name": of["region_ans"],
            "afdeling_name": of["hovedspeciale_ans"],
        },
    )
    yield diagnosis_rows(seen, wards)
    yield from dose_rows(seen, planter)
    name = planter.rng.integers(0, len(NAMES), count)
    value = MIDDLE[name] + planter.rng.integers(-3, 4, count)
    yield Rows(
        SIGNS,
        {
            "patientid": of["cpr"],
            "displayname": choose(NAMES, name),
            "recorded_time": clock_text(start + 20),
            "meas_value": text(value),
            "numericvalue": text(value),
            "isaccepted_yn": choose(("Y", "N"), (planter.rng.random(count) < 0.02).astype(np.int64)),
        },
    )
    yield Rows(
        NOTES,
        {
            "patientid": of["cpr"],
            "notat_tidspunkt": clock_text(start + 60),
            "notat_type": constant("Indlæggelse", count),
            "notat_text": pc.binary_join_element_wise(
                constant("Patient", count), of["cpr"], "set i dag", " "
            ),
        },
    )


def diagnosis_rows(seen: Hospital, wards: np.ndarray) -> Rows:
    """Main diagnoses of the wards as the record lists them. ``wards`` are positions of contacts, [contact]."""
    main = np.isin(seen.diagnosis_of, wards) & pc.equal(seen.diagnoses["diagnosetype"], "A").to_numpy(
        zero_copy_only=False
    )
    row = np.flatnonzero(main)
    given, of = taken(seen.diagnoses, row), seen.diagnosis_of[row]
    return Rows(
        DIAGNOSES,
        {
            "patientid": taken(seen.contacts, of)["cpr"],
            "skskode": given["diagnosekode"],
            "dx_name": constant("Diagnose", len(row)),
            "start_date_of_diagnosis": clock_text(seen.block.contacts.start[of]),
            "diagnosetype": given["diagnosetype"],
        },
    )


def dose_rows(seen: Hospital, planter: Planter) -> Iterator[Rows]:
    """Orders and doses: the doses are those of the hospital medicine register, and one in fifty was not given."""
    given = doses_of(seen.block, seen.world)
    inside = np.flatnonzero(given.minute // 1440 <= seen.world.calendar.last)
    contact, minute, medicine = given.contact[inside], given.minute[inside], given.medicine[inside]
    count = len(inside)
    person = taken(seen.contacts, contact)["cpr"]
    whole = (given.amount[inside] * 10).astype(np.int64)
    amount = pc.binary_join_element_wise(text(whole // 10), text(whole % 10), ",")
    copied = planter.choose("T28", np.ones(count, bool))
    planter.expect("T28", "gold.event", "source_table = 'epj_doses' AND status = 'superseded'", len(copied))
    table = {
        "patientid": person,
        "taken_time": clock_text(minute),
        "atc": choose(HOSPITAL_ATC, medicine),
        "medication_name": choose(HOSPITAL_ATC, medicine),
        "sig": amount,
        "zc_med_unit_name": constant("g", count),
        "mar_action_c": constant("1", count),
    }
    yield Rows(DOSES, taken(table, copied))
    _, first = np.unique(contact, return_index=True)
    orders = taken(table, first)
    yield Rows(
        ORDERS,
        {
            "patientid": orders["patientid"],
            "order_med_id": text(8_000_000_000 + seen.block.number * 10_000_000 + first),
            "name": orders["medication_name"],
            "atc": orders["atc"],
            "hv_discrete_dose": orders["sig"],
            "order_start_time": orders["taken_time"],
            "order_end_time": clock_text(minute[first] + 2880),
        },
    )


GENERATOR = Generator(
    name="epj", files=(MOVES, DIAGNOSES, DOSES, ORDERS, SIGNS, NOTES), rows=rows, known_defects=("T28",)
)
