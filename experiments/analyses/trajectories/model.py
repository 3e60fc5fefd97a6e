"""Trajectories as a model: from one timeline, what came next for those who walked this way, with intervals and numbers.

Stands alone (pandas and pyarrow only): its text is stored with every logged model and loaded from there, so a
model can be used where the platform is not installed, and loading one runs no pickle.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

INPUT = {"person": "string", "code": "string", "day": "long"}
"""One row an event of a person: any label, code written system//code, day as a whole number from any start."""

OUTPUT = {
    "person": "string",
    "walked": "string",
    "code": "string",
    "text": "string",
    "share": "double",
    "share_low": "double",
    "share_high": "double",
    "within_year": "double",
    "within_year_low": "double",
    "within_year_high": "double",
    "persons_walked": "long",
    "persons_next": "long",
    "median_days": "double",
    "days_since": "long",
}
"""One row a code that came next: share of those who walked the same way, 95 % interval, persons behind it."""

USED = (
    "items", "texts", "window", "n_walked", "n_person", "share", "share_low", "share_high", "within_year",
    "within_year_low", "within_year_high", "lag_q50",
)  # fmt: skip
SYSTEMS_WITH_LEVELS = ("ICD10", "ATC", "SKS")


class TrajectorySet:
    """Says what came next; made of checked, significant trajectories alone."""

    def __init__(self, trajectories: pd.DataFrame) -> None:
        self._following: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for row in trajectories.to_dict("records"):
            items = tuple(row["items"])
            step = {str(name): value for name, value in row.items()}
            step |= {"next": items[-1], "text": row["texts"][-1]}
            self._following.setdefault(items[:-1], []).append(step)
        self._codes = {code for path in self._following for code in path}

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """What came next, by person: of the ways a person has walked the longest are the most specific and come first.

        A code the person already has is left out. A code deeper than the trajectories' level is taken at that
        level. A way counts as walked when the first days of its codes follow one another within the window.
        """
        rows: list[dict[str, Any]] = []
        for person, events in model_input.groupby("person", sort=False):
            rows += self._next(str(person), events)
        frame = pd.DataFrame(rows, columns=list(OUTPUT))
        return frame.astype({name: _pandas_type(kind) for name, kind in OUTPUT.items()})

    def level(self, code: str) -> str:
        """The code the trajectories know this one by: its longest known beginning, else itself."""
        system, separator, rest = code.partition("//")
        shortest = 3 if system in SYSTEMS_WITH_LEVELS else len(rest)
        for length in range(len(rest), shortest - 1, -1):
            if (candidate := system + separator + rest[:length]) in self._codes:
                return candidate
        return code

    def _next(self, person: str, events: pd.DataFrame) -> list[dict[str, Any]]:
        first: dict[str, int] = {}
        for code, day in zip(events["code"].astype(str), events["day"], strict=True):
            known = self.level(code)
            first[known] = min(first.get(known, int(day)), int(day))
        had = set(first) | set(events["code"].astype(str))
        today = int(events["day"].max())
        found: dict[str, dict[str, Any]] = {}
        for walked in sorted(self._following, key=lambda path: (-len(path), path)):
            for row in self._following[walked]:
                code = str(row["next"])
                new = not any(each == code or each.startswith(code) for each in had)
                if new and code not in found and _walked(first, walked, row["window"]):
                    found[code] = _prediction(person, walked, row, today - first[walked[-1]])
        return sorted(found.values(), key=lambda each: (-each["walked"].count(" → "), -each["share_low"]))


def _walked(first: dict[str, int], path: tuple[str, ...], window: str) -> bool:
    """Whether the first days of these codes follow one another, each within the window."""
    horizon = int(str(window).rpartition("-")[2])
    return all(code in first for code in path) and all(
        0 < first[b] - first[a] <= horizon for a, b in pairwise(path)
    )


def _prediction(person: str, walked: tuple[str, ...], row: dict[str, Any], since: int) -> dict[str, Any]:
    names = ("share", "share_low", "share_high", "within_year", "within_year_low", "within_year_high")
    return {
        "person": person,
        "walked": " → ".join(walked),
        "code": row["next"],
        "text": row["text"],
        **{name: row[name] for name in names},
        "persons_walked": row["n_walked"],
        "persons_next": row["n_person"],
        "median_days": row["lag_q50"],
        "days_since": since,
    }


def _pandas_type(kind: str) -> str:
    return {"string": "object", "double": "float64", "long": "int64"}[kind]


def _load_pyfunc(path: str) -> TrajectorySet:
    """Load a stored model: ``path`` is its parquet file, or the folder that holds it."""
    source = Path(path)
    return TrajectorySet(pd.read_parquet(source / "patterns.parquet" if source.is_dir() else source))
