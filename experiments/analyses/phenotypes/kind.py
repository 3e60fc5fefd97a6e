"""Phenotypes: codes that the same persons have, beyond what sex, age and the number of codes would bring together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.presentation.wording import HIDDEN, count, ratio, small_number, steps
from experiments.products.columns import column
from experiments.products.pattern_kinds import RECORDED, REPLICATION, Kind, ReportColumn
from lakehouse.governance.suppression.disclosure import Fact


def two(value: float | None) -> str:
    """A figure between 0 and 1."""
    return HIDDEN if value is None else f"{value:.2f}"


def sentence(row: Mapping[str, Any]) -> str:
    """A phenotype in words."""
    return (
        f"{steps(row, ', ')} stand together in the same persons {ratio(row['excess'])} times as often as sex, age and "
        f"the number of codes let expect ({count(row['n_person'])} persons have at least three of them)"
    )


def strongest(significant: pa.Table) -> NDArray[np.int64]:
    """By the size of z.

    Returns numbers of rows [row] of ``significant``.
    """
    z = np.nan_to_num(np.asarray(significant.column("z"), dtype=float))
    return np.argsort(-z, kind="stable")


KIND = Kind(
    name="phenotype",
    one="phenotype",
    many="phenotypes",
    asked="persons nobody learned them from have their codes together more often than chance",
    required=frozenset({"items", "n_person", "excess", "stability", "agreement", "tested", "called"}),
    sentence=sentence,
    tests=lambda codes: "as many phenotypes as are asked for, each tested once in the locked half",
    needs=("excess", "n_person"),
    shown=(
        ReportColumn("items", "Codes", "Strongest first.", lambda row: steps(row, ", ")),
        ReportColumn(
            "n_person", "Persons", "Have at least three of them.", lambda row: count(row["n_person"]), True
        ),
        ReportColumn(
            "excess",
            "Together",
            "Pairs of its codes in one person, seen over expected, in the locked half.",
            lambda row: ratio(row["excess"]),
            True,
        ),
        ReportColumn(
            "stability", "Stability", "Agreement over other starts.", lambda row: two(row["stability"]), True
        ),
        ReportColumn(
            "agreement",
            "Agreement",
            "With what is learned from the locked half alone (cosine).",
            lambda row: two(row["agreement"]),
            True,
        ),
        ReportColumn(
            "q_bh", "q", "Share of false findings at this level.", lambda row: small_number(row["q_bh"]), True
        ),
    ),
    ordered=False,
    limits=(
        "Codes of one illness stand together by definition; a phenotype is a way to say it, not a cause.",
        "What is expected follows from sex, five-year age group and the number of codes a person has; times and order of "
        "the codes play no part.",
        RECORDED,
        REPLICATION,
    ),
    columns=(
        column(
            "excess", pa.float64(), "", "Pairs of its codes in one person, seen over expected.", Fact.OUTCOME
        ),
        column(
            "stability", pa.float64(), "", "Mean cosine with the same factor over other starts.", Fact.OUTCOME
        ),
        column(
            "agreement", pa.float64(), "", "Cosine with the factor learned in the locked half.", Fact.OUTCOME
        ),
    ),
    order=strongest,
)
