"""Yearly registers of Statistics Denmark: population (SAS), education and work (Parquet), incomes (CSV)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from lakehouse.declarations.geography import municipalities
from lakehouse.declarations.helpers import codelist
from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.catalogue import number
from lakehouse.synthetic.drawing import age_at, comma, first_of, pick, replaced
from lakehouse.synthetic.generator import Generator, Planter, Rows
from lakehouse.synthetic.identity import numbers
from lakehouse.synthetic.layout import FileKind, columns
from lakehouse.synthetic.rates import Ints
from lakehouse.synthetic.registers import choose, dates, text

BEF = FileKind(
    "dst",
    "bef",
    "cp1252",
    columns("PNR referencetid koen foed_dag kom reg civst familie_id antpersf ie_type opr_land"),
    yearly=True,
    form="sas",
)
BEFORE = FileKind("dst", "bef_2006", "cp1252", BEF.columns, form="sas")
"""A snapshot of before 2007, when municipalities had other numbers; only where T34 is planted it has rows."""
FAIK = FileKind("dst", "faik", "cp1252", columns("familie_id aar famaekvivadisp_13"), yearly=True)
IND = FileKind("dst", "ind", "cp1252", columns("pnr aar perindkialt_13 loenmv_13"), yearly=True)
UDDA = FileKind("dst", "udda", "utf-8", columns("pnr aar hfaudd"), yearly=True, form="parquet")
AKM = FileKind("dst", "akm", "utf-8", columns("pnr aar socio13 disco08"), yearly=True, form="parquet")
TWICE = 2020
EARLIER = FileKind("dst/december_2021", f"akm_{TWICE}", "utf-8", AKM.columns, form="parquet")
"""One year as it was delivered before, in a dated folder; only where T21 is planted it has rows."""
NOBODYS = "410"
OLD_DAY = int(np.datetime64("2005-12-31").astype(int))


def families(block: Block) -> Ints:
    """A family's number by person: children share their mother's."""
    people = block.people
    head = np.where(people.mother >= 0, people.mother, np.arange(people.count))
    return 90_000_000 + block.number * 100_000 + head


def snapshot(
    block: Block, world: World, person: Ints, day: Ints, municipality: pa.Array
) -> dict[str, pa.Array]:
    """Rows of the population register for persons on days."""
    people = block.people
    regions = [row["region"] for row in world.catalogue.municipalities]
    family = families(block)
    size = np.bincount(family - family.min())[family - family.min()]
    return {
        "PNR": numbers(people, person, day),
        "referencetid": dates(day),
        "koen": pa.array(2 - people.sex[person]),
        "foed_dag": dates(people.birth[person]),
        "kom": municipality,
        "reg": choose([code[-2:] for code in regions], people.municipality[person]),
        "civst": choose(("U", "G", "F", "E"), (people.cpr[person] + age_at(people, person, day) // 20) % 4),
        "familie_id": text(family[person]),
        "antpersf": pa.array(size[person]),
        "ie_type": choose(("1", "2"), (people.immigrated[person] > 0).astype(np.int64)),
        "opr_land": choose(("5100", "5999"), (people.immigrated[person] > 0).astype(np.int64)),
    }


def population_rows(block: Block, world: World, planter: Planter, year: int) -> Rows:
    """Residents on 31 December; where T31 is planted some rows are of 1 January of the same year."""
    people = block.people
    everybody = np.arange(people.count)
    last = np.full(people.count, int(first_of(np.array([year + 1]))[0]) - 1)
    first = np.full(people.count, int(first_of(np.array([year]))[0]))
    person = np.flatnonzero(people.present(everybody, last))
    day = last[person]
    early = planter.choose("T31", people.present(person, first[person]), f"bef{year}")
    day[early] = first[0]
    code = [row["code"][-3:] for row in world.catalogue.municipalities]
    rows = snapshot(block, world, person, day, choose(code, people.municipality[person]))
    said = "source_table = 'dst_bef' AND year(time_start) >= 2007 AND month(time_start)"
    planter.expect("T31", "gold.event", f"{said} = 1", len(early))
    planter.expect("T31", "gold.event", f"{said} = 12", len(person) - len(early))
    return Rows(BEF, rows, year=year)


def former_rows(block: Block, world: World, planter: Planter) -> Rows:
    """A snapshot of 2005 for a share of those alive then, by the numbers of that time."""
    people = block.people
    alive = (people.birth < OLD_DAY) & (people.immigrated < OLD_DAY)
    chosen = planter.choose("T34", alive)
    former = [place.code for place in municipalities() if place.id.endswith("-1970")]
    which = (chosen * 7 + block.number) % len(former)
    which[: min(2, len(which))] = [former.index("707"), former.index("849")][: len(which)]
    day = np.full(len(chosen), OLD_DAY)
    for code in ("707", "849"):
        there = int((which == former.index(code)).sum())
        planter.expect("T34", "gold.event", f"code = 'BEF//KOM//{code}-1970'", there)
    planter.expect(
        "T34", "gold.event", "source_table = 'dst_bef' AND code LIKE 'BEF//KOM//%-1970'", len(chosen)
    )
    return Rows(BEFORE, snapshot(block, world, chosen, day, choose(former, which)))


def education(block: Block, planter: Planter, person: Ints, day: Ints, year: int) -> Rows:
    """Everybody from 25 on has one education; planted: rows under a foreign project's pseudonym."""
    listed = codelist("disced")
    shares = np.cumsum([number(row["share"]) for row in listed])
    draw = block.people.cpr[person] * 2654435761 % 10_007 / 10_007 * shares[-1]
    code = choose([row["code"] for row in listed], np.searchsorted(shares, draw, side="right"))
    pnr = numbers(block.people, person, day)
    foreign = planter.choose("T04", np.ones(len(person), bool), f"udda{year}")
    made_up = planter.rng.integers(100_000_000_000, 999_999_999_999, len(foreign))
    pnr = replaced(pnr, foreign, [str(each) for each in made_up])
    planter.expect("T04", "quarantine.dst_udda", "reason = 'foreign_pseudonym'", len(foreign))
    rest = len(person) - len(foreign)
    planter.expect("T04", "gold.event", "source_table = 'dst_udda'", rest)
    return Rows(UDDA, {"pnr": pnr, "aar": pa.array(np.full(len(person), year)), "hfaudd": code}, year=year)


