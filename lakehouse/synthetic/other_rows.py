"""A block's dispensings and laboratory results as rows of their registers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.catalogue import number
from lakehouse.synthetic.identity import numbers
from lakehouse.synthetic.rates import Bools, Ints
from lakehouse.synthetic.registers import Columns, choose, dates, text

REVERSED, NO_TIME = 0.003, 0.02
CRP, EGFR = "NPU19748", "DNK35302"


def decimal_text(scaled: Ints, decimals: Ints) -> pa.Array:
    """Numbers with a decimal comma from integers in units of the last decimal."""
    result = pa.array(scaled).cast(pa.string())
    for places in (1, 2):
        rows = decimals == places
        if rows.any():
            whole = pa.array(np.abs(scaled[rows]) // 10**places).cast(pa.string())
            rest = pc.utf8_lpad(pa.array(np.abs(scaled[rows]) % 10**places).cast(pa.string()), places, "0")
            signs = choose(("", "-"), (scaled[rows] < 0).astype(np.int64))
            joined = pc.binary_join_element_wise(pc.binary_join_element_wise(signs, whole, ""), rest, ",")
            result = pc.replace_with_mask(result, pa.array(rows), joined)
    return result


def dispensing_rows(block: Block, world: World, rng: np.random.Generator) -> tuple[Columns, Ints, int]:
    """Dispensing lines, the day of each, and the number of reversed purchases.

    A reversed purchase is two extra lines, the second with negative packages: together they are nothing.
    """
    lines, table = block.dispensings, world.catalogue.medicines
    count = len(lines.day)
    mistaken = rng.choice(count, rng.binomial(count, REVERSED), replace=False)
    row = np.concatenate([np.arange(count), mistaken, mistaken])
    other = lines.medicine[rng.integers(0, max(count, 1), len(mistaken))]
    other = np.where(other == lines.medicine[mistaken], (other + 1) % len(table.code), other)
    medicine = np.concatenate([lines.medicine, other, other])
    packages = np.concatenate([lines.packages, lines.packages[mistaken], -lines.packages[mistaken]])
    order = np.argsort(lines.day[row], kind="stable")
    row, medicine, packages, back = (
        row[order],
        medicine[order],
        packages[order],
        order >= count + len(mistaken),
    )
    brand = rng.integers(0, 3, count)[row]
    price = np.array(
        [int(number(extra["ddd"]) * 37 + number(extra["users"]) * 3 + 1900) for extra in table.extra]
    )
    drawn = rng.integers(0, 1000, (3, count))
    day = lines.day[row]
    rows: Columns = {
        "pnr": numbers(block.people, lines.person[row], day),
        "eksd": dates(day),
        "vnr": text(100_000 + medicine * 4001 % 800_000 + brand),
        "atc": choose(table.code, medicine),
        "name": choose(table.name, medicine),
        "packsize": choose([extra["pack"] for extra in table.extra], medicine),
        "apk": text(packages),
        "volume": choose(
            [f"{number(extra['ddd']):.1f}".replace(".", ",") for extra in table.extra], medicine
        ),
        "indo": pa.array(1000 + medicine, mask=(drawn[0] < 150)[row]).cast(pa.string()),
        "recu": text(100_000 + (block.people.municipality[lines.person] * 40 + drawn[1] % 40)[row]),
        "ibnr": text(1000 + (block.people.municipality[lines.person] * 5 + drawn[2] % 5)[row]),
        "korr": choose(("", "1"), back.astype(np.int64), ~back),
        "eksp": decimal_text(price[medicine] * packages, np.full(len(row), 2)),
    }
    return rows, day, len(mistaken)


def limits(world: World, side: str) -> list[str]:
    """Reference limits as text by (analysis, sex), in one list."""
    return [extra[f"{side}_{sex}"] for extra in world.catalogue.analyses for sex in "fm"]


def result_rows(block: Block, world: World, rng: np.random.Generator) -> tuple[Columns, Ints, int]:
    """Laboratory results, the day of each, and how many are given as below or above a limit of measurement."""
    results, analyses = block.results, world.catalogue.analyses
    codes = [extra["code"] for extra in analyses]
    count = len(results.value)
    decimals = world.laboratory.decimals[results.analysis]
    low = (results.analysis == codes.index(CRP)) & (results.value < 4) & (rng.random(count) < 0.7)
    high = (results.analysis == codes.index(EGFR)) & (results.value > 90)
    value = np.where(low, 4, np.where(high, 90, results.value))
    inside = rng.random(count) < 0.5
    shown = decimal_text(value, decimals)
    sign = np.where(low, 1, np.where(high, 2, 0))
    shown = pc.binary_join_element_wise(choose(("", "<", ">"), np.where(inside, sign, 0)), shown, "")
    pair = results.analysis * 2 + block.people.sex[results.person]
    timeless: Bools = rng.random(count) < NO_TIME
    day = results.minute // 1440
    rows: Columns = {
        "patient_cpr": numbers(block.people, results.person, day),
        "samplingdate": dates(day),
        "samplingtime": pa.array((results.minute % 1440 * 60).astype(np.int32), mask=timeless).cast(
            pa.time32("s")
        ),
        "analysiscode": choose(codes, results.analysis),
        "value": shown,
        "operator": choose(("", "<", ">"), sign, inside | (sign == 0)),
        "unit": choose([extra["unit"] for extra in analyses], results.analysis),
        "referenceinterval_lowerlimit": choose(limits(world, "low"), pair),
        "referenceinterval_upperlimit": choose(limits(world, "high"), pair),
        "laboratorium_idcode": choose(
            [f"LAB{row['region']}" for row in world.catalogue.municipalities],
            block.people.municipality[results.person],
        ),
    }
    return rows, day, int((low | high).sum())
