"""Clinical quality databases as wide rows, in an older and a newer version of their variables."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from lakehouse.declarations.helpers import codelist
from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.drawing import comma, day_first, first_of, occasions, replaced, texts, with_disease
from lakehouse.synthetic.generator import Generator, Planter, Rows
from lakehouse.synthetic.identity import numbers
from lakehouse.synthetic.layout import FileKind
from lakehouse.synthetic.rates import Ints
from lakehouse.synthetic.registers import Columns, choose, text

NEWER_FROM = 2020
"""Variables have their present names from this year on."""
HOSPITAL = "7003A20"
SETS = {
    "indikation": ("claudicatio", "kritisk_iskaemi", "aneurisme", "TCI"),
    "saarkomplikation": ("haematom", "lymfelaek", "nekrose"),
    "saarinfektion": ("overfladisk", "dyb"),
    "diabetestype": ("type1", "type2"),
}
RANGES = {
    "hoejde": (172, 9),
    "vaegt": (82, 15),
    "ventetid_dage": (21, 9),
    "asa": (3, 0.6),
    "kreatinin": (84, 22),
    "abi": (0.7, 0.2),
    "debutaar": (2008, 6),
    "hba1c": (55, 12),
    "systolisk_bt": (134, 15),
    "diastolisk_bt": (78, 9),
    "ldl": (2.1, 0.7),
    "u_albumin_kreatinin": (28, 14),
}
OPERATIONS = ("KPAF20", "KPEH12", "KPDG10", "KPEE12")


def variables(database: str) -> list[dict[str, str]]:
    """The variables of a database as listed."""
    return [row for row in codelist("rkkp_variables") if row["database"] == database]


def header(database: str, *, old: bool) -> dict[str, str]:
    """Present name of a variable to its header in one version: form prefix and the name of the time."""
    prefix = {"yes_no": "Reg", "word": "Reg", "number": "Beh", "date": "FU"}
    return {
        row["variable"]: f"{prefix[row['kind']]}_{(old and row['old']) or row['variable']}"
        for row in variables(database)
    }


def kind(database: str, stem: str, fixed: tuple[str, ...], *, old: bool) -> FileKind:
    """A yearly file in one version."""
    return FileKind("rkkp", stem, "cp1252", (*fixed, *header(database, old=old).values()), yearly=True)


KARBASE_FIXED = ("Reg_CPR", "Org_rap", "Beh_dato", "Beh_operation", "Beh_side")
DVDD_FIXED = ("Reg_CPR", "Org_rap", "Reg_aar", "FU_statusdato")
FILES = {
    ("karbase", True): kind("karbase", "karbase_v1", KARBASE_FIXED, old=True),
    ("karbase", False): kind("karbase", "karbase", KARBASE_FIXED, old=False),
    ("dvdd", True): kind("dvdd", "dadr", DVDD_FIXED, old=True),
    ("dvdd", False): kind("dvdd", "dvdd", DVDD_FIXED, old=False),
}


def filled(rng: np.random.Generator, row: dict[str, str], day: Ints) -> pa.Array:
    """Values of one variable; a seventh is missing."""
    count = len(day)
    missing = rng.random(count) < 1 / 7
    if row["kind"] == "yes_no":
        return choose(("Y", "N"), rng.integers(0, 2, count), missing)
    if row["kind"] == "date":
        shown = day_first(day - rng.integers(10, 300, count))
        return texts(None if gone else each for each, gone in zip(shown, missing, strict=True))
    if row["kind"] == "word":
        words = SETS[row["variable"]]
        return choose(words, rng.integers(0, len(words), count), missing)
    mean, deviation = RANGES[row["variable"]]
    values = comma(np.abs(mean + deviation * rng.normal(size=count)), 0 if mean > 100 else 1).to_pylist()
    return texts(None if gone else each for each, gone in zip(values, missing, strict=True))


def database_rows(
    planter: Planter, database: str, fixed: Columns, date_column: str, day: Ints, year: Ints
) -> Iterator[Rows]:
    """Rows of one database by year, each in the version of its year, with the known defects of wide rows."""
    table, rng = f"rkkp_{database}", planter.rng
    values: Columns = {row["variable"]: filled(rng, row, day) for row in variables(database)}
    first_no = next(row["variable"] for row in variables(database) if row["kind"] == "yes_no")
    rows = planter.choose("T36", np.ones(len(day), bool), database)
    odd, unseen = rows[::2], rows[1::2]
    fixed[date_column] = replaced(fixed[date_column], odd, ["1/2/2019"] * len(odd))
    values[first_no] = replaced(values[first_no], unseen, ["not_performed"] * len(unseen))
    date = "operated_on" if database == "karbase" else "status_on"
    planter.expect("T36", f"silver.{table}", f"{date} IS NULL", len(odd))
    said = f"source_table = '{table}' AND value_text = 'not_performed' AND flag = 'N'"
    planter.expect("T36", "gold.event", said, len(unseen))
    for row in variables(database):
        name, column = row["variable"], values[row["variable"]]
        code = f"source_table = '{table}' AND code = '{database.upper()}//{name.upper()}'"
        planter.expect("T36", "gold.event", code, len(column) - column.null_count)
    for each in np.unique(year).tolist():
        old = each < NEWER_FROM
        chosen = pa.array(np.flatnonzero(year == each))
        names = header(database, old=old)
        content = fixed | {names[name]: column for name, column in values.items()}
        part = {name: column.take(chosen) for name, column in content.items()}
        yield Rows(FILES[database, old], part, year=each)


def rows(block: Block, world: World, planter: Planter) -> Iterator[Rows]:
    """Vascular operations of those with heart or vessel disease, and a row a year for everybody with diabetes."""
    rng, people, calendar = planter.rng, block.people, world.calendar
    sick = with_disease(block, world, "I25", "I70", "I10") <= calendar.last
    person, day = occasions(rng, block, world, np.where(sick, 0.012, 0.0005))
    operations: Columns = {
        "Reg_CPR": numbers(people, person, day),
        "Org_rap": pa.repeat(pa.scalar(HOSPITAL), len(person)),
        "Beh_dato": texts(day_first(day)),
        "Beh_operation": choose(OPERATIONS, rng.integers(0, len(OPERATIONS), len(person))),
        "Beh_side": choose(("TUL1", "TUL2", "central"), rng.integers(0, 3, len(person))),
    }
    year = day.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    yield from database_rows(planter, "karbase", operations, "Beh_dato", day, year)
    onset = with_disease(block, world, "E10", "E11")
    years = np.arange(calendar.years[0], calendar.years[1] + 1)
    person, column = np.nonzero(onset[:, None] < first_of(years)[None, :])
    year = years[column]
    day = first_of(year) + rng.integers(0, 360, len(year))
    there = people.present(person, day)
    person, year, day = person[there], year[there], day[there]
    seen: Columns = {
        "Reg_CPR": numbers(people, person, day),
        "Org_rap": pa.repeat(pa.scalar(HOSPITAL), len(person)),
        "Reg_aar": text(year),
        "FU_statusdato": texts(day_first(day)),
    }
    yield from database_rows(planter, "dvdd", seen, "FU_statusdato", day, year)


GENERATOR = Generator("rkkp", tuple(FILES.values()), rows, known_defects=("T36",))
