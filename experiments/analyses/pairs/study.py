"""The pair scan over a study: read its codes and timelines, run the passes on Spark, name what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from experiments.analyses.pairs.follow_up import OBSERVATION, ask_again, enrich
from experiments.analyses.pairs.incremental import recounted
from experiments.analyses.pairs.reads import PLACES, SITES
from experiments.analyses.pairs.scan import ALL_AT_ONCE, LEAST_OVERLAP, scan
from experiments.execution.timelines import READS, at_least_floor, in_words, origin, some_persons, timelines
from experiments.findings import Findings
from experiments.kernels.design import PairScanSettings
from experiments.products.base import Calibration
from experiments.products.patterns import Patterns
from experiments.products.search import Search
from lakehouse.errors import UsageError

if TYPE_CHECKING:
    from lakehouse.study.session import Study

STEPS = {
    "MonthPass": "breaks in coding by month",
    "PlaceCounts": "breaks in coding by place and month",
    "CompetingPass": "following the significant pairs until death or the end of observation",
    "PriorPass": "cutting bands of earlier events",
    "ReferencePass": "pass 1 of 3: what usually follows in each stratum",
    "PairPass": "pass 2 of 3: what followed each code",
    "FingerprintPass": "whose timelines changed since the last run",
    "ChosenPass": "fetching the timelines that changed",
    "NoLongerAtRiskPass": "counting so that later runs can add to the counts",
    "SignificantPass": "pass 3 of 3: a closer look at what was significant",
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
        """Level of the vocabulary, see :mod:`lakehouse.gold.levels`."""

    @property
    def q_level(self) -> float:
        """False discovery rate at which a pair is significant."""


@dataclass(frozen=True)
class PairParams:
    """The defaults of the pair scan."""

    horizon_days: int = 1826
    min_persons: int = 5
    level: str = "default"
    q_level: float = 0.05


def scan_pairs(study: Study, params: Params, *, job: str = "mine_pairs") -> Findings:
    """Every ordered pair of codes of the study's timelines: counted, expected and tested; significant ones looked at closer.

    Raises :class:`UsageError` for parameters without meaning, :class:`DataError` for a study without timelines.
    """
    _sensible(params, study.permit.min_cell)
    study.require(reads_of(params))
    opened = timelines(study, params.level, STEPS)
    over, timeline, codes = opened.run_pass, opened.frame, opened.codes
    washout = getattr(params, "washout_days", 0)
    options = PairScanSettings(
        n_codes=len(codes.names), horizon_days=params.horizon_days, washout_days=washout
    )
    asked: dict[str, Any] = {
        "terminal": codes.terminal,
        "contacts": codes.contacts,
        "min_persons": params.min_persons,
        "level": params.q_level,
        "family": codes.family,
    }
    incremental = None
    if getattr(params, "keep", False) and not study.rules.cut:
        incremental = recounted(study, over, codes.names, options, params.level)
    memory = study.settings.counter_memory
    found = scan(
        incremental.run_pass if incremental else over,
        incremental.settings if incremental else options,
        memory=ALL_AT_ONCE if incremental else memory,
        **asked,
    )
    some_persons(found.persons)
    if incremental:
        incremental.save()
    table, remarks = ask_again(study, over, timeline, found.settings, found.table, params, asked)
    found_more = enrich(study, over, timeline, codes, table, params)
    search = Search(
        codes=len(codes.names),
        rule=f"a q-value of at most {params.q_level:g}",
        window=in_words(params.horizon_days),
        calibration=Calibration(*found.null),
        metrics={
            "exposures": found.exposures,
            "strata": found.strata,
            "bands": len(found.settings.prior_cuts),
            "codes.broken": found_more.broken,
            "codes.not_comparable": len(found.not_comparable),
            "codes.contacts": len(codes.contacts),
        },
        bands=found.settings.prior_cuts,
    )
    pairs = Patterns.from_scan(
        found_more.table, codes.names, codes.texts, origin(study, job, params, _asked(params)), search=search
    )
    return Findings(
        products=(pairs,),
        persons=found.persons,
        remarks=(
            *((incremental.remark,) if incremental else ()),
            *not_compared(found.not_comparable, codes.names),
            *remarks,
            *found_more.remarks,
        ),
    )


_NAMED = 10


def not_compared(codes: Sequence[int], names: Sequence[str]) -> tuple[str, ...]:
    """What to say of codes that cannot be compared with anything; nothing where there are none."""
    if not codes:
        return ()
    shown = ", ".join(names[code] for code in codes[:_NAMED])
    more = f" and {len(codes) - _NAMED:,} more" if len(codes) > _NAMED else ""
    return (
        f"Not comparable: {len(codes):,} {'code' if len(codes) == 1 else 'codes'} ({shown}{more}). On days comparable with "
        f"theirs, under {100 * LEAST_OVERLAP:.0f} % of what is expected comes from persons without the code, so no pair "
        "that begins with one was tested. That none of these is significant says nothing.",
    )


def reads_of(params: Params) -> dict[str, list[str]]:
    """Columns by table that the scan reads with these parameters; a parameter a job does not have counts as off."""
    found = {table: list(columns) for table, columns in READS.items()}
    for asked, more in (("sites", SITES), ("artefacts_by_place", PLACES), ("emigration", OBSERVATION)):
        if getattr(params, asked, False):
            for table, columns in more.items():
                found[table] = [*dict.fromkeys([*found.get(table, []), *columns])]
    return found


def _asked(params: Params) -> list[str]:
    """The parameters that decide what is tested: the others look closer at what was found."""
    washout = ["washout_days"] if getattr(params, "washout_days", 0) else []
    return ["horizon_days", "min_persons", "level", "q_level", *washout]


def _sensible(params: Params, floor: int) -> None:
    at_least_floor("min_persons", params.min_persons, floor)
    if params.horizon_days < 1 or not 0 < params.q_level < 1:
        raise UsageError("horizon_days starts at 1, and q_level lies between 0 and 1.", "", "Correct --set.")
    if getattr(params, "washout_days", 0) < 0:
        raise UsageError("washout_days starts at 0, which is no wash-out.", "", "Correct --set.")


__all__ = ["READS", "PairParams", "reads_of", "scan_pairs"]
