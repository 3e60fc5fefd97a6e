"""Dispensed prescriptions with all their columns, packages for a week packed by dose among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.generator import Generator, Planter, Rows
from lakehouse.synthetic.hospital_view import replaced, taken
from lakehouse.synthetic.layout import KINDS, FileKind
from lakehouse.synthetic.other_rows import dispensing_rows
from lakehouse.synthetic.population import People
from lakehouse.synthetic.rates import Bools, Ints
from lakehouse.synthetic.registers import Columns, constant, text

LINES = FileKind(
    "lmdb",
    "lmdb",
    "cp1252",
    (*KINDS["dispensings"].columns, "etid", "doso", "ekst", "ptp", "tsk1", "cpr_kom", "sektor"),
    yearly=True,
)
LATER = (2, 7, 14)
"""Days after the first package of a dose-dispensed prescription at which its others follow."""
HERE = "source_table = 'lmdb_dispensings'"


def rows(block: Block, world: World, planter: Planter) -> Iterator[Rows]:
    """Lines of all years. Lines taken back are there anyway; the others of the known defects are added or changed."""
    lines, day, _ = dispensing_rows(block, world, planter.rng)
    lines |= widened(planter, lines)
    weekly = planter.choose("T25", fitting(block.people, lines, day, world), "lines")
    lines["ekst"] = replaced(lines["ekst"], weekly, "DD")
    lines["apk"] = replaced(lines["apk"], weekly, "1")
    extra = np.concatenate([np.arange(len(day)), *(weekly for _ in LATER)])
    when = np.concatenate([day, *(day[weekly] + days for days in LATER)])
    table = taken(lines, extra)
    table["eksd"] = pa.array(when.astype(np.int32)).cast(pa.date32())
    small = planter.choose("T06", np.ones(len(when), bool), "copies")
    table["vnr"] = replaced(table["vnr"], small, text(1000 + when[small] % 9000))
    order = np.argsort(when, kind="stable")
    table, when = taken(table, order), when[order]
    lone = first_of_equals(table)
    table, when = taken(table, lone), when[lone]
    expect_rows(planter, table, when, persons_of(block.people, table["pnr"]))
    yield Rows(LINES, table, day=when)


def widened(planter: Planter, lines: Columns) -> Columns:
    """The columns that the short form leaves out; a code of the dose is as rare as in the register: never here."""
    count = len(lines["pnr"])
    hour = 8 + planter.rng.integers(0, 10, count)
    return {
        "etid": text(hour * 100 + planter.rng.integers(0, 60, count)),
        "doso": pa.nulls(count, pa.string()),
        "ekst": pa.nulls(count, pa.string()),
        "ptp": lines["eksp"],
        "tsk1": constant("0,00", count),
        "cpr_kom": constant("0751", count),
        "sektor": constant("P", count),
    }


def fitting(people: People, lines: Columns, day: Ints, world: World) -> Bools:
    """Lines that may be packed by dose: neither taken back nor taking back, and not by a number about to change."""
    back = pc.starts_with(lines["apk"], "-").to_numpy(zero_copy_only=False)
    person = persons_of(people, lines["pnr"])
    keys = list(zip(person.tolist(), lines["vnr"].to_pylist(), strict=True))
    reversed_keys = {keys[row] for row in np.flatnonzero(back)}
    free = np.array([key not in reversed_keys for key in keys], dtype=bool)
    changed = people.changed if people.changed is not None else np.full(people.count, -1)
    steady = (changed[person] <= day) | (changed[person] > day + LATER[-1])
    result: Bools = free & steady & (day + LATER[-1] <= np.minimum(people.death[person], world.calendar.last))
    return result


def persons_of(people: People, numbers: pa.Array) -> Ints:
    """Positions of persons by any of their numbers."""
    known = {str(number).zfill(10): place for place, number in enumerate(people.cpr.tolist())}
    if people.former is not None:
        known |= {str(number): place for place, number in enumerate(people.former.tolist()) if number}
    return np.array([known[number] for number in numbers.to_pylist()], np.int64)


def first_of_equals(table: Columns) -> Ints:
    """Positions of the first of equal lines."""
    texts = [pc.fill_null(values.cast(pa.string()), "") for values in table.values()]
    line = pc.binary_join_element_wise(*texts, ";").to_pylist()
    first: dict[str, int] = {}
    for row, value in enumerate(line):
        first.setdefault(value, row)
    return np.array(list(first.values()), np.int64)


def expect_rows(planter: Planter, table: Columns, when: Ints, person: Ints) -> None:
    """What the lake must show of these lines."""
    empty = int(pc.sum(pc.is_null(table["indo"])).as_py() or 0)
    planter.plant("T24", empty)
    planter.expect("T24", "silver.lmdb_dispensings", "indication IS NULL", empty)
    planter.expect("T24", "gold.event", f"{HERE} AND time_end IS NOT NULL", 0)
    short = int(pc.sum(pc.less(pc.utf8_length(table["vnr"]), 6)).as_py() or 0)
    planter.expect("T06", "silver.lmdb_dispensings", "remarks = 'padded_item'", short)
    packs = pc.equal(table["ekst"], "DD").fill_null(False).to_numpy(zero_copy_only=False)
    week = (when + 3) // 7
    atc = table["atc"].to_pylist()
    weeks = Counter((int(person[row]), atc[row], int(week[row])) for row in np.flatnonzero(packs))
    planter.expect(
        "T25", "gold.event", f"{HERE} AND code_role = 'repeat'", sum(n - 1 for n in weeks.values())
    )
    back = np.array([int(value) for value in table["apk"].to_pylist()])
    planter.plant("T23", int((back < 0).sum()))
    planter.expect(
        "T23", "gold.event", f"{HERE} AND status = 'reversed'", reversed_lines(table, when, person, back)
    )


def reversed_lines(table: Columns, when: Ints, person: Ints, packages: Ints) -> int:
    """Lines that take back, and those they take back: the latest like one of the ninety days before."""
    item = table["vnr"].to_pylist()
    given: dict[tuple[int, str, int], list[int]] = {}
    for row in np.flatnonzero(packages > 0).tolist():
        given.setdefault((int(person[row]), item[row].zfill(6), int(packages[row])), []).append(
            int(when[row])
        )
    found = set()
    taking = np.flatnonzero(packages < 0).tolist()
    for row in taking:
        key = (int(person[row]), item[row].zfill(6), -int(packages[row]))
        days = [day for day in given.get(key, []) if when[row] - 90 <= day <= when[row]]
        if days:
            found.add((key, max(days)))
    return len(taking) + len(found)


GENERATOR = Generator(
    name="lmdb",
    files=(LINES,),
    rows=rows,
    known_defects=("T06", "T23", "T24", "T25"),
    replaces=("dispensings",),
)
