"""Timelines of a study for jobs that look codes up by name, narrow persons, or need to know when the data end."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from experiments.mining.carrier import COLUMNS, OverSpark
from experiments.mining.codes import MinedCodes, mined_codes
from experiments.mining.pairs import watch_on
from experiments.mining.reading import VOCABULARY
from lakehouse.errors import DataError, UsageError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from lakehouse.study import Study

READS = {"gold.timeline": [*COLUMNS, "last_day"], "gold.vocabulary": list(VOCABULARY)}
"""Tables and columns such a job reads."""


class Frames(NamedTuple):
    """A study's timelines, its codes at the level mined and as they stand, and the last day of the data."""

    timeline: DataFrame
    codes: MinedCodes
    vocabulary: pa.Table
    last_day: int

    def carrier(self, only: list[int] | None = None) -> OverSpark:
        """Runs passes over the timelines, or those that hold one of the codes mined as ``only``."""
        timeline = self.timeline
        if only is not None:
            ids = [n for n, number in enumerate(self.codes.code_map.tolist()) if number in set(only)]
            timeline = timeline.where(f"arrays_overlap(code, array({', '.join(map(str, ids)) or '-1'}))")
        return OverSpark(timeline, self.codes.code_map, watch_on(self.timeline.sparkSession))

    def code(self, name: str, parameter: str) -> int:
        """Number of a code mined under ``name``; :class:`UsageError` where there is none."""
        if name not in self.codes.names:
            near = [each for each in self.codes.names if each.startswith(name)][:5]
            raise UsageError(
                f"No code is mined as {parameter} '{name}'.",
                "Codes are written system//code, at the level mined.",
                f"Near it: {', '.join(near)}." if near else f"Name another with --set {parameter}=CODE.",
            )
        return self.codes.names.index(name)

    def beginning(self, start: str, parameter: str) -> list[int]:
        """Numbers of the codes mined whose names begin so; :class:`UsageError` where there is none."""
        found = [number for number, name in enumerate(self.codes.names) if name.startswith(start)]
        if not found or not start:
            self.code(start, parameter)
        return found


def frames(study: Study, level: str) -> Frames:
    """Open what a job reads; :class:`DataError` where nobody is left to mine."""
    vocabulary = study.table("gold.vocabulary", READS["gold.vocabulary"]).toArrow()
    timeline = study.table("gold.timeline", READS["gold.timeline"])
    last = timeline.selectExpr("max(last_day)").first()
    if last is None or last[0] is None:
        raise DataError(
            "The study has no timeline to mine.",
            "No person with dated events is left under the permit's population, period and opt-outs.",
            "Widen the study, or ingest a delivery.",
        )
    return Frames(timeline, mined_codes(vocabulary, level), vocabulary, int(last[0]))
