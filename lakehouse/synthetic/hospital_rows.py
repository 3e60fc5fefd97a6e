"""A block's hospital contacts as rows of the patient register: contacts, diagnoses, procedures, courses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.identity import numbers
from lakehouse.synthetic.intensity import VISIT
from lakehouse.synthetic.lasting import REGISTER_CHANGE
from lakehouse.synthetic.rates import Bools, Ints
from lakehouse.synthetic.registers import Columns, choose, constant, dates, text, unit_code

CONTACT_SERIES = 4_000_000_000_000_000
COURSE_SERIES = 5_000_000_000_000_000
PROCEDURE_SERIES = 6_000_000_000_000_000
SUFFIXES = ("", "9", "0", "1", "8", "9A")
SUFFIX_SHARES = (0.12, 0.5, 0.2, 0.1, 0.06, 0.02)
REFUTED, REFERRALS, SIDES, NO_CONTACT = 0.01, 0.05, 0.35, 0.02
UNIT_TYPES = ("ambulatorium", "akutmodtagelse", "sengeafsnit")


@dataclass(frozen=True)
class Places:
    """Where each contact took place: positions of hospital and specialty."""

    hospital: Ints
    specialty: Ints


def contact_id(block: int, row: Ints) -> Ints:
    """Register key of a contact."""
    return CONTACT_SERIES + block * 10_000_000 + row


def course_id(block: int, course: Ints) -> Ints:
    """Register key of a course."""
    return COURSE_SERIES + block * 100_000_000 + course


def times(minutes: Ints) -> pa.Array:
    """Time of day from minutes since 1970."""
    return pa.array((minutes % 1440 * 60).astype(np.int32)).cast(pa.time32("s"))


def system(day: Ints) -> pa.Array:
    """Which register system a row was reported to."""
    return choose(("LPR2", "LPR3"), (day >= REGISTER_CHANGE).astype(np.int64))


def diagnosis_codes(world: World) -> list[str]:
    """All SKS codes: D, the three characters, and each suffix; code ``c`` with suffix ``s`` at c * 6 + s."""
    return [f"D{code}{suffix}" for code in world.catalogue.diagnoses.code for suffix in SUFFIXES]


def main_codes(block: Block, depth: Ints) -> Ints:
    """Position (in ``diagnosis_codes``) of each contact's main diagnosis."""
    code = np.zeros(len(block.contacts.person), np.int64)
    rows = np.flatnonzero(block.main)
    code[block.records.contact[rows]] = block.records.code[rows] * len(SUFFIXES) + depth[rows]
    return code


def place_contacts(block: Block, world: World, rng: np.random.Generator, depth: Ints) -> Places:
    """A hospital of the person's region, by size, and a specialty that fits the main diagnosis' chapter."""
    catalogue = world.catalogue
    region = np.array([int(row["region"]) for row in catalogue.municipalities])[block.people.municipality]
    size = np.array([float(row["size"]) for row in catalogue.hospitals])
    owner = np.array([int(row["region"]) for row in catalogue.hospitals])
    count = len(block.contacts.person)
    hospital = np.zeros(count, np.int64)
    favourite = rng.random(block.people.count)
    here = region[block.contacts.person]
    draw = np.where(rng.random(count) < 0.8, favourite[block.contacts.person], rng.random(count))
    for code in np.unique(region):
        own = np.flatnonzero(owner == code)
        edges = np.cumsum(size[own]) / size[own].sum()
        rows = here == code
        hospital[rows] = own[np.minimum(np.searchsorted(edges, draw[rows], side="right"), len(own) - 1)]
    chapters = sorted({code[0] for code in catalogue.diagnoses.code})
    fitting = [
        [k for k, row in enumerate(catalogue.specialties) if chapter in row["chapters"]] or [0]
        for chapter in chapters
    ]
    wide = np.array([(options * 12)[:12] for options in fitting])
    chapter = np.array([chapters.index(code[0]) for code in catalogue.diagnoses.code])
    main = main_codes(block, depth) // len(SUFFIXES)
    return Places(hospital, wide[chapter[main], rng.integers(0, 12, count)])


