"""Laboratory results by three ways: the region's own system, the research register without local codes, message copies."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.synthetic.block import Block, World
from lakehouse.synthetic.generator import Generator, Planter, Rows
from lakehouse.synthetic.hospital_view import replaced, taken
from lakehouse.synthetic.layout import KINDS, FileKind
from lakehouse.synthetic.other_rows import result_rows
from lakehouse.synthetic.population import day_of
from lakehouse.synthetic.rates import Bools, Ints
from lakehouse.synthetic.registers import Columns, choose

COLUMNS = KINDS["results"].columns
LABKA = FileKind("lab", "labka", "utf-8", COLUMNS, yearly=True, bom=True)
RESEARCH = FileKind("lab", "lab_forsker", "utf-8", COLUMNS, yearly=True)
MESSAGES = FileKind("lab", "medcom", "utf-8", COLUMNS)
WORDS = (
    "POSITIV",
    "NEGATIV",
    "NORMAL",
    "IKKE PAAVIST",
    "PAAVIST",
    "INGEN VAEKST",
    "FORHOEJET",
    "1+ (hæmolyse)",
)
SPELLED = {
    "µmol/L": "umol/l",
    "mmol/L": "mmol/l",
    "10⁹/L": "x 10^9/L",
    "U/L": "IU/L",
    "g/L": "g/l",
    "mg/L": "mg/l",
}
"""Other spellings of the same unit."""
STARTS = {"LAB1081": day_of(2018, 1, 1), "LAB1083": day_of(2017, 7, 1)}
"""Laboratories whose results begin later than the region's other data."""


def rows(block: Block, world: World, planter: Planter) -> Iterator[Rows]:
    """The region's system holds everything, the register what has a national code, messages a share of copies."""
    results, day, _ = result_rows(block, world, planter.rng)
    results = dict(results)
    results["samplingtime"] = results["samplingtime"].cast(pa.string())
    covered = covered_rows(results, day)
    results, day = taken(results, covered), day[covered]
    count = len(day)
    free = np.ones(count, bool)
    spell(planter, results)
    wrong = planter.choose("T27", free & has_unit(results), "results")
    results["unit"] = replaced(results["unit"], wrong, "furlong")
    unlikely = planter.choose("T27", free & has_unit(results), "results")
    results["value"] = replaced(results["value"], unlikely, "999999")
    results["operator"] = replaced(results["operator"], unlikely, None)
    word = planter.choose("T26", free, "results")
    results["value"] = replaced(
        results["value"], word, choose(WORDS, planter.rng.integers(0, len(WORDS), len(word)))
    )
    for name in ("operator", "unit"):
        results[name] = replaced(results[name], word, None)
    results["analysiscode"] = replaced(results["analysiscode"], word, text(12_000 + word % 900, "NPU"))
    local = planter.choose("T29", free, "results")
    results["analysiscode"] = replaced(results["analysiscode"], local, text(1_000 + local % 900, "RRK0"))
    lone = lone_rows(results)
    results, day = taken(results, lone), day[lone]
    yield from files(block, world, planter, results, day)


def text(values: Ints, head: str = "") -> pa.Array:
    """Numbers behind a head, as text."""
    return pa.array([f"{head}{value:05d}" for value in values.tolist()], pa.string())


def covered_rows(results: Columns, day: Ints) -> Ints:
    """Results of laboratories that deliver already."""
    start = pc.fill_null(results["laboratorium_idcode"], "").to_pylist()
    return np.flatnonzero(day >= np.array([STARTS.get(name, -1) for name in start]))


def has_unit(results: Columns) -> Bools:
    """Results with a unit."""
    mask: Bools = pc.fill_null(pc.not_equal(results["unit"], ""), False).to_numpy(zero_copy_only=False)
    return mask


def spell(planter: Planter, results: Columns) -> None:
    """Units in another spelling: planted with the rate of the defect, no result is lost for it."""
    able = pc.is_in(results["unit"], pa.array(list(SPELLED))).to_numpy(zero_copy_only=False)
    rows = planter.choose("T27", able)
    other = [SPELLED[unit] for unit in results["unit"].take(pa.array(rows)).to_pylist()]
    results["unit"] = replaced(results["unit"], rows, pa.array(other, pa.string()))


