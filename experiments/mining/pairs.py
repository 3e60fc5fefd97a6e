"""The pair scan over a study: read its codes and timelines, run the passes on Spark, name what comes out."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from experiments.findings import Findings
from experiments.kernels.pair_scan import PairScanSettings
from experiments.mining.carrier import COLUMNS, OverSpark, Watch
from experiments.mining.codes import mined_codes
from experiments.mining.kept import recounted
from experiments.mining.pair_again import ask_again
from experiments.mining.pair_follow_up import enrich
from experiments.mining.pair_places import PLACES
from experiments.mining.pair_sites import SITES
from experiments.pair_scan import ALL_AT_ONCE, scan
from experiments.patterns import PatternMeta, Patterns
from lakehouse.errors import DataError, UsageError
from lakehouse.progress import current

if TYPE_CHECKING:
    from lakehouse.study import Study

STEPS = {
    "MonthPass": "breaks in coding by month",
    "PlaceCounts": "breaks in coding by place and month",
    "CompetingPass": "following the called pairs until death or the end of observation",
    "ReferencePass": "pass 1 of 3: what usually follows in each stratum",
    "PairPass": "pass 2 of 3: what followed each code",
    "FingerprintPass": "whose timelines changed since the last run",
    "ChosenPass": "fetching the timelines that changed",
    "BarredPass": "counting so that the counts can be kept",
    "CalledPass": "pass 3 of 3: a closer look at what was called",
}


class Params(Protocol):
    """What the scan needs to know; a job's own dataclass has these fields."""

    @property
    def horizon_days(self) -> int:
        """Days after the exposure in which the outcome counts."""

    @property
    def min_persons(self) -> int:
        """A code with fewer persons is not tested; at least the permit's small-cell floor."""

    @property
    def level(self) -> str:
        """Level of the vocabulary, see :mod:`lakehouse.levels`."""

    @property
    def q_level(self) -> float:
        """False discovery rate at which a pair is called."""


@dataclass(frozen=True)
class PairParams:
    """The defaults of the pair scan."""

    horizon_days: int = 1826
    min_persons: int = 5
    level: str = "default"
    q_level: float = 0.05


def scan_pairs(study: Study, params: Params, *, job: str = "mine_pairs") -> Findings:
    """Every ordered pair of codes of the study's timelines: counted, expected, tested, the called ones looked at closer.

    Raises :class:`UsageError` for parameters without meaning, :class:`DataError` for a study without timelines.
    """
    _sensible(params, study.permit.min_cell)
    study.require(_read_besides(params))
    wanted = ["code_id", "code", "domain", "text", "level"]
    codes = mined_codes(study.table("gold.vocabulary", wanted).toArrow(), params.level)
    timeline = study.table("gold.timeline", list(COLUMNS))
    over = OverSpark(timeline, codes.code_map, watch_on(timeline.sparkSession))
    washout = getattr(params, "washout_days", 0)
    options = PairScanSettings(
        n_codes=len(codes.names), horizon_days=params.horizon_days, washout_days=washout
    )
    asked: dict[str, Any] = {
        "terminal": codes.terminal,
        "min_persons": params.min_persons,
        "level": params.q_level,
        "family": codes.family,
    }
    kept = None
    if getattr(params, "keep", False) and not study.rules.cut:
        kept = recounted(study, over, codes.names, options, params.level)
    memory = study.settings.counter_memory
    found = scan(kept.run_pass if kept else over, options, memory=ALL_AT_ONCE if kept else memory, **asked)
    if not found.persons:
        raise DataError(
            "The study has no timeline to mine.",
            "No person with dated events is left under the permit's population, period and opt-outs.",
            "Widen the study, or ingest a delivery.",
        )
    if kept:
        kept.save()
    table, remarks = ask_again(study, over, timeline, options, found.table, params, asked)
    meta = PatternMeta(
        job=job,
        study=study.id,
        permit=study.permit.permit_id,
        seed=study.seed,
        data_versions={name: version for name, version in study.versions.items() if name in READS},
        params={name: getattr(params, name) for name in ("horizon_days", "min_persons", "level", "q_level")}
        | ({"washout_days": washout} if washout else {}),
    )
    found_more = enrich(study, over, timeline, codes, table, params)
    return Findings(
        patterns=Patterns.from_scan(found_more.table, codes.names, codes.texts, meta),
        null=found.null,
        persons=found.persons,
        codes=len(codes.names),
        rule=f"a q-value of at most {params.q_level:g}",
        window=_in_words(params.horizon_days),
        metrics={"exposures": found.exposures, "strata": found.strata, "codes.broken": found_more.broken},
        remarks=(*((kept.remark,) if kept else ()), *remarks, *found_more.remarks),
    )


READS = {"gold.timeline": list(COLUMNS), "gold.vocabulary": ["code_id", "code", "domain", "text", "level"]}
"""Tables and columns the scan reads."""


def _read_besides(params: Params) -> dict[str, list[str]]:
    """What parameters ask for that ``READS`` does not name, so that a missing grant is told before anything is counted."""
    besides: dict[str, list[str]] = {}
    for asked, reads in (("sites", SITES), ("artefacts_by_place", PLACES)):
        if getattr(params, asked, False):
            besides |= reads
    return besides


def watch_on(spark: Any) -> Watch:
    """Shows a pass by its plain name, with Spark's tasks counted."""

    def watch(name: str) -> AbstractContextManager[Any]:
        return current().watch(STEPS.get(name, name), spark)

    return watch


def _sensible(params: Params, floor: int) -> None:
    if params.min_persons < floor:
        raise UsageError(
            f"min_persons={params.min_persons} is under the permit's floor of {floor}.",
            "A pattern of fewer persons could never be shown.",
            f"Use at least {floor}.",
        )
    if params.horizon_days < 1 or not 0 < params.q_level < 1:
        raise UsageError("horizon_days starts at 1, and q_level lies between 0 and 1.", "", "Correct --set.")
    if getattr(params, "washout_days", 0) < 0:
        raise UsageError("washout_days starts at 0, which is no wash-out.", "", "Correct --set.")


def _in_words(days: int) -> str:
    years = days / 365.25
    return f"{years:.0f} years" if days >= 700 and abs(years - round(years)) < 0.01 else f"{days} days"
