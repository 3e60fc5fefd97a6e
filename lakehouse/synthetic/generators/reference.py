"""Registers of places and codes: the SOR export, SHAK and SKS in fixed width, with units that end and codes used again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lakehouse.synthetic.block import World
from lakehouse.synthetic.drawing import texts
from lakehouse.synthetic.generator import Generator, Planter, Rows
from lakehouse.synthetic.layout import FileKind, columns
from lakehouse.synthetic.registers import REGION_NAMES, unit_code

SOR = FileKind(
    "sor",
    "sor_export",
    "cp1252",
    columns(
        "Enhedsnavn Enhedstype SOR-type Gaeldende_fra_dato Ophoert_dato SghAfd-kode SOR-kode Parent-SOR-kode "
        "Institutionsejer Sundhedsinstitution Ydernummer Region Hovedspeciale CVR P-nummer"
    ),
)
SHAK = FileKind(
    "shak",
    "SHAKCOMPLETE",
    "latin-1",
    columns("code valid_from changed valid_to name region"),
    form="fixed",
    widths=(7, 8, 8, 8, 120, 4),
)
SKS = FileKind(
    "sks",
    "SKScomplete",
    "latin-1",
    columns("register code valid_from changed valid_to text level"),
    form="fixed",
    widths=(3, 20, 8, 8, 8, 120, 6),
)
OPEN, BEGAN, ENDED, AGAIN = "25000101", "20070101", "20201231", "20210101"


def region_unit(region: str) -> str:
    """Number of a region as the owner of hospitals."""
    return f"97{region}0011000016"


def sor_rows(world: World) -> list[tuple[str, ...]]:
    """Regions, hospitals and departments, each below its parent; and the care unit of each municipality.

    Name, kind, sort, SHAK code, number, parent, owner, institution, region.
    """
    rows: list[tuple[str, ...]] = [
        (name, "Institutionsejer", "institutionsejer", "", region_unit(code), "", name, "", code)
        for code, name in REGION_NAMES.items()
    ]
    unit = "organisatorisk enhed"
    for h, hospital in enumerate(world.catalogue.hospitals):
        region, shak, name = hospital["region"], hospital["shak"], hospital["name"]
        above = (region_unit(region), REGION_NAMES[region], name, region)
        top = f"96{h + 1:03d}0011000016"
        rows.append((name, "Sygehus", "sundhedsinstitution", shak, top, *above))
        for s, specialty in enumerate(world.catalogue.specialties):
            department = (f"{name}, {specialty['name']}", "Afdeling", unit, f"{shak}{s + 10:02d}")
            rows.append((*department, unit_code(h, s), top, *above[1:]))
    for m, place in enumerate(world.catalogue.municipalities):
        own, number = f"{place['name']} Kommune", f"98{m + 1:03d}011000016"
        rows.append((f"{own}, sygepleje", "Kommunal enhed", unit, "", number, "", own, "", place["region"]))
    return rows


def sor(world: World, planter: Planter) -> Rows:
    """The export; planted: names decoded wrongly once (repaired) or with letters lost to ``?`` (flagged)."""
    rows = sor_rows(world)
    names = [row[0] for row in rows]
    danish = np.array([not name.isascii() for name in names])
    spoiled = planter.choose("T07", danish, "sor")
    for place, row in enumerate(spoiled.tolist()):
        name, lost = names[row], place % 2 == 1
        names[row] = (
            name.encode("ascii", "replace").decode() if lost else name.encode().decode("cp1252", "replace")
        )
    lost_rows = len(spoiled) // 2
    planter.expect("T07", "silver.sor_units", "contains(name, 'Ã')", 0)
    flagged = "contains(name, '?') AND remarks = 'lost_letters_name'"
    planter.expect("T07", "silver.sor_units", flagged, lost_rows)
    planter.expect("T07", "silver.sor_units", "name RLIKE '[æøåÆØÅ]'", int(danish.sum()) - lost_rows)
    cells = [
        (name, kind, sort, "2007-01-01", "", shak, number, parent, owner, house, "", region, "", "", "")
        for name, (_, kind, sort, shak, number, parent, owner, house, region) in zip(names, rows, strict=True)
    ]
    return Rows(SOR, {name: texts(row[k] or None for row in cells) for k, name in enumerate(SOR.columns)})


def shak(world: World, planter: Planter) -> Rows:
    """Hospitals and departments; planted: a department ends and its code names another one from the next day."""
    units = [
        (hospital["shak"], hospital["name"], hospital["region"]) for hospital in world.catalogue.hospitals
    ]
    units += [
        (f"{hospital['shak']}{s + 10:02d}", f"{hospital['name']}, {specialty['name']}", hospital["region"])
        for hospital in world.catalogue.hospitals
        for s, specialty in enumerate(world.catalogue.specialties)
    ]
    departments = np.array([len(unit[0]) > 4 for unit in units])
    reused = set(planter.choose("T33", departments, "shak").tolist())
    rows = []
    for number, (code, name, region) in enumerate(units):
        until = ENDED if number in reused else OPEN
        rows.append((code, BEGAN, BEGAN, until, name, region))
        if number in reused:
            rows.append((code, AGAIN, AGAIN, OPEN, f"{name} (ny)", region))
    planter.expect("T33", "silver.shak_units", "valid_to = DATE'2020-12-31'", len(reused))
    planter.expect("T33", "silver.shak_units", "valid_from = DATE'2021-01-01'", len(reused))
    planter.expect(
        "T33",
        "silver.shak_units",
        "length(place) = 6 AND parent = left(place, 4)",
        len(rows) - len(world.catalogue.hospitals),
    )
    return Rows(SHAK, {name: texts(row[k] for row in rows) for k, name in enumerate(SHAK.columns)})


def sks(world: World) -> Rows:
    """Diagnoses, procedures and medicines, each with the days it may be used on."""
    catalogue = world.catalogue
    rows = [
        ("dia", f"D{code}", name)
        for code, name in zip(catalogue.diagnoses.code, catalogue.diagnoses.name, strict=True)
    ]
    for code, name in zip(catalogue.procedures.code, catalogue.procedures.name, strict=True):
        rows.append(("opr" if code.startswith("K") else "pro", code, name))
    rows += [
        ("atc", f"M{c}", name)
        for c, name in zip(catalogue.medicines.code, catalogue.medicines.name, strict=True)
    ]
    cells = [(register, code, "19940101", "20200101", OPEN, name, "4") for register, code, name in rows]
    return Rows(SKS, {name: texts(row[k] for row in cells) for k, name in enumerate(SKS.columns)})


def once(world: World, planter: Planter) -> Iterator[Rows]:
    """All three registers."""
    yield sor(world, planter)
    yield shak(world, planter)
    yield sks(world)


GENERATOR = Generator("reference", (SOR, SHAK, SKS), once=once, known_defects=("T07", "T33"))
