"""What every job on timelines begins with: its codes, its persons behind a carrier, and the origin of its table."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from experiments.mining.carrier import COLUMNS, OverSpark
from experiments.mining.codes import MinedCodes, mined_codes
from experiments.patterns import PatternMeta
from lakehouse.errors import DataError, UsageError
from lakehouse.progress import current

if TYPE_CHECKING:
    from lakehouse.study import Study

VOCABULARY = ("code_id", "code", "domain", "text", "level")
READS = {"gold.timeline": list(COLUMNS), "gold.vocabulary": list(VOCABULARY)}
"""Tables and columns a job on timelines reads."""


@dataclass(frozen=True)
class Timelines:
    """A study's timelines: ``run_pass`` carries a pass over them, ``domains`` holds the domain of each code."""

    codes: MinedCodes
    domains: list[str]
    run_pass: OverSpark


def timelines(study: Study, level: str, steps: Mapping[str, str] | None = None) -> Timelines:
    """Open the timelines of a study at a level of the vocabulary; ``steps`` names passes for the progress line."""
    vocabulary = study.table("gold.vocabulary", list(VOCABULARY)).toArrow()
    codes = mined_codes(vocabulary, level)
    domains = [""] * len(codes.names)
    for number, domain in zip(
        *(vocabulary.column(name).to_pylist() for name in ("code_id", "domain")), strict=True
    ):
        if (place := int(codes.code_map[number])) >= 0:
            domains[place] = domain or ""
    frame = study.table("gold.timeline", list(COLUMNS))
    told = steps or {}

    def watch(name: str) -> AbstractContextManager[Any]:
        return current().watch(told.get(name, name), frame.sparkSession)

    return Timelines(codes, domains, OverSpark(frame, codes.code_map, watch))


def origin(study: Study, job: str, params: Any) -> PatternMeta:
    """Where a job's table comes from; ``params`` is the job's dataclass."""
    return PatternMeta(
        job=job,
        study=study.id,
        permit=study.permit.permit_id,
        seed=study.seed,
        data_versions={name: version for name, version in study.versions.items() if name in READS},
        params=asdict(params),
    )


def at_least_floor(name: str, persons: int, floor: int) -> None:
    """Refuse a support under the permit's small-cell floor."""
    if persons < floor:
        raise UsageError(
            f"{name}={persons} is under the permit's floor of {floor}.",
            "A pattern of fewer persons could never be shown.",
            f"Use at least {floor}.",
        )


def some_persons(persons: int) -> None:
    """Refuse a study without timelines."""
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
