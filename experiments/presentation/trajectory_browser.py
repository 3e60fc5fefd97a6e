"""What the trajectory browser of a report holds: codes, what follows what, known paths; of checked patterns alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from experiments.products.base import Calibration, Interactive, Section
from experiments.products.pattern_kinds import View

MOST_EDGES, MOST_PATHS = 20_000, 5_000
"""Steps and paths a page holds, the strongest first; beyond, a page grows past what a mail takes."""

DIGITS = 4
"""Significant digits of estimates in the page: what a reader can use, and no room for a message."""

GROUPS = ("sex", "age")
"""Columns by which the browser filters, where a kind of pattern has them."""


def content(significant: pa.Table, null: Calibration | None) -> dict[str, Any] | None:
    """The browser's data from checked, significant patterns in their order; None when there is no step to show.

    ``codes`` are numbered by first use; ``steps`` are columns of equal length (a, b: numbers of codes; rr with
    interval; O: persons who took the step; lag with quartiles, days; q; replicated; flags), ``paths`` hold longer
    trajectories as lists of code numbers with the persons who came so far and went on.
    """
    names = significant.column_names
    wanted = [name for name in COLUMNS if name in names]
    rows = significant.slice(0, MOST_EDGES).select(wanted).to_pylist()
    codes = Codes()
    steps: dict[tuple[Any, ...], dict[str, Any]] = {}
    paths: list[dict[str, Any]] = []
    fair = null is None or null.calibrated
    for row in rows:
        items, texts = row.get("items") or [], row.get("texts") or []
        if not items and row.get("code_a") and row.get("code_b"):
            items, texts = [row["code_a"], row["code_b"]], [row.get("text_a"), row.get("text_b")]
        if len(items) < 2:
            continue
        ends = [
            codes.number(code, text) for code, text in zip(items, texts or [""] * len(items), strict=False)
        ]
        if len(items) == 2:
            codes.counted(ends[0], row.get("n_a"))
            codes.counted(ends[1], row.get("n_b"))
            key = (*ends, *(row.get(group) for group in GROUPS))
            steps.setdefault(key, _step(row, ends, fair))
        elif len(paths) < MOST_PATHS:
            paths.append(_path(row, ends))
    if not steps and not paths:
        return None
    listed = list(steps.values())
    groups = [group for group in GROUPS if any(step.get(group) for step in listed)]
    return {
        "codes": {"code": codes.codes, "text": codes.texts, "n_a": codes.persons},
        "steps": {key: [step[key] for step in listed] for key in (*STEP_KEYS, *groups)},
        "paths": {key: [path[key] for path in paths] for key in PATH_KEYS},
        "groups": groups,
        "total": significant.num_rows,
    }


COLUMNS = (
    "code_a", "code_b", "text_a", "text_b", "items", "texts", "n_a", "n_b", "n_person", "n_walked", "O", "rr", "rr_low",
    "rr_high", "lag_q25", "lag_q50", "lag_q75", "q_bh", "q_empirical", "replicated_person", "flags", "share", *GROUPS,
)  # fmt: skip

STEP_KEYS = ("a", "b", "rr", "low", "high", "O", "lag", "lag25", "lag75", "q", "replicated", "flags")

PATH_KEYS = ("items", "n_walked", "n_person", "rr", "low", "high", "lag")


class Codes:
    """Codes of a page, each once, with its name and how many persons have it where that may be shown."""

    def __init__(self) -> None:
        self.codes: list[str] = []
        self.texts: list[str] = []
        self.persons: list[int | None] = []
        self._numbers: dict[str, int] = {}

    def number(self, code: str, text: str | None) -> int:
        """The number of a code, given at its first use."""
        if code not in self._numbers:
            self._numbers[code] = len(self.codes)
            self.codes.append(code)
            self.texts.append(text or "")
            self.persons.append(None)
        return self._numbers[code]

    def counted(self, number: int, persons: int | None) -> None:
        """Keep how many persons have a code."""
        if persons is not None:
            self.persons[number] = int(persons)


def _step(row: Mapping[str, Any], ends: Sequence[int], fair: bool) -> dict[str, Any]:
    persons = row.get("O") if row.get("O") is not None else row.get("n_person")
    q = row.get("q_bh") if fair or row.get("q_empirical") is None else row.get("q_empirical")
    return {
        "a": ends[0], "b": ends[1], "O": persons, "q": rounded(q, 2), "replicated": row.get("replicated_person"),
        "flags": row.get("flags") or "", **_estimate(row),
        "lag": days(row.get("lag_q50")), "lag25": days(row.get("lag_q25")), "lag75": days(row.get("lag_q75")),
        **{group: row.get(group) for group in GROUPS},
    }  # fmt: skip


def _path(row: Mapping[str, Any], ends: Sequence[int]) -> dict[str, Any]:
    return {
        "items": list(ends), "n_walked": row.get("n_walked"), "n_person": row.get("n_person"), **_estimate(row),
        "lag": days(row.get("lag_q50")),
    }  # fmt: skip


def _estimate(row: Mapping[str, Any]) -> dict[str, float | None]:
    return {
        short: rounded(row.get(name))
        for short, name in (("rr", "rr"), ("low", "rr_low"), ("high", "rr_high"))
    }


def rounded(value: float | None, digits: int = DIGITS) -> float | None:
    """A number with so many significant digits; None for what is not finite."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{digits}g}")


def days(value: float | None) -> int | None:
    """Whole days."""
    return None if value is None or not math.isfinite(value) else round(value)


def browser_section(view: View) -> tuple[Section, ...]:
    """The browser as a section of the report; none where there is no step to show."""
    data = content(view.significant, view.calibration)
    if data is None:
        return ()
    part = Interactive("browser", {"groups": data["groups"]}, data)
    return (Section("follow", "Follow a code: what comes before, what comes after", (part,)),)
