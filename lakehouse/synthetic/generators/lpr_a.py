"""The patient register's research model A: contacts since the change of register, and some from before that LPR2 has too."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.synthetic import hospital_rows
from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.generator import Generator, Planter, Rows
from lakehouse.synthetic.hospital_view import (
    Hospital,
    clock_text,
    hospital_of,
    replaced,
    stamps,
    taken,
)
from lakehouse.synthetic.intensity import VISIT
from lakehouse.synthetic.layout import FileKind, columns
from lakehouse.synthetic.population import NEVER
from lakehouse.synthetic.rates import Bools, Ints
from lakehouse.synthetic.registers import Columns, choose, constant, dates, text

CONTACTS = FileKind(
    "lpr_a",
    "lpr_a_kontakt",
    "utf-8",
    columns(
        "dw_ek_kontakt dw_ek_forloeb pnr kont_starttidspunkt kont_sluttidspunkt kont_indb_tidspunkt kont_type prioritet "
        "kont_aarsag adiag kont_ans kont_ans_inst kont_ans_hovedspec kont_ans_geo_reg kont_inst_ejertype "
        "flag_kont_afsluttet lprindberetningssystem"
    ),
    form="parquet",
)
COURSES = FileKind(
    "lpr_a", "lpr_a_forloeb", "utf-8", columns("dw_ek_forloeb dw_ek_helbredsforloeb pnr"), bom=True
)
DIAGNOSES = FileKind(
    "lpr_a",
    "lpr_a_diagnose",
    "utf-8",
    columns(
        "dw_ek_kontakt diag_kode diag_kode_type senere_afkraeftet diag_parent_kode diag_parent_kode_type"
    ),
    form="parquet",
)
DONE = columns(
    "dw_ek_procedureregistrering dw_ek_kontakt dw_ek_forloeb proc_kode proc_kode_type proc_parent_kode "
    "proc_starttidspunkt prod_enh flag_proc_uden_kont"
)
PROCEDURES = FileKind("lpr_a", "lpr_a_procregistrering", "utf-8", DONE, bom=True)
CANCELLED = FileKind("lpr_a", "lpr_a_procregistrering_aflys", "utf-8", DONE, bom=True)
LINKS = FileKind(
    "cpr", "person_link_lpr", "utf-8", columns("erstatningsnummer udsteder v_pnr d_start"), bom=True
)
ALSO_OLD, PRIVATE, CANCELLED_SHARE = 0.1, 0.03, 0.01
HALF_YEAR = 60 * 1440
DIAGNOSED = "source_table = 'lpr_a_diagnose'"
ENCOUNTERED = "source_table = 'lpr_a_kontakt'"


def rows(block: Block, world: World, planter: Planter) -> Iterator[Rows]:
    """Everything of the model. Contacts from before the change carry the mark of the older register."""
    seen = hospital_of(block, world)
    old = ~seen.late & (planter.rng.random(len(seen.late)) < ALSO_OLD)
    kept = np.flatnonzero(seen.late | old)
    system = np.where(old[kept], 0, np.where(planter.rng.random(len(kept)) < PRIVATE, 2, 1))
    minutes, open_end, table = contact_times(seen, planter, kept, system == 1)
    person, links = decentral(seen, planter, kept, system == 1)
    table |= {"pnr": person, "lprindberetningssystem": choose(("LPR2", "LPR3", "MiniPAS"), system)}
    planter.plant("T13", int((system == 0).sum()))
    planter.expect("T13", "silver.encounter", f"{ENCOUNTERED} AND superseded", int((system == 0).sum()))
    yield Rows(CONTACTS, contact_columns(seen, kept) | table)
    yield Rows(LINKS, links)
    course, first = np.unique(block.contacts.course, return_index=True)
    chosen = course_columns(block, course, first)
    yield Rows(COURSES, chosen)
    listed = np.isin(seen.diagnosis_of, kept)
    yield Rows(
        DIAGNOSES, diagnosis_columns(seen, planter, kept, np.flatnonzero(listed), system, minutes, open_end)
    )
    yield from procedure_files(seen, planter, kept)


def contact_columns(seen: Hospital, kept: Ints) -> Columns:
    """Columns that no known defect changes."""
    given, count = taken(seen.contacts, kept), len(kept)
    hospitals = seen.world.catalogue.hospitals
    return {
        "dw_ek_kontakt": given["dw_ek_kontakt"],
        "dw_ek_forloeb": given["dw_ek_forloeb"],
        "kont_indb_tidspunkt": given["dato_indberetning"].cast(pa.timestamp("us")),
        "kont_type": given["kontakttype"],
        "prioritet": given["prioritet"],
        "kont_aarsag": given["kontaktaarsag"],
        "adiag": given["aktionsdiagnose"],
        "kont_ans": given["sorenhed_ans"],
        "kont_ans_inst": choose([row["name"] for row in hospitals], seen.places.hospital[kept]),
        "kont_ans_hovedspec": given["hovedspeciale_ans"],
        "kont_ans_geo_reg": given["region_ans"],
        "kont_inst_ejertype": constant("Offentlig", count),
    }


def contact_times(
    seen: Hospital, planter: Planter, kept: Ints, fitting: Bools
) -> tuple[Ints, Bools, Columns]:
    """Start, whether open, and the columns of both; midnights, lives overstepped and open ends are planted here."""
    contacts, people = seen.block.contacts, seen.block.people
    start, stop, who = contacts.start[kept].copy(), contacts.stop[kept].copy(), contacts.person[kept]
    midnight = planter.choose("T10", fitting, "contacts")
    start[midnight] -= start[midnight] % 1440
    newborn = planter.choose(
        "T09", fitting & (people.birth[who] >= seen.world.calendar.first + 40), "contacts"
    )
    start[newborn] = people.birth[who[newborn]] * 1440 - 5 * 1440 + 600
    dead = people.death[who] <= min(seen.world.calendar.last - 70, NEVER)
    gone = planter.choose("T09", fitting & dead, "contacts")
    start[gone] = people.death[who[gone]] * 1440 + HALF_YEAR + 600
    stop = np.maximum(stop, start + 30)
    stop[newborn], stop[gone] = start[newborn] + 30, start[gone] + 30
    open_rows = planter.choose("T20", fitting, "contacts")
    open_end = np.zeros(len(kept), bool)
    open_end[open_rows] = True
    planter.expect("T20", "silver.encounter", f"{ENCOUNTERED} AND time_end IS NULL", len(open_rows))
    planter.expect(
        "T10", "silver.encounter", f"{ENCOUNTERED} AND time_precision = 'day'", int((start % 1440 == 0).sum())
    )
    listed = np.bincount(seen.diagnosis_of, minlength=len(contacts.person))[kept]
    for name, some in (("before_birth", newborn), ("after_death", gone)):
        planter.expect(
            "T09", "gold.event", f"{DIAGNOSED} AND quality LIKE '%{name}%'", int(listed[some].sum())
        )
    return (
        start,
        open_end,
        {
            "kont_starttidspunkt": stamps(start),
            "kont_sluttidspunkt": stamps(stop, open_end),
            "flag_kont_afsluttet": choose(("1", "0"), open_end.astype(np.int64)),
        },
    )


def decentral(seen: Hospital, planter: Planter, kept: Ints, fitting: Bools) -> tuple[pa.Array, Columns]:
    """The person's number on each contact, some decentral ones among them, and the list that links these.

    Each decentral number is used twice, in two regions, for two persons.
    """
    block = seen.block
    person = taken({"cpr": seen.contacts["cpr"]}, kept)["cpr"]
    visits = fitting & (block.contacts.setting[kept] == VISIT)
    chosen = planter.choose("T02", visits, "contacts")
    region = np.array([int(row["region"]) for row in seen.world.catalogue.hospitals])[
        seen.places.hospital[kept]
    ]
    used: dict[int, int] = {}
    names, issuers, whose = [], [], []
    for row in chosen.tolist():
        number = used.get(region[row], 0)
        used[region[row]] = number + 1
        names.append(decentral_number(block.number, number))
        issuers.append(str(region[row]))
        whose.append(int(block.contacts.person[kept[row]]))
    planter.expect("T02", "gold.person", "birth_date IS NULL", 0)
    planter.expect("T02", "silver.cpr_person_link", "true", len(chosen))
    links: Columns = {
        "erstatningsnummer": pa.array(names, pa.string()),
        "udsteder": pa.array(issuers, pa.string()),
        "v_pnr": text(block.people.cpr[np.array(whose, np.int64)]),
        "d_start": dates(np.full(len(whose), seen.world.calendar.last)),
    }
    return replaced(person, chosen, pa.array(names, pa.string())), links


def decentral_number(block: int, number: int) -> str:
    """A decentral replacement number: a day since 2000, 6, two letters of the block, a digit."""
    day = np.datetime64("2000-01-01") + number // 10
    year, month, date = str(day).split("-")
    letters = chr(65 + block // 26 % 26) + chr(65 + block % 26)
    return f"{date}{month}{year[2:]}6{letters}{number % 10}"


def course_columns(block: Block, course: Ints, first: Ints) -> Columns:
    """Courses with their person."""
    made = hospital_rows.course_rows(block)
    return {
        "dw_ek_forloeb": made["dw_ek_forloeb"],
        "dw_ek_helbredsforloeb": text(course % 1_000_000 + block.number * 1_000_000),
        "pnr": made["cpr"],
    }


def diagnosis_columns(
    seen: Hospital, planter: Planter, kept: Ints, listed: Ints, system: Ints, minutes: Ints, open_end: Bools
) -> Columns:
    """Diagnoses of the contacts, with what was ruled out among them."""
    given = taken(seen.diagnoses, listed)
    kind, code, refuted = given["diagnosetype"], given["diagnosekode"], given["senere_afkraeftet"]
    current = np.zeros(len(seen.late), bool)
    current[kept[system == 1]] = True
    main = pc.equal(kind, "A").to_numpy(zero_copy_only=False) & current[seen.diagnosis_of[listed]]
    fitting = main & ~pc.match_substring(code, "DZ03").to_numpy(zero_copy_only=False)
    ruled_out = planter.choose("T17", fitting, "diagnoses")
    code = replaced(code, ruled_out, "DZ0390")
    extended = pc.match_substring_regex(code, r"^D[A-Z]\d{3}[A-Z]$").to_numpy(zero_copy_only=False)
    expectations = (
        ("T14", "status = 'refuted'", pc.sum(pc.equal(refuted, "Ja")).as_py() or 0),
        ("T17", "quality LIKE '%ruled_out%'", pc.sum(pc.match_substring(code, "DZ03")).as_py() or 0),
        ("T17", "code_role = 'referral'", pc.sum(pc.equal(kind, "H")).as_py() or 0),
        ("T16", "code_role = 'addon'", pc.sum(pc.equal(kind, "+")).as_py() or 0),
        ("T15", "code RLIKE '^ICD10//.*[A-Z]$'", 0),
        ("T15", "code_raw RLIKE '^D[A-Z][0-9]{3}[A-Z]$'", int(extended.sum())),
        ("T11", "quality LIKE '%register_break%'", broken(seen, kept, listed, minutes)),
    )
    for defect, where, number in expectations:
        planter.expect(defect, "gold.event", f"{DIAGNOSED} AND {where}", number)
        if defect != "T17" and number:
            planter.plant(defect, number)
    superseded = np.isin(seen.diagnosis_of[listed], kept[system == 0])
    plain = superseded & ~pc.fill_null(pc.equal(refuted, "Ja"), False).to_numpy(zero_copy_only=False)
    planter.expect("T13", "gold.event", f"{DIAGNOSED} AND status = 'superseded'", int(plain.sum()))
    planter.expect("T13", "gold.event", "source = 'lpr_f'", 0)
    return {
        "dw_ek_kontakt": given["dw_ek_kontakt"],
        "diag_kode": code,
        "diag_kode_type": kind,
        "senere_afkraeftet": refuted,
        "diag_parent_kode": given["diagnosekode_parent"],
        "diag_parent_kode_type": given["diagnosetype_parent"],
    }


def broken(seen: Hospital, kept: Ints, listed: Ints, minutes: Ints) -> int:
    """Diagnoses of the weeks in which the registers changed."""
    first, last = (
        int(np.datetime64(day).astype("datetime64[m]").astype(int)) for day in ("2019-02-02", "2019-04-01")
    )
    start = np.zeros(len(seen.late), np.int64)
    start[kept] = minutes
    of_row = start[seen.diagnosis_of[listed]]
    return int(((of_row >= first) & (of_row < last)).sum())


def procedure_files(seen: Hospital, planter: Planter, kept: Ints) -> Iterator[Rows]:
    """Procedures since the change, a few of them cancelled, some that hang on nothing."""
    block = seen.block
    loose = seen.procedure_of < 0
    late = seen.procedure_minute // 1440 >= block.contacts.day[seen.late].min(initial=NEVER)
    own = np.isin(seen.procedure_of, kept) | (loose & late)
    given = taken(seen.procedures, np.flatnonzero(own))
    minute = seen.procedure_minute[own]
    count = len(minute)
    adrift = planter.choose("T18", np.ones(count, bool), "procedures")
    planter.expect("T18", "quarantine.unlinked", "source_table = 'lpr_a_procregistrering'", len(adrift))
    contact = replaced(given["dw_ek_kontakt"], adrift, None)
    table: Columns = {
        "dw_ek_procedureregistrering": given["procedureregistrering_id"],
        "dw_ek_kontakt": contact,
        "dw_ek_forloeb": replaced(given["dw_ek_forloeb"], adrift, None),
        "proc_kode": given["procedurekode"],
        "proc_kode_type": given["proceduretype"],
        "proc_parent_kode": given["procedurekode_parent"],
        "proc_starttidspunkt": clock_text(minute),
        "prod_enh": given["sorenhed_pro"],
        "flag_proc_uden_kont": pc.if_else(pc.is_null(contact), "1", "0"),
    }
    cancelled = planter.rng.random(count) < CANCELLED_SHARE
    cancelled[adrift] = False
    yield Rows(PROCEDURES, taken(table, np.flatnonzero(~cancelled)))
    yield Rows(CANCELLED, taken(table, np.flatnonzero(cancelled)))


GENERATOR = Generator(
    name="lpr_a",
    files=(CONTACTS, LINKS, COURSES, DIAGNOSES, PROCEDURES, CANCELLED),
    rows=rows,
    known_defects=("T02", "T09", "T10", "T11", "T13", "T14", "T15", "T16", "T17", "T18", "T20"),
)
