"""Sets of events before a landmark that go with an outcome after it, one error rate over everything searched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.presentation.wording import count, ratio, small_number, steps, verdict
from experiments.products.columns import PatternColumn, column
from experiments.products.pattern_kinds import RECORDED, REPLICATION, Kind, ReportColumn
from lakehouse.governance.suppression.disclosure import Fact

_F = pa.float64()

COLUMNS: tuple[PatternColumn, ...] = (
    column(
        "step_sizes",
        pa.list_(pa.int32()),
        "",
        "How many of the items belong to each step; a set has one step.",
    ),
    column(
        "p_family",
        _F,
        "",
        "p adjusted over everything tested (Westfall-Young, shuffled within strata).",
        Fact.OUTCOME,
    ),
    column(
        "odds_ratio",
        _F,
        "",
        "Odds of the outcome with the pattern over without, within strata.",
        Fact.OUTCOME,
    ),
    column("odds_low", _F, "", "Lower end of its 95 % interval.", Fact.OUTCOME),
    column("odds_high", _F, "", "Upper end of it.", Fact.OUTCOME),
)
"""Columns of sets and of sequences."""

REQUIRED = frozenset({"items", "window", "n_person", "O", "E", "p_family", "odds_ratio"})


def sentence_of(row: Mapping[str, Any], joined: str) -> str:
    """A pattern in words."""
    return (
        f"of {count(row['n_person'])} persons with {steps(row, joined)}, {count(row['O'])} had the outcome where "
        f"{row['E']:,.0f} were expected among comparable persons (odds ratio {ratio(row['odds_ratio'])}, "
        f"{ratio(row['odds_low'])} to {ratio(row['odds_high'])}; adjusted p {small_number(row['p_family'])})"
    )


def sentence(row: Mapping[str, Any]) -> str:
    """A set in words."""
    return sentence_of(row, " and ")


def tests(codes: int) -> str:
    """How much is searched."""
    return f"every set of events among {codes:,} codes that enough persons have, as far as it could be significant"


def by_odds(significant: pa.Table) -> NDArray[np.int64]:
    """Strongest first: by the end of the interval nearest to 1.

    Returns numbers of rows [row] of ``significant``.
    """
    low, high = (np.asarray(significant.column(name), dtype=float) for name in ("odds_low", "odds_high"))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.argsort(-np.nan_to_num(np.fmax(low, 1 / high)), kind="stable")


def shown(joined: str) -> tuple[ReportColumn, ...]:
    """Columns of the report's table."""
    return (
        ReportColumn("items", "Before the landmark", "Events", lambda row: steps(row, joined)),
        ReportColumn("n_person", "Persons", "Who had them all", lambda row: count(row["n_person"]), True),
        ReportColumn("O", "With the outcome", "Of these", lambda row: count(row["O"]), True),
        ReportColumn(
            "E",
            "Expected",
            "Among comparable persons",
            lambda row: "–" if row["E"] is None else f"{row['E']:,.1f}",
            True,
        ),
        ReportColumn(
            "odds_ratio",
            "Odds ratio",
            "Within strata, 95 % interval",
            lambda row: f"{ratio(row['odds_ratio'])} ({ratio(row['odds_low'])} to {ratio(row['odds_high'])})",
            True,
        ),
        ReportColumn(
            "p_family",
            "Adjusted p",
            "Over everything tested",
            lambda row: small_number(row["p_family"]),
            True,
        ),
        ReportColumn(
            "replicated", "Replicated", "In the locked half", lambda row: verdict(row["replicated_person"])
        ),
    )


LIMITS = (
    "Persons are compared within strata of sex, ten-year age group and use of care before the landmark; what else "
    "sets them apart is not seen.",
    "The adjusted p holds over every pattern tested in this run, however they overlap; patterns inside one another "
    "say the same several times.",
    "What goes with an outcome is not what causes it; those who died or moved away before the landmark are not in it.",
    RECORDED,
    REPLICATION,
)

KIND = Kind(
    name="itemset",
    one="set of events",
    many="sets of events",
    asked="those who had all of them go on to the outcome more, or less, often than comparable persons",
    required=REQUIRED,
    sentence=sentence,
    tests=tests,
    needs=("odds_ratio", "O", "E", "n_person"),
    shown=shown(" + "),
    about=(
        "Each row is a set of events that persons had before the landmark, and how many of them went on to the "
        "outcome. One error rate, by shuffling outcomes among comparable persons, holds over all sets searched."
    ),
    ordered=False,
    limits=LIMITS,
    columns=COLUMNS,
    order=by_odds,
)
