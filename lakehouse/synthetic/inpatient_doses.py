"""Medicines given in hospital: the same doses for the hospital medicine register and the hospital record."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.intensity import STAY
from lakehouse.synthetic.population import day_of
from lakehouse.synthetic.rates import Floats, Ints

REGISTER_BEGINS = day_of(2018, 5, 15)
DOSES_A_CONTACT = 3.0
HOSPITAL_ATC = ("J01CR02", "N02BE01", "N02AA01", "B01AB04", "A06AD11", "C03CA01", "B05BB01", "H02AB06")
STREAM = 500


@dataclass(frozen=True)
class Doses:
    """Doses given: position of the contact, minute since 1970, position of the medicine, amount in grams."""

    contact: Ints
    minute: Ints
    medicine: Ints
    amount: Floats


def doses_of(block: Block, world: World) -> Doses:
    """Doses of all ward contacts since the register began, each in a minute of its own contact."""
    rng = np.random.default_rng([world.seed, block.number, STREAM])
    contacts = block.contacts
    wards = np.flatnonzero((contacts.setting == STAY) & (contacts.day >= REGISTER_BEGINS))
    contact = np.repeat(wards, rng.poisson(DOSES_A_CONTACT, len(wards)))
    span = np.maximum(contacts.stop[contact] - contacts.start[contact], 1)
    minute = contacts.start[contact] + (rng.random(len(contact)) * span).astype(np.int64)
    minute += minute % 1440 == 0
    medicine = rng.integers(0, len(HOSPITAL_ATC), len(contact))
    amount = np.array([0.5, 1.0, 1.2, 2.0, 4.0])[rng.integers(0, 5, len(contact))]
    key = (contacts.person[contact] * 100 + medicine) * (1 << 32) + minute
    once = np.sort(np.unique(key, return_index=True)[1])
    return Doses(contact[once], minute[once], medicine[once], amount[once])
