"""Subgroups in which a treatment, against another, changes the risk of an outcome more or less than elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.presentation.wording import HIDDEN, count, named, small_number, steps
from experiments.products.columns import column
from experiments.products.pattern_kinds import RECORDED, REPLICATION, Kind, ReportColumn
from lakehouse.governance.suppression.disclosure import Fact


def points(value: float | None) -> str:
    """A difference in risk, in percentage points."""
    return HIDDEN if value is None else f"{100 * value:+.1f}"


def who(row: Mapping[str, Any]) -> str:
    """The conditions."""
    return steps(row, " and ")


def sentence(row: Mapping[str, Any]) -> str:
    """A subgroup and how the effect differs in it."""
    return (
        f"in persons with {who(row)}, {named(row, 'a')} against {named(row, 'b')} changes the risk of the outcome "
        f"by {points(row['effect_inside'])} percentage points, elsewhere by {points(row['effect_outside'])} "
        f"({count(row['n_person'])} persons)"
    )


def strongest(significant: pa.Table) -> NDArray[np.int64]:
    """By the size of z.

    Returns numbers of rows [row] of ``significant``.
    """
    z = np.nan_to_num(np.asarray(significant.column("z"), dtype=float))
    return np.argsort(-np.abs(z), kind="stable")


_F = pa.float64()

KIND = Kind(
    name="subgroup",
    one="subgroup",
    many="subgroups",
    asked="the treatment's effect differs in them from its effect elsewhere",
    required=frozenset(
        {"code_a", "code_b", "items", "n_person", "effect_inside", "effect_outside", "z", "called"}
    ),
    sentence=sentence,
    tests=lambda codes: "every subgroup the search comes by, with one error rate for all of it",
    needs=("effect_inside", "effect_outside", "n_person"),
    shown=(
        ReportColumn("items", "Subgroup", "Conditions that all hold on the first day of treatment.", who),
        ReportColumn(
            "n_person", "Persons", "New users in the subgroup.", lambda row: count(row["n_person"]), True
        ),
        ReportColumn(
            "effect_inside",
            "Effect inside",
            "Difference in the risk of the outcome, percentage points, adjusted.",
            lambda row: points(row["effect_inside"]),
            True,
        ),
        ReportColumn(
            "effect_outside",
            "elsewhere",
            "The same elsewhere.",
            lambda row: points(row["effect_outside"]),
            True,
        ),
        ReportColumn(
            "difference_low",
            "Difference",
            "95 % interval of the difference between both.",
            lambda row: f"{points(row['difference_low'])} to {points(row['difference_high'])}",
            True,
        ),
        ReportColumn(
            "p_family",
            "p",
            "Chance that a search in which nothing differs finds as much anywhere.",
            lambda row: small_number(row["p_family"]),
            True,
        ),
    ),
    ordered=False,
    limits=(
        "New users are compared as if, given their sex, age, year and earlier codes, the choice of treatment were "
        "chance; a reason that is in no code is not adjusted for.",
        "The error rate holds over the whole search; a subgroup is where to look, not whom to treat.",
        RECORDED,
        REPLICATION,
    ),
    columns=(
        column("n_treated", pa.int32(), "persons", "Of the persons, those treated.", Fact.MARGIN),
        column(
            "n_control", pa.int32(), "persons", "Of the persons, those on the other treatment.", Fact.MARGIN
        ),
        column("effect_inside", _F, "", "Adjusted difference in risk inside.", Fact.OUTCOME),
        column("effect_outside", _F, "", "Adjusted difference in risk elsewhere.", Fact.OUTCOME),
        column("difference_low", _F, "", "Lower end of the 95 % interval of their difference.", Fact.OUTCOME),
        column("difference_high", _F, "", "Upper end of it.", Fact.OUTCOME),
        column("p_family", _F, "", "Family-wise p over the whole search.", Fact.OUTCOME),
    ),
    order=strongest,
)
