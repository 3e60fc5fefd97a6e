"""The shared medication card: medicines prescribed, their prescriptions, and dispensings that the register has too."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.generator import Generator, Planter, Rows
from lakehouse.synthetic.hospital_view import clock_text
from lakehouse.synthetic.identity import numbers
from lakehouse.synthetic.layout import FileKind, columns
from lakehouse.synthetic.registers import choose, constant, text

MEDICATIONS = FileKind(
    "fmk",
    "fmk_laegemiddelordination",
    "utf-8",
    columns(
        "drugmedicationidentifier version cpr status starttidspunkt sluttidspunkt drugid atc laegemiddelnavn "
        "administrationsvej doseringstype dosering indikation organisation_sor"
    ),
    form="parquet",
)
PRESCRIPTIONS = FileKind(
    "fmk",
    "fmk_recept",
    "utf-8",
    columns("recept_id drugmedicationidentifier cpr oprettet drugid atc antal itereringer organisation_sor"),
    bom=True,
)
DISPENSED = FileKind(
    "fmk",
    "fmk_effektuering",
    "utf-8",
    columns("effektuering_id recept_id cpr udleveret drugid atc antal apotek"),
    bom=True,
)
DOSAGES = (
    "1 tablet morgen",
    "1 tablet morgen og aften",
    "efter behov",
    "13,6 tabletter morgen, se sidste brev",
)


def rows(block: Block, world: World, planter: Planter) -> Iterator[Rows]:
    """A medication for each person and medicine, a prescription the day before each first dispensing."""
    lines, people = block.dispensings, block.people
    _, first = np.unique(lines.person * 1000 + lines.medicine, return_index=True)
    order = np.sort(first)
    person, day, medicine = lines.person[order], lines.day[order], lines.medicine[order]
    count = len(order)
    cpr, codes, names = (
        numbers(people, person, day),
        world.catalogue.medicines.code,
        world.catalogue.medicines.name,
    )
    key = text(3_000_000_000 + block.number * 10_000_000 + np.arange(count))
    drug = text(28_100_000_000 + medicine * 97)
    minute = day * 1440 + 600
    magistral = planter.rng.random(count) < 0.002
    atc = pa.array(
        [None if mixed else codes[m] for mixed, m in zip(magistral, medicine, strict=True)], pa.string()
    )
    yield Rows(
        MEDICATIONS,
        {
            "drugmedicationidentifier": key,
            "version": pa.array(np.ones(count, np.int64)),
            "cpr": cpr,
            "status": choose(("active", "stopped", "on-hold"), planter.rng.integers(0, 3, count)),
            "starttidspunkt": clock_text(minute),
            "sluttidspunkt": pa.nulls(count, pa.string()),
            "drugid": drug,
            "atc": atc,
            "laegemiddelnavn": choose(names, medicine),
            "administrationsvej": constant("OR", count),
            "doseringstype": choose(("FAST", "KOMBINERET", "PN"), planter.rng.integers(0, 3, count)),
            "dosering": choose(DOSAGES, planter.rng.integers(0, len(DOSAGES), count)),
            "indikation": pa.nulls(count, pa.string()),
            "organisation_sor": constant("99001011000016", count),
        },
    )
    recept = text(4_000_000_000 + block.number * 10_000_000 + np.arange(count))
    shared = {"cpr": cpr, "drugid": drug, "atc": atc, "antal": text(lines.packages[order])}
    yield Rows(
        PRESCRIPTIONS,
        shared
        | {
            "recept_id": recept,
            "drugmedicationidentifier": key,
            "oprettet": clock_text(minute),
            "itereringer": constant("0", count),
            "organisation_sor": constant("99001011000016", count),
        },
    )
    yield Rows(
        DISPENSED,
        shared
        | {
            "effektuering_id": text(6_000_000_000 + block.number * 10_000_000 + np.arange(count)),
            "recept_id": recept,
            "udleveret": clock_text(minute + 120),
            "apotek": constant("1415", count),
        },
    )


GENERATOR = Generator(name="fmk", files=(MEDICATIONS, PRESCRIPTIONS, DISPENSED), rows=rows)