def lone_rows(results: Columns) -> Ints:
    """First of the results that agree in person, time, code and value, so that only planted copies are copies."""
    names = ("patient_cpr", "samplingdate", "samplingtime", "analysiscode", "value")
    texts = [pc.fill_null(results[name].cast(pa.string()), "") for name in names]
    first: dict[str, int] = {}
    for row, value in enumerate(pc.binary_join_element_wise(*texts, ";").to_pylist()):
        first.setdefault(value, row)
    return np.array(list(first.values()), np.int64)


def files(block: Block, world: World, planter: Planter, results: Columns, day: Ints) -> Iterator[Rows]:
    """The three files, and what the lake must show of them."""
    national = pc.match_substring_regex(results["analysiscode"], r"^(NPU|DNK)\d{5}$").to_numpy(
        zero_copy_only=False
    )
    split = planter.rng.random(len(day)) < 0.5
    register = np.flatnonzero(national & split)
    regional = np.flatnonzero(~national | ~split)
    known = pc.fill_null(pc.equal(results["unit"], "furlong"), False).to_numpy(zero_copy_only=False)
    timed = pc.is_valid(results["samplingtime"]).to_numpy(zero_copy_only=False)
    copied = planter.choose("T28", timed & ~known)
    again = np.intersect1d(copied, regional)
    message = taken(results, copied)
    yield Rows(LABKA, taken(results, regional), day=day[regional])
    both = np.sort(np.concatenate([register, again[national[again]]]))
    yield Rows(RESEARCH, taken(results, both), day=day[both])
    yield Rows(MESSAGES, message | {"samplingdate": pc.strftime(message["samplingdate"], format="%d.%m.%Y")})
    for table, number in (("lab_medcom", len(copied)), ("lab_results", int(national[again].sum()))):
        planter.expect("T28", "gold.event", f"source_table = '{table}' AND status = 'superseded'", number)
    for table, chosen in (("lab_labka", regional), ("lab_results", both)):
        planter.expect("T27", f"quarantine.{table}", "reason = 'unknown_unit'", int(known[chosen].sum()))
        expect_rows(planter, taken(results, chosen), table, ~known[chosen])


def expect_rows(planter: Planter, results: Columns, table: str, kept: Bools) -> None:
    """What gold must show of one file; copies are counted with it, since they lie there too."""
    value, here = results["value"].to_pylist(), f"source_table = '{table}'"
    words = sum(text in WORDS for text, keep in zip(value, kept, strict=True) if keep)
    planter.expect("T26", "gold.event", f"{here} AND value_text IS NOT NULL", words)
    bound = pc.not_equal(pc.fill_null(results["operator"], ""), "").to_numpy(zero_copy_only=False)
    signed = sum(
        (text[:1] in "<>" or bool(sign)) and text not in WORDS
        for text, sign, keep in zip(value, bound, kept, strict=True)
        if keep
    )
    planter.expect("T26", "gold.event", f"{here} AND value_op IN ('<', '>')", signed)
    odd = sum(text == "999999" for text, keep in zip(value, kept, strict=True) if keep)
    planter.expect("T27", "gold.event", f"{here} AND quality LIKE '%implausible_value%'", odd)
    local = pc.starts_with(results["analysiscode"], "RRK").to_numpy(zero_copy_only=False)
    planter.expect("T29", "gold.event", f"{here} AND code_system = 'LAB'", int(local.sum()))
    for name, start in STARTS.items():
        where = f"{here} AND place = '{name}' AND day < {start}"
        planter.expect("T29", "gold.event", where, 0)


GENERATOR = Generator(
    name="lab",
    files=(LABKA, RESEARCH, MESSAGES),
    rows=rows,
    known_defects=("T26", "T27", "T28", "T29"),
    replaces=("results",),
)
