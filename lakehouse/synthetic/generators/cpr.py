"""The person register with what happens to numbers: changed, replaced, annulled, odd ones, and sex as it comes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from lakehouse.synthetic import registers
from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.generator import Generator, Planter, Rows
from lakehouse.synthetic.hospital_view import replaced
from lakehouse.synthetic.layout import KINDS, FileKind
from lakehouse.synthetic.rates import Ints
from lakehouse.synthetic.registers import Columns, choose, dates, text

PERSONS = FileKind("cpr", "cpr3_t_person", "utf-8", (*KINDS["person"].columns, "v_pnr_ny"), bom=True)
ABROAD, RESIDENCE = KINDS["abroad"], KINDS["residence"]


def rows(block: Block, world: World, planter: Planter) -> Iterator[Rows]:
    """Persons, with former and annulled numbers and numbers of nobody among them; residence and absences."""
    person = registers.person_rows(block, world, planter.rng)
    person["v_pnr_ny"] = pa.nulls(block.people.count, pa.string())
    parts = [coded_sex(block, planter, person), former(block, planter, person), nobodies(block, planter)]
    annulled = annulled_rows(block, planter)
    yield Rows(PERSONS, joined([*parts, annulled]))
    abroad = registers.abroad_rows(block, world, planter.rng)
    marked = np.array([value is not None for value in abroad["c_annkor"].to_pylist()], dtype=bool)
    planter.plant("T30", int(marked.sum()))
    planter.expect("T30", "silver.cpr_abroad", "annulled IS NOT NULL", int(marked.sum()))
    planter.expect("T30", "gold.observation_period", "true", spans(block, world))
    yield Rows(ABROAD, abroad)
    yield Rows(RESIDENCE, registers.residence_rows(block, world, planter.rng))


def spans(block: Block, world: World) -> int:
    """Spans of observation there must be: residence and return within the period, before death."""
    people, calendar = block.people, world.calendar
    start = np.maximum(np.maximum(people.birth, people.immigrated), calendar.first)
    end = np.minimum(np.minimum(people.emigrated, people.death), calendar.last)
    back = (people.emigrated <= calendar.last) & (people.returned <= calendar.last)
    again = back & (np.minimum(people.death, calendar.last) >= people.returned)
    return int((end >= start).sum() + again.sum())


def coded_sex(block: Block, planter: Planter, person: Columns) -> Columns:
    """Sex under other codes in some rows: all of them mean one of two."""
    chosen = planter.choose("T32", np.ones(block.people.count, bool), "sex")
    other = choose(
        ("F", "2", "1"), np.where(block.people.sex[chosen] == 1, 2, planter.rng.integers(0, 2, len(chosen)))
    )
    planter.expect("T32", "gold.person", "sex = 'F'", int((block.people.sex == 0).sum()))
    planter.expect("T32", "gold.person", "sex = 'M'", int((block.people.sex == 1).sum()))
    return person | {"c_kon": replaced(person["c_kon"], chosen, other)}


def former(block: Block, planter: Planter, person: Columns) -> Columns:
    """Rows of former numbers, which say what the person's number is now."""
    people = block.people
    if people.former is None or people.changed is None:
        return {name: values.slice(0, 0) for name, values in person.items()}
    changed = np.flatnonzero(people.former > 0)
    planter.plant("T03", len(changed))
    planter.expect("T03", "silver.cpr_person", "status IN ('50', '60')", len(changed))
    planter.expect("T03", "gold.person", "birth_date IS NOT NULL", people.count)
    rows = {name: values.take(pa.array(changed)) for name, values in person.items()}
    return rows | {
        "v_pnr": text(people.former[changed]),
        "c_kon": choose(("M", "K"), people.sex[changed]),
        "c_status": choose(("50", "60"), np.minimum(changed % 3, 1)),
        "d_status_hen_start": dates(people.changed[changed]),
        "v_pnr_ny": text(people.cpr[changed]),
    }


def blank(number: pa.Array, status: str, sex: pa.Array, birth: Ints) -> Columns:
    """Rows with nothing but a number, a status, a sex and a birth."""
    count = len(number)
    given: Columns = {name: pa.nulls(count, pa.string()) for name in PERSONS.columns}
    return given | {
        "v_pnr": number,
        "c_kon": sex,
        "c_status": registers.constant(status, count),
        "d_foddato": dates(birth),
        "d_status_hen_start": dates(birth),
        "kom": registers.constant("0751", count),
        "kom_fra": dates(birth),
    }


def nobodies(block: Block, planter: Planter) -> Columns:
    """Placeholders and test patients among the persons: rows that stand for nobody."""
    count = len(planter.choose("T01", np.ones(block.people.count, bool)))
    half = count // 2
    placeholder = ["0000000000"] * half
    tests = [
        f"{1 + (block.number * 7 + row) % 28:02d}09{10 + row // 28 % 80:02d}9996"
        for row in range(count - half)
    ]
    planter.expect("T01", "quarantine.cpr_person", "reason = 'no_subject'", half)
    tested = sum(not passes(number) for number in tests)
    planter.expect("T01", "quarantine.cpr_person", "reason = 'test_person'", tested)
    planter.plant("T01", tested - len(tests))
    kept = [number for number in tests if not passes(number)]
    names = placeholder + kept
    birth = np.full(len(names), 3650) + np.arange(len(names)) + block.number * 1000
    return blank(pa.array(names, pa.string()), "01", registers.constant("K", len(names)), birth)


def passes(number: str) -> bool:
    """Whether a number satisfies modulus 11 (then it could be a person's)."""
    return (
        sum(int(digit) * weight for digit, weight in zip(number, (4, 3, 2, 7, 6, 5, 4, 3, 2, 1), strict=True))
        % 11
        == 0
    )


def annulled_rows(block: Block, planter: Planter) -> Columns:
    """Annulled numbers: rows of the register that make no person."""
    count = len(planter.choose("T30", np.ones(block.people.count, bool)))
    birth = -20_000 - np.arange(count) - block.number % 50 * 300
    number = registers.text(annulled_numbers(birth, block.number))
    planter.expect("T30", "silver.cpr_person", "status = '30'", count)
    return blank(number, "30", registers.constant("M", count), birth)


def annulled_numbers(birth: Ints, block: int) -> Ints:
    """Numbers of a series of their own (day + 60, seventh digit 3)."""
    date = birth.astype("datetime64[D]")
    year = date.astype("datetime64[Y]").astype(np.int64) + 1970
    month = date.astype("datetime64[M]").astype(np.int64) % 12 + 1
    day = (date - date.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1
    numbers: Ints = (((day + 60) * 100 + month) * 100 + year % 100) * 10_000 + 3001 + 2 * (block % 400)
    return numbers


def joined(parts: list[Columns]) -> Columns:
    """One table out of several."""
    return {
        name: pa.chunked_array([as_text(part[name]) for part in parts]).combine_chunks()
        for name in PERSONS.columns
    }


def as_text(values: pa.Array) -> pa.Array:
    """Dates and texts alike as text, so that parts fit together."""
    flat = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return flat.cast(pa.string())


GENERATOR = Generator(
    name="cpr",
    files=(PERSONS, ABROAD, RESIDENCE),
    rows=rows,
    known_defects=("T01", "T03", "T30", "T32"),
    replaces=("person", "abroad", "residence"),
)
