"""Ordered pairs of codes: the second after the first, against comparable persons' comparable days."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from experiments.analyses.pairs.model import INPUT, OUTPUT, USED
from experiments.analyses.pairs.page import CAPTIONS, pair_sections
from experiments.presentation.wording import days, named, ratio
from experiments.products.base import ModelSpec
from experiments.products.columns import ORDERED_PAIR, WORD, column
from experiments.products.pattern_kinds import PAIR_LIMITS, Kind
from lakehouse.governance.suppression.disclosure import DisclosureRecord, Fact, Thresholds, check_pairs


def sentence(row: Mapping[str, Any]) -> str:
    """A pair in words."""
    lag = f", half of them within {days(row['lag_q50'])}" if row["lag_q50"] is not None else ""
    return (
        f"after {named(row, 'a')}, {named(row, 'b')} came {ratio(row['rr'])} times as often as expected (95 % "
        f"interval {ratio(row['rr_low'])} to {ratio(row['rr_high'])}; {row['O']:,} persons{lag})"
    )


def tests(codes: int) -> str:
    """At most so many tests."""
    return f"at most {codes * (codes - 1):,} ordered pairs of {codes:,} codes (fewer when rolled up)"


def draw(*given: Any) -> dict[str, bytes]:
    """Effect against evidence, network, calibration."""
    from experiments.presentation.figures import draw as pictures

    return pictures(*given)


def example(significant: pa.Table) -> dict[str, list[Any]]:
    """An invented person for the model's input: has the first codes of the two strongest patterns."""
    codes = list(dict.fromkeys(significant.column("code_a").to_pylist()[:2]))
    return {"person": ["an invented person"] * len(codes), "code": codes}


def check(
    table: pa.Table, facts: Mapping[str, Fact], thresholds: Thresholds
) -> tuple[pa.Table, DisclosureRecord]:
    """The check of ordered pairs; a share of deaths that few persons stand behind is hidden before."""
    died, exposed = (
        np.nan_to_num(np.asarray(table.column(name), dtype=float)) for name in ("died_first", "n_a")
    )
    few = (died > 0) & (died * exposed < 2 * thresholds.persons)
    hidden = pc.if_else(pa.array(few), pa.scalar(None, pa.float64()), table.column("died_first"))
    table = table.set_column(table.column_names.index("died_first"), "died_first", hidden)
    return check_pairs(table, facts, thresholds)


KIND = Kind(
    name="pair",
    one="ordered pair",
    many="ordered pairs",
    asked=(
        "the second follows the first more, or less, often than it follows comparable persons' comparable days"
    ),
    required=ORDERED_PAIR,
    columns=(
        column(
            "called_tree",
            pa.bool_(),
            "",
            "Significant by families: chapters, then blocks, then pairs.",
            Fact.OUTCOME,
        ),
        column(
            "cif",
            pa.float64(),
            "",
            "Share of the exposed who meet the outcome, death competing.",
            Fact.OUTCOME,
        ),
        column("cif_low", pa.float64(), "", "Lower end of its 95 % interval.", Fact.OUTCOME),
        column("cif_high", pa.float64(), "", "Upper end of its 95 % interval.", Fact.OUTCOME),
        column("died_first", pa.float64(), "", "Share of the exposed who die before it.", Fact.OUTCOME),
        column(
            "called_without_washout",
            pa.bool_(),
            "",
            "Of a significant pair: significant without wash-out.",
            Fact.OUTCOME,
        ),
        column("rr_without_washout", pa.float64(), "", "Relative risk without wash-out.", Fact.OUTCOME),
        column("direction_without_washout", WORD, "", "Order without wash-out.", Fact.DIRECTION),
    ),
    sentence=sentence,
    tests=tests,
    check=check,
    draw=draw,
    captions=CAPTIONS,
    sections=pair_sections,
    limits=PAIR_LIMITS,
    model=ModelSpec(
        module="analyses/pairs/model.py",
        name="pattern_set",
        about="What tends to follow what",
        inputs=INPUT,
        outputs=OUTPUT,
        columns=USED,
        needs=("rr", "O"),
        example=example,
    ),
)
