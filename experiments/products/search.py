"""How the patterns of a table were looked for, for whoever reports them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from experiments.products.base import (
    Calibration,
)


@dataclass(frozen=True)
class Search:
    """How the patterns of a table were looked for, for whoever reports them.

    ``codes`` were looked at; ``calibration`` is None where a job has no z to calibrate; ``rule`` says what
    is significant, ``window`` over which time; ``bands`` are the numbers of earlier events at which bands of use of care
    begin, where persons are matched by them; ``metrics`` are numbers to compare runs by.
    """

    codes: int = 0
    rule: str = "a q-value of at most 0.05, Benjamini-Hochberg"
    window: str = "five years"
    calibration: Calibration | None = None
    bands: Sequence[int] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Search:
        """From what ``asdict`` gave and JSON kept."""
        given = stored.get("calibration")
        return cls(**{**stored, "calibration": Calibration(*given) if given else None})
