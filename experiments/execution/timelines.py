"""What every job on timelines begins with: its codes, its persons behind a runner of passes, and the origin of its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from experiments.execution.codes import MinedCodes, mined_codes
from experiments.execution.over_spark import COLUMNS, OverSpark
from experiments.products.patterns import PatternMeta
from lakehouse.errors import DataError, UsageError
from lakehouse.progress import current

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from lakehouse.study.session import Study


VOCABULARY = ("code_id", "code", "domain", "text", "level")
READS = {"gold.timeline": list(COLUMNS), "gold.vocabulary": list(VOCABULARY)}
"""Tables and columns a job on timelines reads."""
READS_TO_LAST_DAY = {**READS, "gold.timeline": [*COLUMNS, "last_day"]}
"""The same for a job that also asks until when the data reach."""


@dataclass(frozen=True)
class Timelines:
    """A study's timelines at one level of its vocabulary.

    ``frame`` holds one row a person, ``vocabulary`` one row a code as it stands in the lake, ``codes`` what they are
    mined as; ``steps`` names counting passes in plain words for the progress line.
    """

    frame: DataFrame
    codes: MinedCodes
    vocabulary: pa.Table
    steps: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def run_pass(self) -> OverSpark:
        """Runs counting passes over all timelines; the persons stay in memory between passes where they fit."""
        return OverSpark(self.frame, self.codes.code_map, self.watch)

    @cached_property
    def domains(self) -> list[str]:
        """The domain of each code mined, by its number; empty where the vocabulary tells none."""
        found = [""] * len(self.codes.names)
        numbers, domains = (self.vocabulary.column(name).to_pylist() for name in ("code_id", "domain"))
        for number, domain in zip(numbers, domains, strict=True):
            if (place := int(self.codes.code_map[number])) >= 0:
                found[place] = domain or ""
        return found

    @cached_property
    def last_day(self) -> int:
        """Last day of anybody's events, in days since 1970; needs ``READS_TO_LAST_DAY``.

        Raises :class:`DataError` where nobody is left to mine.
        """
        last = self.frame.selectExpr("max(last_day)").first()
        some_persons(last is not None and last[0] is not None)
        assert last is not None
        return int(last[0])

    def watch(self, step: str) -> AbstractContextManager[Any]:
        """Shows a pass by its plain name, with Spark's tasks counted."""
        return current().watch(self.steps.get(step, step), self.frame.sparkSession)

    def over_spark(self, only: list[int] | None = None) -> OverSpark:
        """Runs passes over the timelines, or those that hold one of the codes mined as ``only``."""
        timeline = self.frame
        if only is not None:
            ids = [n for n, number in enumerate(self.codes.code_map.tolist()) if number in set(only)]
            timeline = timeline.where(f"arrays_overlap(code, array({', '.join(map(str, ids)) or '-1'}))")
        return OverSpark(timeline, self.codes.code_map, self.watch)

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


def timelines(
    study: Study,
    level: str,
    steps: Mapping[str, str] | None = None,
    reads: Mapping[str, list[str]] = READS,
) -> Timelines:
    """Open the timelines of a study at a level of the vocabulary, with the columns of ``reads``."""
    vocabulary = study.table("gold.vocabulary", reads["gold.vocabulary"]).toArrow()
    frame = study.table("gold.timeline", reads["gold.timeline"])
    return Timelines(frame, mined_codes(vocabulary, level), vocabulary, steps or {})


def origin(study: Study, job: str, params: Any, asked: Sequence[str] | None = None) -> PatternMeta:
    """Where a job's table comes from; ``params`` is the job's dataclass.

    ``asked`` names the parameters that decide what is tested, by which the ledger of hypotheses knows a repeated search;
    all of them unless said otherwise.
    """
    return PatternMeta(
        job=job,
        study=study.id,
        permit=study.permit.permit_id,
        seed=study.seed,
        data_versions={name: version for name, version in study.versions.items() if name in READS},
        params={name: getattr(params, name) for name in asked} if asked is not None else asdict(params),
    )


def at_least_floor(name: str, persons: int, floor: int) -> None:
    """Refuse a support under the permit's small-cell floor.

    Raises :class:`UsageError` where ``persons``, the parameter ``name``, lies under ``floor``.
    """
    if persons < floor:
        raise UsageError(
            f"{name}={persons} is under the permit's floor of {floor}.",
            "A pattern of fewer persons could never be shown.",
            f"Use at least {floor}.",
        )


def some_persons(persons: float) -> None:
    """Refuse a study in which nobody is left (``persons`` is 0 or false).

    Raises :class:`DataError` there.
    """
    if not persons:
        raise DataError(
            "The study has no timeline to mine.",
            "No person with dated events is left under the permit's population, period and opt-outs.",
            "Widen the study, or ingest a delivery.",
        )


def in_words(days: int) -> str:
    """A window as a reader says it."""
    years = days / 365.25
    return f"{years:.0f} years" if days >= 700 and abs(years - round(years)) < 0.01 else f"{days} days"
