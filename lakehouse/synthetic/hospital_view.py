"""A block's hospital rows as the further registers need them: the same contacts and codes for each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.synthetic import hospital_rows
from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.hospital_rows import CONTACT_SERIES, Places, contact_id, course_id
from lakehouse.synthetic.lasting import REGISTER_CHANGE
from lakehouse.synthetic.rates import Bools, Ints
from lakehouse.synthetic.registers import Columns

OWN_STREAM = 400


@dataclass(frozen=True)
class Hospital:
    """Contacts, diagnoses and procedures of a block, with the position of the contact of each row."""

    block: Block
    world: World
    places: Places
    contacts: Columns
    diagnoses: Columns
    diagnosis_of: Ints
    procedures: Columns
    procedure_of: Ints
    procedure_minute: Ints
    surgical: Bools

    @property
    def late(self) -> Bools:
        """Contacts since the change of register."""
        change: Bools = self.block.contacts.day >= REGISTER_CHANGE
        return change

    def numbers(self) -> pa.Array:
        """Register keys of all contacts."""
        return pa.array(contact_id(self.block.number, np.arange(len(self.block.contacts.person)))).cast(
            pa.string()
        )


def hospital_of(block: Block, world: World) -> Hospital:
    """All hospital rows of a block, from a random stream of their own: every register tells the same story."""
    rng = np.random.default_rng([world.seed, block.number, OWN_STREAM])
    shares = np.cumsum(hospital_rows.SUFFIX_SHARES)
    depth = np.searchsorted(shares, rng.random(len(block.records.code)) * shares[-1], side="right")
    depth = np.minimum(depth, len(shares) - 1)
    places = hospital_rows.place_contacts(block, world, rng, depth)
    contacts = hospital_rows.contact_rows(block, world, rng, depth, places)
    diagnoses, _, _ = hospital_rows.diagnosis_rows(block, world, rng, depth)
    procedures, day, surgical = hospital_rows.procedure_rows(block, world, rng, places)
    seconds = procedures["tidspunkt_start"].cast(pa.int32()).to_numpy(zero_copy_only=False)
    return Hospital(
        block,
        world,
        places,
        contacts,
        diagnoses,
        positions(diagnoses["dw_ek_kontakt"], block.number),
        procedures,
        procedure_contacts(block, procedures),
        day * 1440 + seconds // 60,
        surgical,
    )


def positions(keys: pa.Array, block: int) -> Ints:
    """Positions of contacts from their register keys."""
    numbers: Ints = keys.cast(pa.int64()).to_numpy(zero_copy_only=False) - CONTACT_SERIES - block * 10_000_000
    return numbers


def procedure_contacts(block: Block, procedures: Columns) -> Ints:
    """Position of each procedure row's contact, -1 without a contact's key."""
    keys = procedures["dw_ek_kontakt"]
    known = pc.fill_null(keys.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
    result: Ints = np.where(known < 0, -1, known - CONTACT_SERIES - block.number * 10_000_000)
    return result


def stamps(minutes: Ints, empty: Bools | None = None) -> pa.Array:
    """Moments from minutes since 1970."""
    return pa.array((minutes * 60_000_000).astype(np.int64), pa.timestamp("us"), mask=empty)


def clock_text(minutes: Ints, empty: Bools | None = None) -> pa.Array:
    """The same as text, ``2020-01-31 08:30:00``."""
    text = pc.strftime(stamps(minutes).cast(pa.timestamp("s")), format="%Y-%m-%d %H:%M:%S")
    return text if empty is None else pc.if_else(pa.array(empty), pa.scalar(None, pa.string()), text)


def replaced(column: pa.Array, rows: Ints, values: pa.Array | str | None) -> pa.Array:
    """A column with other values in some rows."""
    mask = np.zeros(len(column), bool)
    mask[rows] = True
    if values is None or isinstance(values, str):
        return pc.if_else(pa.array(mask), pa.scalar(values, column.type), column)
    return pc.replace_with_mask(column, pa.array(mask), values)


def taken(columns: Columns, rows: Ints) -> Columns:
    """Some rows of columns, in that order."""
    where = pa.array(rows)
    return {name: values.take(where) for name, values in columns.items()}


def course_keys(block: Block) -> Ints:
    """Register keys of the contacts' courses."""
    return course_id(block.number, block.contacts.course)
