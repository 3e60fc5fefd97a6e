"""Home measurements of people with COPD: bursts of days, gaps, and the same value uploaded again."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterator
from typing import Any

import numpy as np

from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.drawing import ndjson, with_disease
from lakehouse.synthetic.generator import Generator, Planter, Rows
from lakehouse.synthetic.layout import FileKind

FILE = FileKind("telemedicin", "observationer", "utf-8", (), form="raw", ending=".ndjson")
MEASURES = (("NPU27280", "%", 93, 3), ("NPU21692", "/min", 82, 11), ("NPU03804", "kg", 71, 13))
SHARE = 0.2
LOCAL = zoneinfo.ZoneInfo("Europe/Copenhagen")


def observation(key: str, cpr: str, minute: int, which: int, value: float, manual: bool) -> dict[str, Any]:
    """One value as a FHIR observation; the clock is the citizen's, in summer two hours ahead of UTC."""
    code, unit, _, _ = MEASURES[which]
    clock = datetime.datetime(1970, 1, 1) + datetime.timedelta(minutes=minute)
    return {
        "resourceType": "Observation",
        "id": key,
        "meta": {"versionId": "1"},
        "status": "final",
        "subject": {"identifier": {"system": "urn:oid:1.2.208.176.1.2", "value": cpr}},
        "effectiveDateTime": clock.replace(tzinfo=LOCAL).isoformat(),
        "code": {"coding": [{"system": "http://npu-terminology.org", "code": code}]},
        "valueQuantity": {"value": round(value, 1), "code": unit},
        "device": {"display": "Telma"},
        "method": {"coding": [{"code": "manual" if manual else "device"}]},
        "performer": [{"identifier": {"value": "99001011000016"}}],
    }


def rows(block: Block, world: World, planter: Planter) -> Iterator[Rows]:
    """A burst of days for each citizen who takes part; uploads again are planted under T28."""
    rng, people, calendar = planter.rng, block.people, world.calendar
    sick = np.flatnonzero(with_disease(block, world, "J44") <= calendar.last - 60)
    found: list[dict[str, Any]] = []
    for person in sick[rng.random(len(sick)) < SHARE].tolist():
        start = int(rng.integers(calendar.first, calendar.last - 40))
        days = start + np.flatnonzero(rng.random(30) < 0.6)
        days = days[people.present(np.full(len(days), person), days)]
        for day in days.tolist():
            minute = day * 1440 + 450 + int(rng.integers(0, 60))
            for which, (_, _, mean, deviation) in enumerate(MEASURES):
                key = f"t{block.number}-{person}-{day}-{which}"
                value = float(mean + deviation * rng.normal())
                found.append(
                    observation(key, str(people.cpr[person]), minute, which, value, rng.random() < 0.1)
                )
    again = planter.choose("T28", np.ones(len(found), bool))
    copies = [found[row] | {"meta": {"versionId": "2"}} for row in again.tolist()]
    planter.expect("T28", "gold.event", "source = 'telemedicine'", len(found))
    planter.expect("T28", "silver.telemedicine_observations", "true", len(found) + len(copies))
    yield Rows(FILE, ndjson([*found, *copies]), count=len(found) + len(copies))


GENERATOR = Generator("telemedicine", (FILE,), rows, known_defects=("T28",))
