"""Sequences of events before a landmark, within limits on gaps and span, that go with an outcome after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.analyses.itemsets.kind import COLUMNS, LIMITS, REQUIRED, by_odds, sentence_of, shown
from experiments.presentation.trajectory_browser import browser_section
from experiments.products.base import Section
from experiments.products.pattern_kinds import Kind, View, picture_sections, table_section


def sentence(row: Mapping[str, Any]) -> str:
    """A sequence in words."""
    return sentence_of(row, " and then ")


def tests(codes: int) -> str:
    """How much is searched."""
    return f"every sequence of events among {codes:,} codes that enough persons have, as far as it could be significant"


def sequence_sections(view: View) -> tuple[Section, ...]:
    """Table and browser: a sequence is an order of events, so it can be followed step by step."""
    return (table_section(view), *browser_section(view), *picture_sections(view))


KIND = Kind(
    name="sequence",
    one="sequence of events",
    many="sequences of events",
    asked="those who had them in this order go on to the outcome more, or less, often than comparable persons",
    required=REQUIRED,
    sentence=sentence,
    tests=tests,
    needs=("odds_ratio", "O", "E", "n_person"),
    shown=shown(" → "),
    about=(
        "Each row is a sequence of events that persons had before the landmark, in this order and within the limits "
        "on time, and how many of them went on to the outcome. One error rate holds over all sequences searched."
    ),
    sections=sequence_sections,
    limits=LIMITS,
    columns=COLUMNS,
    order=by_odds,
)
