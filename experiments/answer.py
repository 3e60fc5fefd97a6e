"""A run in words: what the page and the tracking store say first, and numbers as a reader can use them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from experiments.patterns import Patterns
from experiments.statistics.empirical_null import EmpiricalNull

HIDDEN = "–"
"""Stands for a number that was hidden or not computed."""

SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Story:
    """What the page needs besides the patterns.

    ``persons`` were counted; ``attrition`` holds (rule, persons left); ``command`` repeats the run.
    """

    question: str
    persons: int
    codes: int
    null: EmpiricalNull
    command: str
    scope: Mapping[str, Any]
    attrition: Sequence[tuple[str, int]] = ()
    purpose: str = ""
    kind: str = ""
    rule: str = "a q-value of at most 0.05, Benjamini-Hochberg"
    window: str = "five years"
    seconds: float | None = None
    remarks: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class Tally:
    """How many pairs were tested, called and found again; numbers of patterns, not of persons."""

    tested: int
    called: int
    replicated: int


def tally(raw: Patterns) -> Tally:
    """Counted over all pairs, hidden ones too."""
    columns = {name: pc.fill_null(raw.table.column(name), False) for name in ("tested", "called")}
    again = pc.fill_null(raw.table.column("replicated_person"), False)
    both = pc.and_(columns["called"], again)
    sums = [int(pc.sum(one).as_py() or 0) for one in (columns["tested"], columns["called"], both)]
    return Tally(*sums)


def answer(story: Story, counts: Tally, called: pa.Table) -> list[str]:
    """The answer in three sentences: what was found, the strongest in words, whether the comparison was fair.

    ``called`` is checked and ordered by strength.
    """
    tested = (
        f"In the treatment data of {story.persons:,} persons, {counts.tested:,} ordered pairs of {story.codes:,} "
        "codes were tested for whether the second follows the first more, or less, often than it follows "
        "comparable persons' comparable days"
    )
    if not counts.called:
        return [f"{tested}.", f"None was called a finding (by {story.rule}).", _fairness(story.null)]
    verb = "was called a finding" if counts.called == 1 else "were called findings"
    again = "was" if counts.replicated == 1 else "were"
    return [
        f"{tested}; {counts.called:,} {verb} (by {story.rule}), and {counts.replicated:,} of them {again} found "
        "again in a locked half of the persons that the search had not looked at.",
        _strongest(called),
        _fairness(story.null),
    ]


def _fairness(null: EmpiricalNull) -> str:
    ending = "as it should be" if null.calibrated else "too wide"
    return (
        "The comparison itself was checked on pairs that have nothing to do with each other: their spread is "
        f"{null.sd:.2f}, {ending} (1 is ideal)."
    )


def _strongest(called: pa.Table) -> str:
    """The first called pattern that is replicated and not flagged, in words."""
    for row in called.slice(0, 500).to_pylist():
        if row["replicated_person"] and not row["flags"] and row["rr"] is not None:
            lag = f", half of them within {days(row['lag_q50'])}" if row["lag_q50"] is not None else ""
            return (
                f"The strongest of these: after {named(row, 'a')}, {named(row, 'b')} came {ratio(row['rr'])} "
                f"times as often as expected (95 % interval {ratio(row['rr_low'])} to {ratio(row['rr_high'])}; "
                f"{row['O']:,} persons{lag})."
            )
    return "None of those found again can be shown in words."


def warning(null: EmpiricalNull) -> str:
    """What the first lines say when the comparison is not calibrated."""
    if null.calibrated:
        return ""
    return (
        f"The comparison is not calibrated: over pairs that carry no effect, z spreads {null.sd:.2f} times "
        "as wide as "
        "chance alone would have it (1 is ideal, 1.1 the limit). Something that differs between persons "
        "is not matched. "
        "Judge by the q-values against the empirical null (column q_empirical); the others are too small."
    )


def named(row: Mapping[str, Any], side: str) -> str:
    """A code with its name, for a sentence."""
    text = row[f"text_{side}"]
    code = row[f"code_{side}"]
    return f"{text} ({code})" if text else str(code)


def ratio(value: float | None) -> str:
    """A ratio with as many digits as a reader can use."""
    if value is None or not math.isfinite(value):
        return HIDDEN if value is None else "∞"
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}" if value >= 3 else f"{value:.2f}"


def days(value: float) -> str:
    """A time in the unit a reader thinks in."""
    if value < 60:
        return f"{value:.0f} days"
    return f"{value / 30.44:.0f} months" if value < 730 else f"{value / 365.25:.1f} years"


def small_number(value: float | None) -> str:
    """A q-value: two digits, or a power of ten where it is tiny."""
    if value is None or math.isnan(value):
        return HIDDEN
    if value >= 0.001:
        return f"{value:.3f}"
    return "< 10⁻³⁰⁰" if value <= 1e-300 else "10" + str(math.floor(math.log10(value))).translate(SUPERSCRIPT)
