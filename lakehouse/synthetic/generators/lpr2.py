"""The patient register until the change: somatic, psychiatric, unfinished and private contacts, in three forms of file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.declarations.helpers import codelist
from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.drawing import comma
from lakehouse.synthetic.drg import grouped
from lakehouse.synthetic.generator import Generator, Planter, Rows
from lakehouse.synthetic.hospital_view import Hospital, hospital_of, replaced, taken
from lakehouse.synthetic.intensity import EMERGENCY, STAY, VISIT
from lakehouse.synthetic.lasting import REGISTER_CHANGE
from lakehouse.synthetic.layout import FileKind, columns
from lakehouse.synthetic.population import day_of
from lakehouse.synthetic.rates import Bools, Ints
from lakehouse.synthetic.registers import Columns, choose, dates, text

ADM = columns(
    "k_recnum v_cpr c_sgh c_afd c_pattype d_inddto v_indtime v_indminut d_uddto v_udtime d_hendto c_indm c_udm "
    "c_kontaars c_adiag v_sengdage c_spec c_kom"
)
DIAG = columns("v_recnum c_diag c_diagtype c_tildiag")
OPR = columns("v_recnum c_opr c_tilopr c_oprart d_odto v_otime v_ominut c_osgh c_oafd")
GROUPED = FileKind(
    "lpr2", "t_drg", "cp1252", columns("v_recnum c_drg c_mdc v_totpris v_pris v_langpris v_trimpkt v_sengdag")
)
NO_TIMES = columns("k_recnum v_cpr c_sgh c_afd c_pattype d_inddto d_uddto c_indm c_udm c_adiag c_spec c_kom")


@dataclass(frozen=True)
class Kind:
    """One kind of contact: where its files lie, the table they become, and their form."""

    folder: str
    stem: str
    table: str
    form: str = "csv"

    def file(self, name: str, header: tuple[str, ...]) -> FileKind:
        """One of its files."""
        return FileKind(self.folder, f"{self.stem}_{name}", "cp1252", header, form=self.form)


SOMATIC = Kind("lpr2", "t", "lpr2", form="sas")
PSYCHIATRIC = Kind("lpr2", "t_psyk", "lpr2_psyk")
UNFINISHED = Kind("lpr2", "uaf_t", "lpr2_uaf")
PRIVATE = Kind("minipas", "minipas_t", "minipas")
KINDS = (SOMATIC, PSYCHIATRIC, UNFINISHED, PRIVATE)
PRIVATE_SHARE, UNFINISHED_DAYS = 0.04, 40
RECORDS = 7_000_000_000
NEVER_ENDS = day_of(2500, 1, 1)


def sort_contacts(seen: Hospital, planter: Planter) -> Ints:
    """Which kind each contact is (-1: from after the change)."""
    contacts = seen.block.contacts
    names = [row["name"] for row in seen.world.catalogue.specialties]
    psychiatric = seen.places.specialty == names.index("Psykiatri")
    kind = np.where(psychiatric, 1, 0)
    visits = contacts.setting == VISIT
    kind = np.where(visits & (planter.rng.random(len(kind)) < PRIVATE_SHARE), 3, kind)
    young = contacts.day >= REGISTER_CHANGE - UNFINISHED_DAYS
    kind = np.where(visits & young & (planter.rng.random(len(kind)) < 0.3), 2, kind)
    result: Ints = np.where(seen.late, -1, kind)
    return result


def rows(block: Block, world: World, planter: Planter) -> Iterator[Rows]:
    """All files of the block."""
    seen = hospital_of(block, world)
    kind_of = sort_contacts(seen, planter)
    for number, kind in enumerate(KINDS):
        kept = np.flatnonzero(kind_of == number)
        table, lost = contact_columns(seen, planter, kind, kept)
        header = NO_TIMES if kind is PRIVATE else ADM
        yield Rows(kind.file("adm", header), {name: table[name] for name in header})
        yield from diagnosis_file(seen, planter, kind, kept, lost)
        yield from procedure_files(seen, planter, kind, kept, lost)
        if kind is SOMATIC:
            yield grouped_file(seen, kept[~lost])


def grouped_file(seen: Hospital, kept: Ints) -> Rows:
    """What each somatic contact was grouped to, and its value."""
    listed = codelist("drg")
    group, base, extra = grouped(seen.block, seen.world, kept)
    contacts = seen.block.contacts
    days = np.where(contacts.setting[kept] == STAY, contacts.stop[kept] // 1440 - contacts.day[kept] + 1, 0)
    return Rows(
        GROUPED,
        {
            "v_recnum": record(seen, kept),
            "c_drg": choose([each["code"] for each in listed], group),
            "c_mdc": choose([each["code"][:2] for each in listed], group),
            "v_totpris": comma(base + extra),
            "v_pris": comma(base),
            "v_langpris": comma(extra),
            "v_trimpkt": choose([each["trim"] for each in listed], group),
            "v_sengdag": text(days),
        },
    )


def record(seen: Hospital, contact: Ints) -> pa.Array:
    """Record numbers: counted anew in each block."""
    return text(RECORDS + seen.block.number * 10_000_000 + contact)


def contact_columns(seen: Hospital, planter: Planter, kind: Kind, kept: Ints) -> tuple[Columns, Bools]:
    """Contacts with the known defects of their files, and which of them no reader may keep."""
    block, count = seen.block, len(kept)
    contacts, everyone = block.contacts, np.ones(count, bool)
    setting, start, stop = contacts.setting[kept], contacts.start[kept].copy(), contacts.stop[kept]
    pattern = np.array([0, 2, 2])[np.where(setting == STAY, 0, np.where(setting == EMERGENCY, 1, 2))].astype(
        str
    )
    lost = np.zeros(count, bool)
    retired = planter.choose("T22", everyone, kind.table)
    pattern[retired], lost[retired] = "3", True
    planter.expect("T22", f"quarantine.{kind.table}_adm", "reason = 'not_valid_then'", len(retired))
    day, minute = start // 1440, start % 1440
    hour = minute // 60
    timed = kind is not PRIVATE
    midnight = planter.choose("T10", everyone & timed, kind.table)
    hour[midnight], minute[midnight] = 24, 0
    unknown = ~lost & ((hour % 24 == 0) & (minute % 60 == 0) if timed else everyone)
    planter.expect("T10", "silver.encounter", f"source_table = '{kind.table}_adm' AND time_precision = 'day'",
                   int(unknown.sum()))  # fmt: skip
    end = stop // 1440
    endless = planter.choose("T09", everyone & (kind is not UNFINISHED), kind.table)
    end[endless] = NEVER_ENDS
    ended = f"silver.{kind.table}_adm"
    gone = len(endless) if kind is not UNFINISHED else int((~lost).sum())
    planter.expect("T09" if kind is not UNFINISHED else "T20", ended, "end_date IS NULL", gone)
    if kind is UNFINISHED:
        planter.plant("T20", gone)
    specialty = seen.places.specialty[kept] + 1
    short = planter.choose("T06", everyone & (specialty < 10), kind.table)
    spec = np.char.zfill(specialty.astype(str), 2)
    spec[short] = specialty[short].astype(str)
    planter.expect("T06", ended, "remarks LIKE '%padded_specialty%'", len(short))
    shak = [row["shak"] for row in seen.world.catalogue.hospitals]
    acute = contacts.acute[kept].astype(np.int64)
    unfinished = everyone & (kind is UNFINISHED)
    where = seen.places.hospital[kept]
    table: Columns = {
        "k_recnum": record(seen, kept),
        "v_cpr": taken(seen.contacts, kept)["cpr"],
        "c_sgh": choose(shak, where) if timed else choose([f"85{row[2:]}" for row in shak], where),
        "c_afd": pa.array(np.char.zfill((specialty + 9).astype(str), 2)),
        "c_pattype": pa.array(pattern),
        "d_inddto": dates(day),
        "v_indtime": text(hour),
        "v_indminut": text(minute % 60),
        "d_uddto": dates(end, unfinished),
        "v_udtime": text(stop % 1440 // 60),
        "d_hendto": dates(day - 14),
        "c_indm": choose(("2", "1"), acute),
        "c_udm": choose(("1", "A"), acute),
        "c_kontaars": choose(("1", "2"), acute),
        "c_adiag": taken(seen.contacts, kept)["aktionsdiagnose"],
        "v_sengdage": text(np.where(setting == STAY, stop // 1440 - day + 1, 0)),
        "c_spec": pa.array(spec),
        "c_kom": choose([row["code"] for row in seen.world.catalogue.municipalities],
                        block.people.municipality[contacts.person[kept]]),
    }  # fmt: skip
    return in_form(table, kind), lost


def in_form(table: Columns, kind: Kind) -> Columns:
    """Days as the kind of file writes them: SAS days, YYYYMMDD, day first, ISO."""
    form = {PSYCHIATRIC.table: "%Y%m%d", PRIVATE.table: "%d/%m/%Y"}.get(kind.table)
    if form is None:
        return table
    return {
        name: pc.strftime(values.cast(pa.timestamp("s")), format=form)
        if pa.types.is_date32(values.type)
        else values
        for name, values in table.items()
    }


def diagnosis_file(seen: Hospital, planter: Planter, kind: Kind, kept: Ints, lost: Bools) -> Iterator[Rows]:
    """Diagnoses; an add-on stands in a column of the row it belongs to."""
    mine = np.isin(seen.diagnosis_of, kept)
    code_type = seen.diagnoses["diagnosetype"]
    plain = mine & ~pc.equal(code_type, "+").to_numpy(zero_copy_only=False)
    plain &= ~pc.fill_null(pc.equal(seen.diagnoses["senere_afkraeftet"], "Ja"), False).to_numpy(
        zero_copy_only=False
    )
    row = np.flatnonzero(plain)
    given = taken(seen.diagnoses, row)
    count = len(row)
    sided = pc.match_substring_regex(given["diagnosekode"], "^D[MS]").to_numpy(zero_copy_only=False)
    sided &= planter.rng.random(count) < 0.35
    side = choose(("TUL1", "TUL2"), planter.rng.integers(0, 2, count), ~sided)
    old = planter.choose(
        "T15", pc.equal(given["diagnosetype"], "B").to_numpy(zero_copy_only=False), f"{kind.table}_diag"
    )
    ancient = text(20_000 + old % 60_000)
    code = replaced(given["diagnosekode"], old, ancient)
    name = f"{kind.table}_diag"
    here = f"source_table = '{name}'"
    gone = lost[np.searchsorted(kept, seen.diagnosis_of[row])]
    planter.expect("T15", "gold.event", f"{here} AND code_system = 'ICD8'", int((~gone[old]).sum()))
    planter.expect("T16", "gold.event", f"{here} AND code_role = 'addon'", int((sided & ~gone).sum()))
    planter.plant("T16", int(sided.sum()))
    planter.expect("T22", "quarantine.unlinked", here, int(gone.sum() + (sided & gone).sum()))
    yield Rows(
        kind.file("diag", DIAG),
        {
            "v_recnum": record(seen, seen.diagnosis_of[row]),
            "c_diag": code,
            "c_diagtype": given["diagnosetype"],
            "c_tildiag": side,
        },
    )


def procedure_files(seen: Hospital, planter: Planter, kind: Kind, kept: Ints, lost: Bools) -> Iterator[Rows]:
    """Operations, and examinations and treatments: two files, of which psychiatry and the unfinished have the second."""
    plain = np.isin(seen.procedure_of, kept) & pc.equal(seen.procedures["proceduretype"], "P").to_numpy(
        zero_copy_only=False
    )
    both = kind in (SOMATIC, PRIVATE)
    for name, chosen in (
        ("sksopr", plain & seen.surgical),
        ("sksube", plain & (~seen.surgical | (not both))),
    ):
        if name == "sksopr" and not both:
            continue
        row = np.flatnonzero(chosen)
        minute = seen.procedure_minute[row]
        of = seen.procedure_of[row]
        gone = lost[np.searchsorted(kept, of)]
        planter.expect("T22", "quarantine.unlinked", f"source_table = '{kind.table}_{name}'", int(gone.sum()))
        shak = [each["shak"] for each in seen.world.catalogue.hospitals]
        timeless = np.full(len(row), kind is PRIVATE)
        table: Columns = {
            "v_recnum": record(seen, of),
            "c_opr": taken(seen.procedures, row)["procedurekode"],
            "c_tilopr": pa.nulls(len(row), pa.string()),
            "c_oprart": choose(("V", "D"), (planter.rng.random(len(row)) < 0.2).astype(np.int64)),
            "d_odto": dates(minute // 1440),
            "v_otime": pa.array(minute % 1440 // 60, mask=timeless).cast(pa.string()),
            "v_ominut": pa.array(minute % 60, mask=timeless).cast(pa.string()),
            "c_osgh": choose(shak, seen.places.hospital[of]),
            "c_oafd": text(seen.places.specialty[of] + 10),
        }
        yield Rows(kind.file(name, OPR), in_form(table, kind))


FILES = (
    GROUPED,
    *(
        file
        for kind in KINDS
        for file in (
            kind.file("adm", NO_TIMES if kind is PRIVATE else ADM),
            kind.file("diag", DIAG),
            kind.file("sksube", OPR),
            *((kind.file("sksopr", OPR),) if kind in (SOMATIC, PRIVATE) else ()),
        )
    ),
)
GENERATOR = Generator(
    name="lpr2", files=FILES, rows=rows, known_defects=("T06", "T09", "T10", "T15", "T16", "T20", "T22")
)
