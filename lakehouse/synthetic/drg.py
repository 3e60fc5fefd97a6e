"""Which diagnosis-related group a contact falls into, and what it is worth by the tariffs."""

from __future__ import annotations

import numpy as np

from lakehouse.declarations.helpers import codelist
from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.catalogue import number
from lakehouse.synthetic.rates import Floats, Ints


def grouped(block: Block, world: World, contact: Ints) -> tuple[Ints, Floats, Floats]:
    """Position in the code list ``drg``, base value and long-stay value in kroner, of some contacts of a block."""
    listed, contacts = codelist("drg"), block.contacts
    main = np.zeros(len(contacts.person), np.int64)
    main[block.records.contact[block.main]] = block.records.code[block.main]
    group = group_of(world)[main[contact]]
    hours = (contacts.stop[contact] - contacts.start[contact]) / 60
    tariff, rate = (
        np.array([number(each[name]) for each in listed])[group] for name in ("tariff", "day_rate")
    )
    trim = np.array([int(each["trim"]) for each in listed])[group]
    base = np.where(hours >= 12, tariff, np.maximum(tariff * 0.08, 900.0)).round(2)
    return group, base, (np.maximum(hours / 24 - trim, 0).astype(np.int64) * rate).round(2)


def group_of(world: World) -> Ints:
    """Position of the group for each diagnosis, by the chapter letter of its code."""
    listed = codelist("drg")
    by_letter = {letter: k for k, row in enumerate(listed) for letter in row["chapters"]}
    return np.array([by_letter.get(code[0], len(listed) - 1) for code in world.catalogue.diagnoses.code])
