"""One block as bytes of every file it contributes to, written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from lakehouse.synthetic import hospital_rows, other_rows, registers
from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.defects import spoil
from lakehouse.synthetic.forms import encode
from lakehouse.synthetic.generator import Generator, Rows
from lakehouse.synthetic.identity import renumbered
from lakehouse.synthetic.layout import KINDS
from lakehouse.synthetic.rates import Ints
from lakehouse.synthetic.registers import Columns

CHANGED_NUMBER = "T03"
"""The known defect that gives persons a former number, in every source at once."""


def write_block(
    block: Block,
    world: World,
    folder: Path,
    defects: float,
    generators: Sequence[Generator] = (),
    rates: Mapping[str, float] | None = None,
) -> list[tuple[str, str, int]]:
    """Write the block's part of every file below ``folder``; gives (path, what is counted, number) tallies."""
    rng = np.random.default_rng([world.seed, block.number, 100])
    tallies: list[tuple[str, str, int]] = []
    lost: set[bytes] = set()
    if rates and CHANGED_NUMBER in rates:
        block = renumbered(block, world, rates[CHANGED_NUMBER])
    replaced = {name for generator in generators for name in generator.replaces}
    for name, rows, year in block_files(block, world, rng, tallies):
        if name in replaced:
            continue
        kind = KINDS[name]
        path = kind.path(year)
        data = encode(rows, kind)
        count = len(next(iter(rows.values())))
        if defects > 0:
            data, count, spoiled = spoil(data, kind, defects, rng, lost)
            tallies.extend((path, name, number) for name, number in spoiled.items())
        tallies.append((path, "rows", count))
        write_part(folder / path, block.number, data)
    for generator in generators:
        planter = generator.planter(world.seed, block.number, rates or {})
        if generator.rows is not None:
            tallies += write_generated(generator.rows(block, world, planter), world, folder, block.number)
        tallies += planter.tallies()
    return tallies


def write_generated(
    found: Iterable[Rows], world: World, folder: Path, number: int
) -> list[tuple[str, str, int]]:
    """Write what a further source gives as part ``number`` of its files; yearly files are cut by day."""
    tallies = []
    for rows in found:
        for path, content, count in pieces(rows, world):
            write_part(folder / path, number, content)
            tallies.append((path, "rows", count))
    return tallies


def pieces(rows: Rows, world: World) -> Iterator[tuple[str, bytes, int]]:
    """Path, bytes and number of rows of each file that rows belong to."""
    kind = rows.kind
    if isinstance(rows.content, bytes):
        yield kind.path(rows.year), rows.content, rows.count
    elif kind.yearly and rows.day is not None:
        for part, year in cut_by_year(rows.content, rows.day, world):
            yield kind.path(year), encode(part, kind), len(next(iter(part.values())))
    else:
        yield kind.path(rows.year), encode(rows.content, kind), len(next(iter(rows.content.values())))


def write_part(file: Path, number: int, data: bytes) -> None:
    """A file's bytes of one block, whole or not at all."""
    target = file / f"{number:06d}"
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(".tmp")
    temporary.write_bytes(data)
    temporary.replace(target)


def block_files(
    block: Block, world: World, rng: np.random.Generator, tallies: list[tuple[str, str, int]]
) -> Iterator[tuple[str, Columns, int | None]]:
    """Kind and rows of each file; rows of yearly files are in the order of their day."""
    for name, make in (
        ("person", registers.person_rows),
        ("abroad", registers.abroad_rows),
        ("residence", registers.residence_rows),
        ("deaths", registers.death_rows),
    ):
        yield name, make(block, world, rng), None
    shares = np.cumsum(hospital_rows.SUFFIX_SHARES)
    depth = np.searchsorted(shares, rng.random(len(block.records.code)) * shares[-1], side="right")
    depth = np.minimum(depth, len(shares) - 1)
    places = hospital_rows.place_contacts(block, world, rng, depth)
    contacts = hospital_rows.contact_rows(block, world, rng, depth, places)
    yield from by_year("contacts", contacts, block.contacts.day, world)
    diagnoses, day, refuted = hospital_rows.diagnosis_rows(block, world, rng, depth)
    tallies.append(("lpr_f/diagnoser", "refuted", refuted))
    yield from by_year("diagnoses", diagnoses, day, world)
    procedures, day, surgical = hospital_rows.procedure_rows(block, world, rng, places)
    for name, rows in (("surgery", surgical), ("procedures", ~surgical)):
        chosen = pa.array(np.flatnonzero(rows))
        yield from by_year(
            name, {c: values.take(chosen) for c, values in procedures.items()}, day[rows], world
        )
    yield "courses", hospital_rows.course_rows(block), None
    lines, day, reversed_lines = other_rows.dispensing_rows(block, world, rng)
    tallies.append(("lmdb/lmdb", "reversed", reversed_lines))
    yield from by_year("dispensings", lines, day, world)
    results, day, bounded = other_rows.result_rows(block, world, rng)
    tallies.append(("lab/lab_forsker", "bounded", bounded))
    yield from by_year("results", results, day, world)


def by_year(name: str, rows: Columns, day: Ints, world: World) -> Iterator[tuple[str, Columns, int]]:
    """The same rows for each calendar year."""
    for part, year in cut_by_year(rows, day, world):
        yield name, part, year


def cut_by_year(rows: Columns, day: Ints, world: World) -> Iterator[tuple[Columns, int]]:
    """Cut rows, which come in the order of their day, into calendar years."""
    edges = np.searchsorted(day, np.append(world.calendar.starts, world.calendar.last + 1))
    for position, year in enumerate(range(world.catalogue.years[0], world.catalogue.years[1] + 1)):
        first, count = int(edges[position]), int(edges[position + 1] - edges[position])
        yield {column: values.slice(first, count) for column, values in rows.items()}, year
