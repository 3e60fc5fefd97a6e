"""A block of persons as rows of the population and death registers and of the list of organisations."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.catalogue import Catalogue
from lakehouse.synthetic.rates import Bools, Ints

REGION_NAMES = {
    "1081": "Region Nordjylland",
    "1082": "Region Midtjylland",
    "1083": "Region Syddanmark",
    "1084": "Region Hovedstaden",
    "1085": "Region Sjælland",
}
DEATH_CAUSES = ("C34", "I21", "J44", "F03", "I50", "C18", "I63", "J18", "R54", "R99")
Columns = dict[str, pa.Array]


def text(values: Ints) -> pa.Array:
    """Whole numbers as text."""
    return pa.array(values).cast(pa.string())


def dates(days: Ints, empty: Bools | None = None) -> pa.Array:
    """Days since 1970 as dates; ``empty`` rows become null."""
    return pa.array(days.astype(np.int32), mask=empty).cast(pa.date32())


def choose(names: list[str] | tuple[str, ...], index: Ints, empty: Bools | None = None) -> pa.Array:
    """Names by position; ``empty`` rows become null."""
    return pa.array(list(names), pa.string()).take(pa.array(index, mask=empty))


def constant(value: str, count: int) -> pa.Array:
    """The same text in every row."""
    return pa.repeat(pa.scalar(value, pa.string()), count)


def person_rows(block: Block, world: World, rng: np.random.Generator) -> Columns:
    """Population register: one row a person who was ever resident by the end of the period."""
    people, last = block.people, world.calendar.last
    dead = people.death <= last
    gone = ~dead & (people.emigrated <= last) & (people.returned > last)
    status = np.where(dead, 2, np.where(gone, 1, 0))
    since = np.where(
        dead, people.death, np.where(gone, people.emigrated, np.maximum(people.birth, people.immigrated))
    )
    mother = people.mother
    return {
        "v_pnr": text(people.cpr),
        "c_kon": choose(("K", "M"), people.sex),
        "c_status": choose(("01", "80", "90"), status),
        "d_foddato": dates(people.birth),
        "d_status_hen_start": dates(since),
        "v_mor_pnr": pa.array(people.cpr[np.maximum(mother, 0)], mask=mother < 0).cast(pa.string()),
        "v_far_pnr": pa.nulls(people.count, pa.string()),
        "kom": choose([row["code"] for row in world.catalogue.municipalities], people.municipality),
        "kom_fra": dates(np.minimum(people.moved, np.minimum(people.death, last))),
    }


def abroad_rows(block: Block, world: World, rng: np.random.Generator) -> Columns:
    """Stays abroad, with one annulled registration in a hundred persons that must not end observation."""
    people, last = block.people, world.calendar.last
    away = np.flatnonzero(people.emigrated <= last)
    wrong = np.flatnonzero(
        (rng.random(people.count) < 0.01) & (people.emigrated > last) & (people.death > last)
    )
    person = np.concatenate([away, wrong])
    annulled = np.arange(len(person)) >= len(away)
    error = last - rng.integers(30, 2000, len(person))
    left = np.where(annulled, error, people.emigrated[person])
    open_end = annulled | (people.returned[person] > last)
    return {
        "v_pnr": text(people.cpr[person]),
        "d_udrejse_dato": dates(left),
        "d_indrejse_dato": dates(people.returned[person], open_end),
        "c_annkor": choose(("", "A"), annulled.astype(np.int64), ~annulled),
    }


def residence_rows(block: Block, world: World, rng: np.random.Generator) -> Columns:
    """Spells of residence in Denmark: from birth or arrival to emigration, and from return."""
    people, last = block.people, world.calendar.last
    everyone = np.arange(people.count)
    back = np.flatnonzero((people.emigrated <= last) & (people.returned <= last))
    person = np.concatenate([everyone, back])
    second = np.arange(len(person)) >= people.count
    start = np.where(second, people.returned[person], np.maximum(people.birth, people.immigrated)[person])
    end = np.where(second, people.death[person], np.minimum(people.emigrated, people.death)[person])
    return {
        "v_pnr": text(people.cpr[person]),
        "dk_adresse_start": dates(start),
        "dk_adresse_slut": dates(end, end > last),
    }


def death_rows(block: Block, world: World, rng: np.random.Generator) -> Columns:
    """Death register: plain ICD-10 without the Danish D."""
    people = block.people
    dead = np.flatnonzero(people.death <= world.calendar.last)
    causes = tuple(code + suffix for code in DEATH_CAUSES for suffix in ("", "9"))
    return {
        "pnr": text(people.cpr[dead]),
        "d_dodsdato": dates(people.death[dead]),
        "c_dod1a": choose(causes, rng.integers(0, len(causes), len(dead))),
    }


def unit_code(hospital: int, specialty: int) -> str:
    """Number of a department, from a series no organisation register issues."""
    return f"99{hospital + 1:03d}{specialty + 1:02d}1000016"


def organisation_rows(catalogue: Catalogue) -> Columns:
    """List of organisations: one row a department of each hospital."""
    rows = [
        (
            unit_code(h, s),
            f"{hospital['name']}, {specialty['name']}",
            "afdeling",
            REGION_NAMES[hospital["region"]],
            hospital["name"],
            specialty["name"],
            hospital["shak"],
            f"{hospital['shak']}{s + 10:02d}",
            hospital["region"],
            "2007-01-01",
            "2500-01-01",
        )
        for h, hospital in enumerate(catalogue.hospitals)
        for s, specialty in enumerate(catalogue.specialties)
    ]
    names = (
        "sorenhed",
        "sorenhed_tekst",
        "sorenhed_type",
        "institutionsejer",
        "sundhedsinstitution",
        "hovedspeciale",
        "shak_sgh",
        "shak_afd",
        "region",
        "gyldig_fra",
        "gyldig_til",
    )
    return {name: pa.array([row[k] for row in rows], pa.string()) for k, name in enumerate(names)}
