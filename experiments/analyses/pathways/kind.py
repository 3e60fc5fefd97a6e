"""Pathways: a step that follows another, something done again, or a whole course, and what comes after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.presentation.wording import count, days, ratio, small_number, steps
from experiments.products.columns import WORD, column
from experiments.products.pattern_kinds import RECORDED, REPLICATION, Kind, ReportColumn
from lakehouse.governance.suppression.disclosure import Fact

WORDS = {"follows": "one right after the other", "again": "done again", "course": "the whole course"}


def what(row: Mapping[str, Any]) -> str:
    """The feature in words."""
    return f"{steps(row)} ({WORDS.get(row['feature'], row['feature'])})"


def sentence(row: Mapping[str, Any]) -> str:
    """A feature and its effect."""
    return (
        f"pathways with {what(row)} met the outcome {ratio(row['rr'])} times as often as comparable ones without "
        f"(95 % interval {ratio(row['rr_low'])} to {ratio(row['rr_high'])}; {count(row['n_person'])} persons)"
    )


def strongest(significant: pa.Table) -> NDArray[np.int64]:
    """By the size of z.

    Returns numbers of rows [row] of ``significant``.
    """
    z = np.nan_to_num(np.asarray(significant.column("z"), dtype=float))
    return np.argsort(-np.abs(z), kind="stable")


KIND = Kind(
    name="pathway",
    one="feature of pathways",
    many="features of pathways",
    asked="pathways that have it meet the outcome more, or less, often than comparable ones without it",
    required=frozenset({"items", "feature", "n_person", "O", "E", "rr", "tested", "called"}),
    sentence=sentence,
    tests=lambda codes: "steps that follow one another, repeats and courses that enough persons have",
    needs=("rr", "n_person"),
    shown=(
        ReportColumn("feature", "Pathway", "What the pathways have in common.", what),
        ReportColumn(
            "n_person", "Persons", "Pathways that have it.", lambda row: count(row["n_person"]), True
        ),
        ReportColumn(
            "lag_q50",
            "Wait",
            "Median wait between the two steps, or length of the course.",
            lambda row: "" if row["lag_q50"] is None else days(row["lag_q50"]),
            True,
        ),
        ReportColumn(
            "rr",
            "Risk ratio",
            "Outcome after it against comparable pathways without it, with 95 % interval.",
            lambda row: f"{ratio(row['rr'])} ({ratio(row['rr_low'])}–{ratio(row['rr_high'])})",
            True,
        ),
        ReportColumn(
            "q_bh", "q", "Share of false findings at this level.", lambda row: small_number(row["q_bh"]), True
        ),
    ),
    limits=(
        "A pathway is judged after its window closed, among those alive then; what made a person go this way is "
        "known only as far as sex, age, year, earlier events and the number of steps show.",
        RECORDED,
        REPLICATION,
    ),
    columns=(
        column("feature", WORD, "", "follows, again or course."),
        column("times", pa.int32(), "", "How often it happened, over all pathways.", Fact.TOTAL),
        column("n_compared", pa.int32(), "persons", "Of the persons, those followed to the end.", Fact.TOTAL),
    ),
    order=strongest,
)
