"""DRG values and unit costs of hospital contacts, tariffs by year, medicine prices by fortnight."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lakehouse.declarations.helpers import codelist
from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.catalogue import number
from lakehouse.synthetic.drawing import comma, replaced, texts, year_of
from lakehouse.synthetic.drg import grouped
from lakehouse.synthetic.generator import Generator, Planter, Rows
from lakehouse.synthetic.hospital_rows import contact_id
from lakehouse.synthetic.layout import FileKind, columns
from lakehouse.synthetic.population import day_of
from lakehouse.synthetic.registers import choose, dates, text

FIRST = day_of(2018, 1, 1)
"""Values by the present structure begin here."""
POOLS = ("SENGEAFSNIT", "AMBULATORIUM", "LABORATORIUM")
GROUPED = FileKind(
    "drg",
    "drg_kontakt",
    "cp1252",
    columns("dw_ek_kontakt drg_kode c_mdc v_totpris v_pris v_langpris takstaar overgangskontakt_dyreste"),
    yearly=True,
)
UNIT = FileKind(
    "drg", "omkostninger", "cp1252", columns("dw_ek_kontakt omkostningsgruppe beloeb"), yearly=True
)
TARIFFS = FileKind(
    "drg", "drg_takster", "cp1252", columns("aar drg_kode tekst takst trimpunkt langliggertakst")
)
PSYCHIATRY = FileKind("drg", "psykiatri_takster", "cp1252", columns("aar ydelse takst"))
PRICES = FileKind("priser", "medicinpriser", "cp1252", columns("vnr gyldig_fra gyldig_til aip esp"))


def danish(value: float, *, thousands: bool) -> str:
    """A number with a decimal comma, thousands apart by dots where asked for."""
    shown = f"{value:,.2f}"
    return shown.replace(",", "x").replace(".", ",").replace("x", "." if thousands else "")


def rows(block: Block, world: World, planter: Planter) -> Iterator[Rows]:
    """A group and a value for each contact since 2018; planted: thousand dots (kept), decimal points (refused)."""
    rng, contacts, listed = planter.rng, block.contacts, codelist("drg")
    row = np.flatnonzero(contacts.day >= FIRST)
    day = contacts.day[row]
    group, base, extra = grouped(block, world, row)
    value = comma(base + extra)
    dotted = planter.choose("T08", base + extra >= 1000, "drg")
    total = (base + extra)[dotted]
    point = np.arange(len(dotted)) % 2 == 1
    shown = [
        f"{each:.2f}" if wrong else danish(each, thousands=True)
        for each, wrong in zip(total.tolist(), point.tolist(), strict=True)
    ]
    value = replaced(value, dotted, shown)
    kept, wrong = int((~point).sum()), int(point.sum())
    planter.expect("T08", "quarantine.drg_contacts", "reason = 'bad_value'", wrong)
    equal = "abs(value - base_value - long_stay_value) < 0.005"
    planter.expect("T08", "silver.drg_contacts", equal, len(row) - len(dotted) + kept)
    planter.expect("T08", "silver.drg_contacts", f"NOT ({equal})", 0)
    yield Rows(
        GROUPED,
        {
            "dw_ek_kontakt": text(contact_id(block.number, row)),
            "drg_kode": choose([each["code"] for each in listed], group),
            "c_mdc": choose([each["code"][:2] for each in listed], group),
            "v_totpris": value,
            "v_pris": comma(base),
            "v_langpris": comma(extra),
            "takstaar": text(year_of(day)),
            "overgangskontakt_dyreste": texts([None] * len(row)),
        },
        day=day,
    )
    some = np.flatnonzero(rng.random(len(row)) < 0.15)
    yield Rows(
        UNIT,
        {
            "dw_ek_kontakt": text(contact_id(block.number, row[some])),
            "omkostningsgruppe": choose(POOLS, rng.integers(0, len(POOLS), len(some))),
            "beloeb": comma(rng.gamma(2.0, 900.0, len(some)).round(2)),
        },
        day=day[some],
    )


def reference(world: World, planter: Planter) -> Iterator[Rows]:
    """Tariffs of each year, and prices of each medicine by quarter."""
    listed, years = codelist("drg"), range(world.calendar.years[0], world.calendar.years[1] + 1)
    cells = [(year, row) for year in years for row in listed]
    yield Rows(
        TARIFFS,
        {
            "aar": texts(year for year, _ in cells),
            "drg_kode": texts(row["code"] for _, row in cells),
            "tekst": texts(row["name"] for _, row in cells),
            "takst": comma(np.array([number(row["tariff"]) * 1.02 ** (y - years[0]) for y, row in cells])),
            "trimpunkt": texts(row["trim"] for _, row in cells),
            "langliggertakst": texts(row["day_rate"] for _, row in cells),
        },
    )
    rates = [(year, *each) for year in years for each in (("SENGEDAG", 3900.0), ("BESOEG", 1950.0))]
    yield Rows(
        PSYCHIATRY,
        {
            "aar": texts(year for year, _, _ in rates),
            "ydelse": texts(service for _, service, _ in rates),
            "takst": comma(np.array([rate * 1.02 ** (year - years[0]) for year, _, rate in rates])),
        },
    )
    medicines = world.catalogue.medicines
    starts = [day_of(year, month, 1) for year in years for month in (1, 4, 7, 10)]
    ends = [*(day - 1 for day in starts[1:]), day_of(years[-1], 12, 31)]
    medicine = np.repeat(np.arange(len(medicines.code)), len(starts))
    quarter = np.tile(np.arange(len(starts)), len(medicines.code))
    price = np.array([number(row["ddd"]) * 0.37 + 19 for row in medicines.extra])[medicine]
    price = (price * (1 + 0.004 * quarter)).round(2)
    yield Rows(
        PRICES,
        {
            "vnr": text(100_000 + medicine * 4001 % 800_000),
            "gyldig_fra": dates(np.array(starts)[quarter]),
            "gyldig_til": dates(np.array(ends)[quarter]),
            "aip": comma(price * 0.7),
            "esp": comma(price),
        },
    )


GENERATOR = Generator(
    "costs", (GROUPED, UNIT, TARIFFS, PSYCHIATRY, PRICES), rows, reference, known_defects=("T08",)
)
