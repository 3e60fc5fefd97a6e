"""DRG values and unit costs of hospital contacts, tariffs by year, medicine prices by fortnight."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lakehouse.declare import codelist
from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.catalogue import number
from lakehouse.synthetic.drawing import comma, replaced, texts, year_of
from lakehouse.synthetic.feed import Feed, Planter, Rows
from lakehouse.synthetic.hospital_rows import contact_id
from lakehouse.synthetic.layout import FileKind, columns
from lakehouse.synthetic.population import day_of
from lakehouse.synthetic.rates import Ints
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
PRICES = FileKind("priser", "medicinpriser", "cp1252", columns("vnr gyldig_fra gyldig_til aip esp"))


def group_of(world: World) -> Ints:
    """Position of the group for each diagnosis, by the chapter letter of its code."""
    listed = codelist("drg")
    by_letter = {letter: k for k, row in enumerate(listed) for letter in row["chapters"]}
    return np.array([by_letter.get(code[0], len(listed) - 1) for code in world.catalogue.diagnoses.code])


def danish(value: float, *, thousands: bool) -> str:
    """A number with a decimal comma, thousands apart by dots where asked for."""
    shown = f"{value:,.2f}"
    return shown.replace(",", "x").replace(".", ",").replace("x", "." if thousands else "")


def rows(block: Block, world: World, planter: Planter) -> Iterator[Rows]:
    """A group and a value for each contact since 2018; planted: thousand dots (kept), decimal points (refused)."""
    rng, contacts, listed = planter.rng, block.contacts, codelist("drg")
    row = np.flatnonzero(contacts.day >= FIRST)
    main = np.zeros(len(contacts.person), np.int64)
    main[block.records.contact[block.main]] = block.records.code[block.main]
    group = group_of(world)[main[row]]
    day = contacts.day[row]
    hours = (contacts.stop[row] - contacts.start[row]) / 60
    tariff = np.array([number(each["tariff"]) for each in listed])[group]
    trim = np.array([int(each["trim"]) for each in listed])[group]
    rate = np.array([number(each["day_rate"]) for each in listed])[group]
    base = np.where(hours >= 12, tariff, np.maximum(tariff * 0.08, 900.0)).round(2)
    extra = (np.maximum(hours / 24 - trim, 0).astype(np.int64) * rate).round(2)
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


FEED = Feed("costs", (GROUPED, UNIT, TARIFFS, PRICES), rows, reference, traps=("T08",))