def contact_rows(
    block: Block, world: World, rng: np.random.Generator, depth: Ints, places: Places
) -> Columns:
    """Contacts; times are minutes, the report follows within three weeks."""
    contacts, catalogue = block.contacts, world.catalogue
    count = len(contacts.person)
    day = contacts.day
    units = [
        unit_code(h, s) for h in range(len(catalogue.hospitals)) for s in range(len(catalogue.specialties))
    ]
    main = main_codes(block, depth)
    injury = np.array([code[0] in "ST" for code in catalogue.diagnoses.code])[main // len(SUFFIXES)]
    return {
        "dw_ek_kontakt": text(contact_id(block.number, np.arange(count))),
        "dw_ek_forloeb": text(course_id(block.number, contacts.course)),
        "cpr": numbers(block.people, contacts.person, day),
        "sorenhed_ans": choose(units, places.hospital * len(catalogue.specialties) + places.specialty),
        "enhedstype_ans": choose(UNIT_TYPES, contacts.setting),
        "hovedspeciale_ans": choose([row["name"] for row in catalogue.specialties], places.specialty),
        "region_ans": choose([row["region"] for row in catalogue.hospitals], places.hospital),
        "dato_start": dates(day),
        "tidspunkt_start": times(contacts.start),
        "dato_slut": dates(contacts.stop // 1440),
        "tidspunkt_slut": times(contacts.stop),
        "kontakttype": constant("ALCA00", count),
        "kontaktaarsag": choose(("ALCC01", "ALCC02"), injury.astype(np.int64)),
        "prioritet": choose(("ATA3", "ATA1"), contacts.acute.astype(np.int64)),
        "aktionsdiagnose": choose(diagnosis_codes(world), main),
        "dato_indberetning": dates(contacts.stop // 1440 + rng.integers(1, 21, count)),
        "lprindberetningssystem": system(day),
    }


def diagnosis_rows(
    block: Block, world: World, rng: np.random.Generator, depth: Ints
) -> tuple[Columns, Ints, int]:
    """Diagnoses with their extras (refuted, referral and add-on rows), the day of each, and how many are refuted.

    The extras carry codes drawn from the block's other records: they are noise that a reader must set aside.
    """
    records = block.records
    full = records.code * len(SUFFIXES) + depth
    names = [*diagnosis_codes(world), "TUL1", "TUL2"]
    count = len(full)
    visits = np.flatnonzero(block.contacts.setting == VISIT)
    refuted = rng.choice(count, rng.binomial(count, REFUTED), replace=False)
    referred = visits[rng.random(len(visits)) < REFERRALS]
    sided = np.array([code[0] in "MS" for code in world.catalogue.diagnoses.code])[records.code]
    addon = np.flatnonzero(sided & (rng.random(count) < SIDES))
    contact = np.concatenate([records.contact, records.contact[refuted], referred, records.contact[addon]])
    wrong, asked = (full[rng.integers(0, count, size)] for size in (len(refuted), len(referred)))
    code = np.concatenate([full, wrong, asked, len(names) - 2 + rng.integers(0, 2, len(addon))])
    plain = np.where(block.main, 0, 1)
    kind = np.concatenate(
        [plain, np.ones(len(refuted), int), np.full(len(referred), 2), np.full(len(addon), 3)]
    )
    withdrawn = np.zeros(len(code), np.int64)
    withdrawn[count : count + len(refuted)] = 1
    parent, parent_kind = np.zeros((2, len(code)), np.int64)
    first_addon = len(code) - len(addon)
    parent[first_addon:], parent_kind[first_addon:] = full[addon], plain[addon]
    key = (((contact * 4 + kind) * 2 + withdrawn) * len(names) + code) * len(names) + parent
    once = np.sort(np.unique(key, return_index=True)[1])
    order = once[np.argsort(block.contacts.start[contact[once]], kind="stable")]
    contact, code, kind, withdrawn = contact[order], code[order], kind[order], withdrawn[order]
    parent, parent_kind, day = parent[order], parent_kind[order], block.contacts.day[contact]
    rows: Columns = {
        "dw_ek_kontakt": text(contact_id(block.number, contact)),
        "diagnosekode": choose(names, code),
        "diagnosetype": choose(("A", "B", "H", "+"), kind),
        "senere_afkraeftet": choose(("Nej", "Ja"), withdrawn, (day < REGISTER_CHANGE) & (withdrawn == 0)),
        "diagnosekode_parent": choose(names, parent, kind != 3),
        "diagnosetype_parent": choose(("A", "B"), parent_kind, kind != 3),
        "lprindberetningssystem": system(day),
    }
    return rows, day, int(withdrawn.sum())


def procedure_rows(
    block: Block, world: World, rng: np.random.Generator, places: Places
) -> tuple[Columns, Ints, Bools]:
    """Procedures of both files, the day of each and which are surgical; a few hang on a course alone."""
    done, contacts = block.procedures, block.contacts
    count = len(done.code)
    table = world.catalogue.procedures
    surgical = np.array([row["file"] == "k" for row in table.extra])[done.code]
    sided = np.flatnonzero(surgical & (rng.random(count) < SIDES))
    names = [*table.code, "TUL1", "TUL2"]
    row = np.concatenate([np.arange(count), sided])
    order = np.argsort(done.minute[row], kind="stable")
    row, addon = row[order], order >= count
    code = np.where(addon, len(names) - 2 + rng.integers(0, 2, len(row)), done.code[row])
    contact = done.contact[row]
    loose = (rng.random(count) < NO_CONTACT)[row]
    courseless = ~loose & (rng.random(len(row)) < 0.2)
    units = [
        unit_code(h, s)
        for h in range(len(world.catalogue.hospitals))
        for s in range(len(world.catalogue.specialties))
    ]
    unit = places.hospital * len(world.catalogue.specialties) + places.specialty
    day = done.minute[row] // 1440
    rows: Columns = {
        "procedureregistrering_id": text(PROCEDURE_SERIES + block.number * 10_000_000 + np.arange(len(row))),
        "dw_ek_kontakt": pa.array(contact_id(block.number, contact), mask=loose).cast(pa.string()),
        "dw_ek_forloeb": pa.array(course_id(block.number, contacts.course[contact]), mask=courseless).cast(
            pa.string()
        ),
        "procedurekode": choose(names, code),
        "proceduretype": choose(("P", "+"), addon.astype(np.int64)),
        "procedurekode_parent": choose(names, done.code[row], ~addon),
        "sorenhed_pro": choose(units, unit[contact]),
        "dato_start": dates(day),
        "tidspunkt_start": times(done.minute[row]),
    }
    return rows, day, surgical[row]


def course_rows(block: Block) -> Columns:
    """Courses: the person of each, so that procedures without a contact find theirs."""
    course, first = np.unique(block.contacts.course, return_index=True)
    return {
        "dw_ek_forloeb": text(course_id(block.number, course)),
        "cpr": numbers(block.people, block.contacts.person[first], block.contacts.day[first]),
    }
