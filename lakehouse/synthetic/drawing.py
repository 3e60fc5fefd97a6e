"""What further sources are drawn with: occasions in persons' time of residence, weeks, months, places of care."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.population import People
from lakehouse.synthetic.rates import Bools, Floats, Ints


def occasions(
    rng: np.random.Generator, block: Block, world: World, yearly: float | Floats
) -> tuple[Ints, Ints]:
    """Persons and days, in the order of days, at a rate a person-year; only while resident and alive.

    No person has two on one day: a register would take them for one row delivered twice.
    """
    people, calendar = block.people, world.calendar
    span = calendar.last - calendar.first + 1
    number = rng.poisson(np.broadcast_to(yearly, people.count) * span / 365.25)
    person = np.repeat(np.arange(people.count), number)
    day = calendar.first + rng.integers(0, span, len(person))
    there = people.present(person, day)
    day, person = np.divmod(np.unique(day[there] * people.count + person[there]), people.count)
    return person, day


def pick(rng: np.random.Generator, weights: Sequence[float] | Floats, count: int) -> Ints:
    """Positions drawn by weight."""
    shares = np.asarray(weights, float)
    return rng.choice(len(shares), count, p=shares / shares.sum())


def with_disease(block: Block, world: World, *codes: str) -> Ints:
    """Day of onset of the first of some lasting diseases by person; ``NEVER`` where there is none."""
    chronic = [world.catalogue.diagnoses.code[k] for k in world.catalogue.chronic]
    columns = [chronic.index(code) for code in codes if code in chronic]
    onset: Ints = block.lasting.onset[:, columns].min(axis=1)
    return onset


def age_at(people: People, person: Ints, day: Ints) -> Ints:
    """Completed years, near enough for drawing."""
    return ((day - people.birth[person]) / 365.25).astype(np.int64)


def year_of(day: Ints) -> Ints:
    """Calendar year of days since 1970."""
    return day.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970


def first_of(year: Ints) -> Ints:
    """1 January as days since 1970."""
    return (year - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)


def monday(day: Ints) -> Ints:
    """Monday of the week of each day."""
    return day - (day + 3) % 7


def yyww(day: Ints) -> pa.Array:
    """ISO year and week, four digits, as registers write it."""
    thursday = monday(day) + 3
    year = year_of(thursday)
    week = (thursday - first_of(year)) // 7 + 1
    return padded(year % 100 * 100 + week, 4)


def months_before(day: Ints, months: int) -> Ints:
    """The same day of the month some months earlier, or that month's last day, as SQL's ``add_months``."""
    dates = day.astype("datetime64[D]")
    begin = dates.astype("datetime64[M]")
    into = (dates - begin.astype("datetime64[D]")).astype(np.int64)
    month = begin - months
    first = month.astype("datetime64[D]").astype(np.int64)
    length = (month + 1).astype("datetime64[D]").astype(np.int64) - first
    days: Ints = first + np.minimum(into, length - 1)
    return days


def padded(values: Ints, width: int) -> pa.Array:
    """Whole numbers with leading zeros."""
    return pa.array(np.char.zfill(values.astype(np.int64).astype(str), width).tolist(), pa.string())


def day_first(day: Ints, sign: str = "/") -> list[str]:
    """Days as DD/MM/YYYY."""
    return [
        f"{d[8:10]}{sign}{d[5:7]}{sign}{d[:4]}" for d in np.datetime_as_string(day.astype("datetime64[D]"))
    ]


def comma(values: Floats, decimals: int = 2) -> pa.Array:
    """Numbers with a decimal comma."""
    return pa.array([f"{value:.{decimals}f}".replace(".", ",") for value in values.tolist()], pa.string())


def provider(block: Block, world: World, person: Ints) -> Ints:
    """Provider number of the practice a person is listed with; the one that prescribes, too."""
    people = block.people
    return 100_000 + people.municipality[person] * 40 + people.cpr[person] // 7 % 40


def municipal_unit(block: Block, person: Ints) -> list[str]:
    """Number of the municipal care unit of a person, from a series no organisation register issues."""
    return [f"98{place + 1:03d}011000016" for place in block.people.municipality[person].tolist()]


def texts(values: Iterable[object]) -> pa.Array:
    """Python values as text; None stays empty."""
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def replaced(column: pa.Array, rows: Ints, values: Sequence[str | None]) -> pa.Array:
    """A column of text with some rows' values exchanged."""
    kept = column.cast(pa.string()).to_pylist()
    for row, value in zip(rows.tolist(), values, strict=True):
        kept[row] = value
    return pa.array(kept, pa.string())


def mask_of(rows: Ints, count: int) -> Bools:
    """Row numbers as a mask."""
    mask = np.zeros(count, bool)
    mask[rows] = True
    return mask


def ndjson(documents: Iterable[dict[str, Any]]) -> bytes:
    """JSON documents, one a line."""
    lines = (json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in documents)
    return "".join(f"{line}\n" for line in lines).encode()
