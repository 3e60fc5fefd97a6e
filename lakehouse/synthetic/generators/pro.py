"""What patients report themselves: EQ-5D-5L, WHO-5 and remote follow-up with an algorithm's colour."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.drawing import municipal_unit, occasions, pick, replaced, texts, with_disease
from lakehouse.synthetic.generator import Generator, Planter, Rows
from lakehouse.synthetic.generators.eoj_operations import moments
from lakehouse.synthetic.identity import numbers
from lakehouse.synthetic.layout import FileKind, columns
from lakehouse.synthetic.registers import choose, text

FILE = FileKind(
    "pro",
    "pro_svar",
    "utf-8",
    columns(
        "response_id pnr instrument version item_code answer_code answer_text answered_at sent_at mode "
        "algorithm_colour sor"
    ),
    yearly=True,
    bom=True,
)
ITEMS = (
    *(("EQ5D5L", item, 5) for item in ("MO", "SC", "UA", "PD", "AD")),
    ("EQ5D5L", "VAS", 100),
    *(("WHO5", str(item), 5) for item in range(1, 6)),
    *(("TELEPRO", str(item), 4) for item in range(1, 5)),
)
"""Instrument, item, highest answer."""
SPAN = {"EQ5D5L": (0, 6), "WHO5": (6, 11), "TELEPRO": (11, 15)}


def rows(block: Block, world: World, planter: Planter) -> Iterator[Rows]:
    """Sets of answers of people with a lasting disease; free text may hold a person number (planted)."""
    rng, people = planter.rng, block.people
    sick = with_disease(block, world, "E11", "J44", "C50", "M05", "F32", "I50") <= world.calendar.last
    person, day = occasions(rng, block, world, np.where(sick, 0.5, 0.03))
    instrument = pick(rng, (4, 3, 3), len(person))
    spans = np.array(list(SPAN.values()))[instrument]
    length = spans[:, 1] - spans[:, 0]
    answer = np.repeat(np.arange(len(person)), length)
    item = (
        np.repeat(spans[:, 0], length)
        + np.arange(len(answer))
        - np.repeat(np.cumsum(length) - length, length)
    )
    highest = np.array([each[2] for each in ITEMS])[item]
    value = 1 + (rng.random(len(item)) * highest).astype(np.int64)
    answered = day * 1440 + 480 + rng.integers(0, 800, len(person))
    colour = pick(rng, (70, 20, 10), len(person))
    telepro = instrument == 2
    note = texts([None] * len(item))
    named = planter.choose("T39", np.ones(len(item), bool), "pro")
    hidden = [
        f"ring til {number[:6]}-{number[6:]} om svaret"
        for number in people.cpr[person[answer[named]]].astype(str)
    ]
    note = replaced(note, named, hidden)
    planter.expect("T39", "bronze.pro_answers", "contains(answer_text, '[cpr]')", len(named))
    planter.expect("T39", "gold.event", "value_text RLIKE '[0-9]{6}-?[0-9]{4}'", 0)
    minute = texts(moments(answered))
    yield Rows(
        FILE,
        {
            "response_id": text(3_000_000_000 + block.number * 1_000_000 + answer),
            "pnr": numbers(people, person[answer], day[answer]),
            "instrument": choose([each[0] for each in ITEMS], item),
            "version": choose(("1.0", "1.1"), (day[answer] > world.calendar.last - 700).astype(np.int64)),
            "item_code": choose([each[1] for each in ITEMS], item),
            "answer_code": text(value),
            "answer_text": note,
            "answered_at": minute.take(answer),
            "sent_at": texts(moments(answered - 1440)).take(answer),
            "mode": choose(("WEB", "PAPER", "PROXY"), pick(rng, (90, 8, 2), len(person))[answer]),
            "algorithm_colour": choose(("grøn", "gul", "rød"), colour[answer], ~telepro[answer]),
            "sor": texts(municipal_unit(block, person)).take(answer),
        },
        day=day[answer],
    )


GENERATOR = Generator("pro", (FILE,), rows, known_defects=("T39",))
