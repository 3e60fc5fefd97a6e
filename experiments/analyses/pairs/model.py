"""A pattern set as a model: from the codes a person has had, the checked patterns that tend to come next.

Stands alone (pandas and pyarrow only): its text is stored with every logged model and loaded from there, so a
model can be used where the platform is not installed, and loading one runs no pickle.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

INPUT = {"person": "string", "code": "string"}
"""One row a code of a person; ``person`` may be any label, codes are written system//code."""

OUTPUT = {
    "person": "string",
    "code": "string",
    "text": "string",
    "because_of": "string",
    "rr": "double",
    "rr_low": "double",
    "rr_high": "double",
    "persons": "long",
    "median_days": "double",
    "replicated": "boolean",
}
"""One row a code that tends to follow: relative risk, 95 % interval, persons behind it."""

USED = ("code_a", "code_b", "text_b", "rr", "rr_low", "rr_high", "O", "lag_q50", "replicated_person")
SYSTEMS_WITH_LEVELS = ("ICD10", "ATC", "SKS")


class PatternSet:
    """Says what tends to come next; made of checked, significant patterns alone."""

    def __init__(self, patterns: pd.DataFrame) -> None:
        self._by_first = {str(code): rows for code, rows in patterns.groupby("code_a", observed=True)}

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """The codes that tend to follow, for each person, strongest lower limit first.

        Codes the person already has are left out; of several patterns that lead to one code, the one with the
        highest lower limit is given. A code deeper than the patterns' level is taken at that level.
        """
        found = [
            self._next(person, set(codes["code"].astype(str)))
            for person, codes in model_input.groupby("person")
        ]
        found = [frame for frame in found if len(frame)]
        if not found:
            return pd.DataFrame({name: pd.Series(dtype=_pandas_type(kind)) for name, kind in OUTPUT.items()})
        return pd.concat(found, ignore_index=True).astype(
            {name: _pandas_type(kind) for name, kind in OUTPUT.items()}
        )

    def level(self, code: str) -> str | None:
        """The code the patterns know this one by: itself, or its longest known beginning."""
        system, separator, rest = code.partition("//")
        shortest = 3 if system in SYSTEMS_WITH_LEVELS else len(rest)
        for length in range(len(rest), shortest - 1, -1):
            if (candidate := system + separator + rest[:length]) in self._by_first:
                return candidate
        return None

    def _next(self, person: object, codes: set[str]) -> pd.DataFrame:
        known = {level for code in codes if (level := self.level(code))}
        had = codes | known
        rows = [self._by_first[code] for code in sorted(known)]
        if not rows:
            return pd.DataFrame()
        following = pd.concat(rows)
        held = following["code_b"].map(lambda b: any(code.startswith(str(b)) for code in had)).astype(bool)
        following = following[~held & (following["rr"] > 1)].sort_values("rr_low", ascending=False)
        following = following.drop_duplicates("code_b")
        return pd.DataFrame(
            {
                "person": str(person),
                "code": following["code_b"].astype(str),
                "text": following["text_b"].astype(str),
                "because_of": following["code_a"].astype(str),
                "rr": following["rr"],
                "rr_low": following["rr_low"],
                "rr_high": following["rr_high"],
                "persons": following["O"],
                "median_days": following["lag_q50"],
                "replicated": following["replicated_person"],
            }
        )


def _pandas_type(kind: str) -> str:
    return {"string": "object", "double": "float64", "long": "int64", "boolean": "boolean"}[kind]


def _load_pyfunc(path: str) -> PatternSet:
    """Load a stored model: ``path`` is its parquet file, or the folder that holds it."""
    source = Path(path)
    return PatternSet(pd.read_parquet(source / "patterns.parquet" if source.is_dir() else source))
