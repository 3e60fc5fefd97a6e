"""The municipal care record: bundles a citizen, FSIII in its four code forms, conditions sent again; and operations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lakehouse.declarations.helpers import codelist
from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.drawing import age_at, mask_of, ndjson
from lakehouse.synthetic.generator import Generator, Planter, Rows
from lakehouse.synthetic.layout import FileKind
from lakehouse.synthetic.rates import Ints

FSIII = "urn:oid:1.2.208.176.2.21"
FILE = FileKind("eoj", "bundle", "utf-8", (), form="raw", ending=".ndjson")
FORMS = ("code", "uuid", "low", "word")
"""A letter code, a UUID, the same with low lines, and words."""
CONDITIONS = (
    "J1.1",
    "J1.3",
    "J1.8",
    "J2.1",
    "J3.5",
    "J3.8",
    "J4.2",
    "I3.2",
    "I4.4",
    "I9.3",
    "I11.1",
    "I12.3",
)
HELP = ("H1.1", "H1.2", "H1.8", "G1.20", "G1.21", "G1.39", "H1.11")


def receives_care(rng: np.random.Generator, block: Block, world: World) -> tuple[Ints, Ints]:
    """Persons with municipal care and the day it began: a tenth at 75, half at 90."""
    people, calendar = block.people, world.calendar
    everybody = np.arange(people.count)
    day = calendar.first + rng.integers(0, calendar.last - calendar.first - 60, people.count)
    age = age_at(people, everybody, day)
    chance = np.clip((age - 68) / 45, 0.005, 0.6) * (age >= 18)
    chosen = (rng.random(people.count) < chance) & people.present(everybody, day)
    return np.flatnonzero(chosen), day[chosen]


@dataclass(frozen=True)
class Record:
    """One citizen's record, from which bundles are written."""

    block: Block
    person: int
    day: int
    rng: np.random.Generator

    @property
    def key(self) -> str:
        """What ids of this citizen begin with."""
        return f"{self.block.number:04d}{self.person:05d}"

    def patient(self, version: int) -> dict[str, Any]:
        """The citizen: number, and the organisation that keeps the record."""
        people = self.block.people
        unit = f"98{int(people.municipality[self.person]) + 1:03d}011000016"
        return {
            "resourceType": "Patient",
            "id": f"{self.key}-p",
            "meta": {"versionId": str(version)},
            "identifier": [{"system": "urn:oid:1.2.208.176.1.2", "value": str(people.cpr[self.person])}],
            "deceasedBoolean": False,
            "managingOrganization": {"identifier": {"system": "urn:oid:1.2.208.176.1.1", "value": unit}},
        }

    def resource(self, kind: str, number: int, version: int, rest: dict[str, Any]) -> dict[str, Any]:
        """A resource about the citizen."""
        return {
            "resourceType": kind,
            "id": f"{self.key}-{kind[:3].lower()}{number}",
            "meta": {"versionId": str(version)},
            "subject": {"reference": f"Patient/{self.key}-p"},
        } | rest


def coding(row: dict[str, str], form: str) -> dict[str, Any]:
    """An FSIII code in one of its forms."""
    text = row["uuid"].replace("-", "_") if form == "low" else row[form]
    return {"coding": [{"system": FSIII, "code": text}]}


def date(day: int) -> str:
    """ISO date."""
    return str(np.datetime64(day, "D"))


def bundle(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """Resources as one bundle."""
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": f"{r['resourceType']}/{r['id']}", "resource": r} for r in resources],
    }


def contents(record: Record, forms: list[str], listed: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    """Conditions (``forms``: their code forms), one plan, deliveries, a rating, a goal and two meetings."""
    rng, day = record.rng, record.day
    codes = rng.choice(CONDITIONS, len(forms), replace=False)
    found = [
        record.resource(
            "Condition",
            number,
            1,
            {
                "clinicalStatus": {"coding": [{"code": "active"}]},
                "code": coding(listed[str(code)], form),
                "severity": coding(listed[f"B{rng.integers(2, 6)}"], "code"),
                "recordedDate": date(day + number),
            },
        )
        for number, (code, form) in enumerate(zip(codes, forms, strict=True))
    ]
    helped = rng.choice(HELP, 2, replace=False)
    plan = [{"detail": {"code": coding(listed[str(code)], "code")}} for code in helped]
    found.append(record.resource("CarePlan", 0, 1, {"activity": plan, "period": {"start": date(day + 3)}}))
    found += [
        record.resource(
            "Procedure",
            number,
            1,
            {
                "code": coding(listed[str(code)], "code"),
                "performedPeriod": {"start": date(day + 4 + number), "end": date(day + 4 + number)},
            },
        )
        for number, code in enumerate(helped)
    ]
    found.append(
        record.resource(
            "Observation",
            0,
            1,
            {
                "code": coding(listed[str(codes[0])], "code"),
                "valueCodeableConcept": coding(listed[f"D{rng.integers(1, 3)}"], "code"),
                "effectiveDateTime": date(day + 5),
            },
        )
    )
    goal = {
        "lifecycleStatus": "active",
        "description": coding(listed[str(codes[0])], forms[0]),
        "target": [{"detailCodeableConcept": coding(listed["B1"], "code")}],
        "startDate": date(day + 3),
    }
    found.append(record.resource("Goal", 0, 1, goal))
    found += [
        record.resource("Encounter", number, 1, {"status": state, "period": {"start": date(start)}})
        for number, (state, start) in enumerate((("finished", day + 4), ("planned", day + 34)))
    ]
    return found


def rows(block: Block, world: World, planter: Planter) -> Iterator[Rows]:
    """One bundle a citizen; where it is planted other code forms, and the same conditions in a second bundle."""
    rng = planter.rng
    listed = {row["code"]: row for row in codelist("fsiii")}
    persons, days = receives_care(rng, block, world)
    numbers = rng.integers(1, 4, len(persons))
    total = int(numbers.sum())
    form = np.zeros(total, np.int64)
    other = planter.choose("T37", np.ones(total, bool), "eoj")
    form[other] = rng.integers(1, len(FORMS), len(other))
    owner = np.repeat(np.arange(len(persons)), numbers)
    twice = mask_of(np.unique(owner[other]), len(persons))
    documents, begin, again = [], 0, 0
    for place, (person, day, number) in enumerate(
        zip(persons.tolist(), days.tolist(), numbers.tolist(), strict=True)
    ):
        record = Record(block, person, day, rng)
        forms = [FORMS[k] for k in form[begin : begin + number]]
        begin += number
        found = contents(record, forms, listed)
        documents.append(bundle([record.patient(1), *found]))
        if twice[place]:
            newer = [
                each | {"meta": {"versionId": "2"}} for each in found if each["resourceType"] == "Condition"
            ]
            documents.append(bundle([record.patient(2), *newer]))
            again += len(newer)
    source = "source_table = 'eoj_conditions'"
    planter.plant("T37", again)
    planter.expect("T37", "silver.eoj_conditions", "true", total + again)
    planter.expect("T37", "gold.event", source, total)
    planter.expect("T37", "gold.event", f"{source} AND code RLIKE '^FSIII//[IJ][0-9]+[.][0-9]+$'", total)
    count = sum(len(each["entry"]) for each in documents) + len(persons)
    yield Rows(FILE, ndjson(documents), count=count)


GENERATOR = Generator("eoj", (FILE,), rows, known_defects=("T37",))
"""The count has one row a resource, and one more for the second activity of each plan."""