def delivered_before(planter: Planter, rows: dict[str, pa.Array]) -> Rows:
    """The same year a delivery earlier, with some codes that were corrected since: nothing of it may count."""
    count = len(rows["pnr"])
    wrong = planter.choose("T21", np.ones(count, bool))
    planter.expect("T21", "gold.event", f"code = 'AKM//{NOBODYS}'", 0)
    planter.expect("T21", "gold.event", f"source_table = 'dst_akm' AND year(time_start) = {TWICE}", count)
    stale = rows | {"socio13": replaced(rows["socio13"], wrong, [NOBODYS] * len(wrong))}
    return Rows(EARLIER, stale if planter.rate("T21") else {name: c.slice(0, 0) for name, c in rows.items()})


def rows(block: Block, world: World, planter: Planter) -> Iterator[Rows]:
    """All registers, year by year."""
    rng, people = planter.rng, block.people
    everybody = np.arange(people.count)
    family = families(block)
    yield former_rows(block, world, planter)
    for year in range(world.calendar.years[0], world.calendar.years[1] + 1):
        yield population_rows(block, world, planter, year)
        last = np.full(people.count, int(first_of(np.array([year + 1]))[0]) - 1)
        here = people.present(everybody, last)
        age = age_at(people, everybody, last)
        heads = np.unique(family[here])
        income = rng.lognormal(12.3, 0.45, len(heads)).round(0)
        years = pa.array(np.full(len(heads), year))
        yield Rows(
            FAIK,
            {"familie_id": text(heads), "aar": years, "famaekvivadisp_13": comma(income)},
            year=year,
        )
        grown = np.flatnonzero(here & (age >= 15))
        wage = rng.lognormal(12.5, 0.6, len(grown)).round(0) * (age[grown] < 67)
        yield Rows(
            IND,
            {
                "pnr": numbers(people, grown, last[grown]),
                "aar": pa.array(np.full(len(grown), year)),
                "perindkialt_13": comma(wage + rng.lognormal(11.0, 0.5, len(grown)).round(0)),
                "loenmv_13": comma(wage),
            },
            year=year,
        )
        taught = np.flatnonzero(here & (age >= 25))
        yield education(block, planter, taught, last[taught], year)
        status = np.where(age[grown] >= 67, 4, pick(rng, (3, 55, 12, 6, 0, 8, 10), len(grown)))
        work = {
            "pnr": numbers(people, grown, last[grown]),
            "aar": pa.array(np.full(len(grown), year)),
            "socio13": choose(("114", "134", "310", "210", "322", "321", "330"), status),
            "disco08": choose(("2221", "5223", "9112"), rng.integers(0, 3, len(grown)), status != 1),
        }
        yield Rows(AKM, work, year=year)
        if year == TWICE:
            yield delivered_before(planter, work)


GENERATOR = Generator(
    "dst", (BEF, BEFORE, FAIK, IND, UDDA, AKM, EARLIER), rows, known_defects=("T04", "T21", "T31", "T34")
)
