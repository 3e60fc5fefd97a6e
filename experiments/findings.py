"""What a job hands over: its patterns, how trustworthy the comparison was, and what a reader must know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from experiments.products.patterns import Patterns
from experiments.statistics.error_control.empirical_null import EmpiricalNull


@dataclass(frozen=True)
class Findings:
    """The outcome of one question in one study.

    ``patterns`` is the raw table; ``null`` the spread of z, None where a job has no z to spread; ``persons`` and
    ``codes`` were counted; ``rule`` says what is called a finding, ``window`` over which time;
    ``metrics`` are numbers to compare runs by, ``remarks`` sentences for the report.
    """

    patterns: Patterns
    null: EmpiricalNull | None
    persons: int
    codes: int
    rule: str
    window: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
