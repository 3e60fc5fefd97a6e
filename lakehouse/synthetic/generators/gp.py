"""The record of general practice: contacts, own measurements, listing, and condition lists as bundles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from lakehouse.declarations.helpers import codelist
from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.catalogue import number
from lakehouse.synthetic.drawing import comma, ndjson, occasions, pick, provider, with_disease
from lakehouse.synthetic.generator import Generator, Planter, Rows
from lakehouse.synthetic.identity import numbers
from lakehouse.synthetic.layout import FileKind, columns
from lakehouse.synthetic.population import NEVER
from lakehouse.synthetic.registers import choose, dates, text

CONTACTS, MEASURES = 1.5, 0.4
KINDS = ("KONS", "ETELEFON", "EKONS", "BESOEG")
TESTS = (
    ("NPU27300", "mmol/mol", 45, 9),
    ("NPU02319", "mmol/L", 8.4, 0.8),
    ("NPU01685", "1", 2.4, 0.5),
    ("DNK05472", "mm Hg", 134, 15),
)
"""Tests done in the practice: code, unit, mean, standard deviation."""
LISTED_DISEASES = (
    ("E11", "T90"),
    ("I10", "K86"),
    ("J44", "R95"),
    ("J45", "R96"),
    ("I48", "K78"),
    ("I50", "K77"),
)
CONTACT_FILE = FileKind("gp", "gp_contact", "utf-8", columns("pnr ydernr dt type icpc2 sks"), yearly=True)
MEASURE_FILE = FileKind("gp", "gp_measure", "cp1252", columns("pnr ydernr dt npu value unit"), yearly=True)
LIST_FILE = FileKind("gp", "gp_list", "cp1252", columns("pnr ydernr fra til"))
CONDITION_FILE = FileKind("gp", "conditionlist", "utf-8", (), form="raw", ending=".ndjson")


def rows(block: Block, world: World, planter: Planter) -> Iterator[Rows]:
    """All four kinds of files."""
    rng, people = planter.rng, block.people
    reasons = codelist("icpc2")
    person, day = occasions(rng, block, world, CONTACTS)
    count = len(person)
    why = pick(rng, [number(row["weight"]) for row in reasons], count)
    written = pick(rng, (35, 25, 30, 10), count)
    yield Rows(
        CONTACT_FILE,
        {
            "pnr": numbers(people, person, day),
            "ydernr": text(provider(block, world, person)),
            "dt": dates(day),
            "type": choose(KINDS, pick(rng, (60, 18, 20, 2), count)),
            "icpc2": choose([row["code"] for row in reasons], why, (written == 1) | (written == 3)),
            "sks": choose([row["sks"] for row in reasons], why, (written == 2) | (written == 3)),
        },
        day=day,
    )
    person, day = occasions(rng, block, world, MEASURES)
    test = rng.integers(0, len(TESTS), len(person))
    value = np.array([t[2] for t in TESTS])[test] + np.array([t[3] for t in TESTS])[test] * rng.normal(
        size=len(test)
    )
    yield Rows(
        MEASURE_FILE,
        {
            "pnr": numbers(people, person, day),
            "ydernr": text(provider(block, world, person)),
            "dt": dates(day),
            "npu": choose([t[0] for t in TESTS], test),
            "value": comma(np.abs(value), 1),
            "unit": choose([t[1] for t in TESTS], test),
        },
        day=day,
    )
    everybody = np.arange(people.count)
    since = np.maximum(people.moved, people.birth)
    gone = np.minimum(people.death, people.emigrated)
    yield Rows(
        LIST_FILE,
        {
            "pnr": numbers(people, everybody, since),
            "ydernr": text(provider(block, world, everybody)),
            "fra": dates(since),
            "til": dates(gone, gone >= NEVER),
        },
    )
    documents = list(condition_lists(block, world))
    yield Rows(CONDITION_FILE, ndjson(documents), count=sum(len(d["entry"]) - 1 for d in documents))


def condition_lists(block: Block, world: World) -> Iterator[dict[str, Any]]:
    """One bundle a person with a lasting disease: the patient and each condition, coded twice, once, or either."""
    people, last = block.people, world.calendar.last
    onset = np.stack([with_disease(block, world, code) for code, _ in LISTED_DISEASES], axis=1)
    for person in np.flatnonzero((onset <= last).any(axis=1)).tolist():
        cpr = str(people.cpr[person])
        patient = f"p{block.number}-{person}"
        entries: list[dict[str, Any]] = [
            {
                "resourceType": "Patient",
                "id": patient,
                "identifier": [{"system": "urn:oid:1.2.208.176.1.2", "value": cpr}],
            }
        ]
        place = str(100_000 + int(people.municipality[person]) * 40 + int(people.cpr[person]) // 7 % 40)
        for column, (sks, icpc2) in enumerate(LISTED_DISEASES):
            day = int(onset[person, column])
            if day > last or not people.birth[person] <= day <= people.death[person]:
                continue
            codings = [
                {"system": "urn:oid:1.2.208.176.2.4.12", "code": f"D{sks}"},
                {"system": "urn:oid:1.2.208.176.2.31", "code": icpc2},
            ]
            form = (person + column) % 10
            entries.append(
                {
                    "resourceType": "Condition",
                    "id": f"c{block.number}-{person}-{column}",
                    "meta": {"versionId": "1"},
                    "clinicalStatus": {"coding": [{"code": "active"}]},
                    "code": {"coding": codings if form < 6 else codings[:1] if form < 8 else codings[1:]},
                    "subject": {"reference": f"Patient/{patient}"},
                    "recordedDate": str(np.datetime64(day, "D")),
                    "asserter": {"identifier": {"value": place}},
                }
            )
        if len(entries) > 1:
            yield {
                "resourceType": "Bundle",
                "type": "collection",
                "entry": [{"resource": e} for e in entries],
            }


GENERATOR = Generator("gp", (CONTACT_FILE, MEASURE_FILE, LIST_FILE, CONDITION_FILE), rows)
