"""Blocks of the synthetic region as timelines for the pair scan, without files, Spark or ingest between."""

from __future__ import annotations

import numpy as np

from experiments.kernels.persons import Persons, join_persons
from lakehouse.data_model import Setting
from lakehouse.settings import load_settings
from lakehouse.synthetic.block import Block, World, build_world, make_block
from lakehouse.synthetic.catalogue import LISTS, Catalogue, load_catalogue
from lakehouse.synthetic.delivery import blocks_of
from lakehouse.synthetic.laboratory import abnormal
from lakehouse.synthetic.plan import Plan
from lakehouse.synthetic.rates import Rates

PLACES = np.array([Setting.OUTPATIENT, Setting.EMERGENCY, Setting.INPATIENT])


def catalogue(years: tuple[int, int] = (2017, 2024)) -> Catalogue:
    """The shipped code lists."""
    settings = load_settings("/nonexistent", "test")
    return load_catalogue({name: settings.codelist(f"{name}.csv") for name in LISTS}, years)


def region(
    seed: int, plan: Plan | None = None, rates: Rates | None = None, years: tuple[int, int] = (2017, 2024)
) -> World:
    """A world with the planted truth of the seed, or with another plan."""
    return build_world(catalogue(years), rates or Rates(), seed, plan)


def code_names(world: World) -> list[str]:
    """Codes at the level they are mined at, in the order of the numbers used by ``timeline``."""
    known = world.catalogue
    return [
        *(f"ICD10//{code}" for code in known.diagnoses.code),
        *(f"ATC//{group}" for group in known.groups[0]),
        *(f"SKS//{code}" for code in sorted({code[:4] for code in known.procedures.code})),
        *(f"NPU//{row['code']}//{flag}" for row in known.analyses for flag in "HL"),
        "LPR//ADMISSION",
        "LPR//EMERGENCY",
        "CPR//DEATH",
    ]


def block_timeline(world: World, block: Block) -> Persons:
    """One block's persons with every event that ingest would put into gold.timeline."""
    known, names = world.catalogue, code_names(world)
    number = {name: position for position, name in enumerate(names)}
    contacts = block.contacts
    where = PLACES[contacts.setting]
    groups, group = known.groups
    procedure = np.array([number[f"SKS//{code[:4]}"] for code in known.procedures.code])
    flagged = np.array([number[f"NPU//{row['code']}//H"] for row in known.analyses])
    high, low = abnormal(block.results, world.laboratory)
    stays, first = np.unique(np.where(contacts.setting == 2, contacts.stay, -1), return_index=True)
    first = first[stays >= 0]
    emergency = np.flatnonzero(contacts.setting == 1)
    dead = np.flatnonzero(block.people.death <= world.calendar.last)
    lines, results = block.dispensings, block.results
    day = results.minute // 1440
    done = block.procedures
    parts = [
        (contacts.person[block.records.contact], contacts.day[block.records.contact], block.records.code,
         where[block.records.contact]),
        (lines.person, lines.day, len(known.diagnoses.code) + group[lines.medicine], Setting.PHARMACY),
        (contacts.person[done.contact], done.minute // 1440, procedure[done.code], where[done.contact]),
        (results.person[high], day[high], flagged[results.analysis[high]], Setting.LABORATORY),
        (results.person[low], day[low], flagged[results.analysis[low]] + 1, Setting.LABORATORY),
        (contacts.person[first], contacts.day[first], number["LPR//ADMISSION"], Setting.INPATIENT),
        (contacts.person[emergency], contacts.day[emergency], number["LPR//EMERGENCY"], Setting.EMERGENCY),
        (dead, block.people.death[dead], number["CPR//DEATH"], Setting.REGISTER),
    ]  # fmt: skip
    assert len(groups) == group.max() + 1
    rows = np.concatenate([np.stack(np.broadcast_arrays(*part), axis=1) for part in parts])
    return to_persons(rows.astype(np.int64), block)


def to_persons(rows: np.ndarray, block: Block) -> Persons:
    """(person, day, code, setting) rows as distinct (day, code) lists with the first setting of each."""
    rows = rows[np.lexsort((rows[:, 3], rows[:, 2], rows[:, 1], rows[:, 0]))]
    new = np.append(True, (rows[1:, :3] != rows[:-1, :3]).any(axis=1))
    rows = rows[new]
    people = block.people
    offsets = np.searchsorted(rows[:, 0], np.arange(people.count + 1))
    return Persons(
        offsets.astype(np.int64),
        rows[:, 2].astype(np.int32),
        rows[:, 1].astype(np.int32),
        rows[:, 3].astype(np.int8),
        (people.sex + 1).astype(np.int8),
        people.birth_year.astype(np.int16),
        (people.cpr % 7919 % 2).astype(np.int8),
    )


def timeline(world: World, persons: int) -> Persons:
    """Timelines of a whole region."""
    return join_persons(
        [block_timeline(world, make_block(world, number, count)) for number, count in blocks_of(persons)]
    )
