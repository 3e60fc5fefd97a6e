"""A run in words: what the page and the tracking store say first, and numbers as a reader can use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from experiments.presentation.wording import HIDDEN, days, named, ratio, small_number
from experiments.products.kinds import Kind, kind_of
from experiments.products.patterns import Patterns
from experiments.statistics.error_control.empirical_null import EmpiricalNull


@dataclass(frozen=True)
class Story:
    """What the page needs besides the patterns.

    ``persons`` were counted; ``null`` is None where nothing has a z; ``pattern`` is the kind of the rows, ``kind``
    that of the lake; ``attrition`` holds (rule, persons left); ``command`` repeats the run.
    """

    question: str
    persons: int
    codes: int
    null: EmpiricalNull | None
    command: str
    scope: Mapping[str, Any]
    attrition: Sequence[tuple[str, int]] = ()
    purpose: str = ""
    kind: str = ""
    rule: str = "a q-value of at most 0.05, Benjamini-Hochberg"
    window: str = "five years"
    seconds: float | None = None
    remarks: Sequence[str] = field(default_factory=tuple)
    pattern: str = "pair"


@dataclass(frozen=True)
class Tally:
    """How many rows were tested, called and found again; numbers of patterns, not of persons."""

    tested: int
    called: int
    replicated: int


def tally(raw: Patterns) -> Tally:
    """Counted over all rows, hidden ones too."""
    columns = {name: pc.fill_null(raw.table.column(name), False) for name in ("tested", "called")}
    again = pc.fill_null(raw.table.column("replicated_person"), False)
    both = pc.and_(columns["called"], again)
    sums = [int(pc.sum(one).as_py() or 0) for one in (columns["tested"], columns["called"], both)]
    return Tally(*sums)


def answer(story: Story, counts: Tally, called: pa.Table) -> list[str]:
    """The answer in three sentences: what was found, the strongest in words, whether the comparison was fair.

    ``called`` is checked and ordered by strength.
    """
    form = kind_of(story.pattern)
    tested = (
        f"In the treatment data of {story.persons:,} persons, {counts.tested:,} {form.many} of {story.codes:,} "
        f"codes were tested for whether {form.asked}"
    )
    fair = [_fairness(story.null)] if story.null else []
    if not counts.called:
        return [f"{tested}.", f"None was called a finding (by {story.rule}).", *fair]
    verb = "was called a finding" if counts.called == 1 else "were called findings"
    again = "was" if counts.replicated == 1 else "were"
    found = f"{tested}; {counts.called:,} {verb} (by {story.rule})"
    judged = called.num_rows == 0 or called.column("replicated_person").null_count < called.num_rows
    if judged:
        found += (
            f", and {counts.replicated:,} of them {again} found again in a locked half of the persons that the "
            "search had not looked at"
        )
    return [f"{found}.", _strongest(called, form, judged), *fair]


def _fairness(null: EmpiricalNull) -> str:
    ending = "as it should be" if null.calibrated else "too wide"
    return (
        "The comparison itself was checked on pairs that have nothing to do with each other: their spread is "
        f"{null.sd:.2f}, {ending} (1 is ideal)."
    )


def _strongest(called: pa.Table, form: Kind, judged: bool) -> str:
    """The first called pattern that is not flagged, and replicated where that was judged, in words."""
    for row in called.slice(0, 500).to_pylist():
        again = row["replicated_person"] or not judged
        if again and not row["flags"] and all(row[name] is not None for name in form.needs):
            return f"The strongest of these: {form.sentence(row)}."
    return f"None of those found{' again' if judged else ''} can be shown in words."


def warning(null: EmpiricalNull | None) -> str:
    """What the first lines say when the comparison is not calibrated."""
    if null is None or null.calibrated:
        return ""
    return (
        f"The comparison is not calibrated: over pairs that carry no effect, z spreads {null.sd:.2f} times "
        "as wide as "
        "chance alone would have it (1 is ideal, 1.1 the limit). Something that differs between persons "
        "is not matched. "
        "Judge by the q-values against the empirical null (column q_empirical); the others are too small."
    )


__all__ = [
    "HIDDEN", "Story", "Tally", "answer", "days", "named", "ratio", "small_number", "tally", "warning",
]  # fmt: skip
