"""One block as bytes of every file it contributes to, written whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv

from lakehouse.synthetic import hospital_rows, other_rows, registers
from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.defects import spoil
from lakehouse.synthetic.layout import KINDS, FileKind
from lakehouse.synthetic.rates import Ints
from lakehouse.synthetic.registers import Columns

OPTIONS = csv.WriteOptions(include_header=False, delimiter=";", quoting_style="none")


def write_block(block: Block, world: World, folder: Path, defects: float) -> list[tuple[str, str, int]]:
    """Write the block's part of every file below ``folder``; gives (path, what is counted, number) tallies."""
    rng = np.random.default_rng([world.seed, block.number, 100])
    tallies: list[tuple[str, str, int]] = []
    lost: set[bytes] = set()
    for kind, rows, year in block_files(block, world, rng, tallies):
        path = kind.path(year)
        data = encode(rows, kind)
        count = len(next(iter(rows.values())))
        if defects > 0:
            data, count, spoiled = spoil(data, kind, defects, rng, lost)
            tallies.extend((path, name, number) for name, number in spoiled.items())
        tallies.append((path, "rows", count))
        target = folder / path / f"{block.number:06d}"
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_suffix(".tmp")
        temporary.write_bytes(data)
        temporary.replace(target)
    return tallies


def encode(rows: Columns, kind: FileKind) -> bytes:
    """Rows as ``;``-separated text without a header in the file's encoding."""
    buffer = io.BytesIO()
    csv.write_csv(pa.table({name: rows[name] for name in kind.columns}), buffer, OPTIONS)
    data = buffer.getvalue()
    if kind.encoding == "utf-8" or data.isascii():
        return data
    text = data.decode("utf-8")
    try:
        # Latin-1 has the Danish letters where cp1252 has them, and is written ten times faster.
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode(kind.encoding)


def block_files(
    block: Block, world: World, rng: np.random.Generator, tallies: list[tuple[str, str, int]]
) -> Iterator[tuple[FileKind, Columns, int | None]]:
    """Rows for each file; rows of yearly files are in the order of their day."""
    for name, make in (
        ("person", registers.person_rows),
        ("abroad", registers.abroad_rows),
        ("residence", registers.residence_rows),
        ("deaths", registers.death_rows),
    ):
        yield KINDS[name], make(block, world, rng), None
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
    yield KINDS["courses"], hospital_rows.course_rows(block), None
    lines, day, reversed_lines = other_rows.dispensing_rows(block, world, rng)
    tallies.append(("lmdb/lmdb", "reversed", reversed_lines))
    yield from by_year("dispensings", lines, day, world)
    results, day, bounded = other_rows.result_rows(block, world, rng)
    tallies.append(("lab/lab_forsker", "bounded", bounded))
    yield from by_year("results", results, day, world)


def by_year(name: str, rows: Columns, day: Ints, world: World) -> Iterator[tuple[FileKind, Columns, int]]:
    """Cut rows, which come in the order of their day, into calendar years."""
    edges = np.searchsorted(day, np.append(world.calendar.starts, world.calendar.last + 1))
    for position, year in enumerate(range(world.catalogue.years[0], world.catalogue.years[1] + 1)):
        first, count = int(edges[position]), int(edges[position + 1] - edges[position])
        yield KINDS[name], {column: values.slice(first, count) for column, values in rows.items()}, year
