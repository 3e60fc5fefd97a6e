"""Adverse events: reports on a patient, reports without one, and collective reports that are counts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.drawing import municipal_unit, occasions, pick, replaced, texts
from lakehouse.synthetic.generator import Generator, Planter, Rows
from lakehouse.synthetic.identity import numbers
from lakehouse.synthetic.layout import FileKind, columns
from lakehouse.synthetic.population import day_of
from lakehouse.synthetic.registers import choose, dates, text

YEARLY = 0.026
CHANGED = day_of(2023, 7, 1)
FILE = FileKind(
    "dpsd",
    "haendelser",
    "cp1252",
    columns(
        "sagsnr pnr sagsstatus oprettet haendelsesdato haendelsestid overskrift beskrivelse lokation_sor "
        "hovedgruppe faktisk_konsekvens mulig_konsekvens alvorlighed atc covid19"
    ),
    yearly=True,
)
COLLECTIVE = FileKind("dpsd", "samlerapporter", "cp1252", columns("maaned kommune lokation_sor type antal"))
HARM = ("ingen", "let", "alvorlig", "dødelig", "ukendt")
OLD = ("ingen", "mild", "moderat", "alvorlig", "dødelig")
HEADLINES = ("Fald ved seng", "Medicin ikke givet", "Forkert dosis", "Forsinket prøvesvar", "Tryksår opstået")


def rows(block: Block, world: World, planter: Planter) -> Iterator[Rows]:
    """Reports; planted: no patient named, and text that names the patient by number."""
    rng, people = planter.rng, block.people
    person, day = occasions(rng, block, world, YEARLY)
    count = len(person)
    number = numbers(people, person, day)
    nobody = planter.choose("T38", np.ones(count, bool), "dpsd")
    number = replaced(number, nobody, [None] * len(nobody))
    headline = rng.integers(0, len(HEADLINES), count)
    story = texts(f"{HEADLINES[k]}, personalet orienteret" for k in headline)
    named = planter.choose("T39", np.ones(count, bool), "dpsd")
    told = [
        f"Vedr. {cpr[:6]}-{cpr[6:]}: set af sygeplejerske" for cpr in people.cpr[person[named]].astype(str)
    ]
    story = replaced(story, named, told)
    old = day < CHANGED
    group = pick(rng, (8, 20, 50, 12, 4, 6), count)
    planter.expect("T38", "silver.dpsd_reports", "person_id IS NULL", len(nobody))
    planter.expect("T38", "gold.event", "source_table = 'dpsd_reports'", count - len(nobody))
    planter.expect("T38", "gold.event", "source_table = 'dpsd_collective'", 0)
    planter.expect("T39", "bronze.dpsd_reports", "contains(description, '[cpr]')", len(named))
    yield Rows(
        FILE,
        {
            "sagsnr": text(800_000_000 + block.number * 100_000 + np.arange(count)),
            "pnr": number,
            "sagsstatus": choose(("Afsluttet", "Åben"), pick(rng, (9, 1), count)),
            "oprettet": dates(day + rng.integers(0, 9, count)),
            "haendelsesdato": dates(day),
            "haendelsestid": texts(f"{h:02d}:{m:02d}" for h, m in rng.integers(1, 23, (count, 2)).tolist()),
            "overskrift": choose(HEADLINES, headline),
            "beskrivelse": story,
            "lokation_sor": texts(municipal_unit(block, person)),
            "hovedgruppe": choose(("1", "2", "3", "4", "5", "6"), group),
            "faktisk_konsekvens": choose(HARM, pick(rng, (45, 35, 12, 1, 7), count)),
            "mulig_konsekvens": choose(HARM, pick(rng, (25, 40, 28, 4, 3), count)),
            "alvorlighed": choose(OLD, pick(rng, (40, 35, 17, 7, 1), count), ~old),
            "atc": choose(("N02AA01", "B01AA03", "A10AB05"), rng.integers(0, 3, count), group != 2),
            "covid19": choose(("Nej", "Ja"), pick(rng, (97, 3), count)),
        },
        day=day,
    )


def collective(world: World, planter: Planter) -> Iterator[Rows]:
    """Counts of falls and of medicine not given, by month and municipality: nobody's in particular."""
    rng = planter.rng
    first, last = world.calendar.years
    places = [row["code"] for row in world.catalogue.municipalities]
    cells = [
        (f"{year}-{month:02d}", place, kind)
        for year in range(max(first, last - 1), last + 1)
        for month in range(1, 13)
        for place in range(len(places))
        for kind in ("FALD", "MEDICIN_IKKE_GIVET")
    ]
    place = np.array([cell[1] for cell in cells])
    planter.expect("T38", "silver.dpsd_collective", "true", len(cells))
    yield Rows(
        COLLECTIVE,
        {
            "maaned": texts(cell[0] for cell in cells),
            "kommune": choose(places, place),
            "lokation_sor": texts(f"98{k + 1:03d}011000016" for k in place.tolist()),
            "type": texts(cell[2] for cell in cells),
            "antal": text(rng.poisson(9, len(cells))),
        },
    )


GENERATOR = Generator("dpsd", (FILE, COLLECTIVE), rows, collective, known_defects=("T38", "T39"))
