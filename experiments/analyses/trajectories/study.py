"""Trajectories over a study: links by the pair scan, paths counted on Spark, named and described."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.analyses.trajectories.scan import Steps, find_trajectories
from experiments.execution.timelines import READS, at_least_floor, in_words, origin, some_persons, timelines
from experiments.findings import Findings
from experiments.kernels.design import PairScanSettings
from experiments.kernels.trajectories import LONGEST
from experiments.products.base import Calibration
from experiments.products.patterns import Patterns
from experiments.products.search import Search
from lakehouse.errors import UsageError

if TYPE_CHECKING:
    from lakehouse.study.session import Study

STEPS = {
    "ReferencePass": "what usually follows in each stratum",
    "PairPass": "what followed each code",
    "SignificantPass": "a closer look at the links",
    "SpanPass": "until when persons were seen",
    "PathPass": "who walked which path",
}


@dataclass(frozen=True)
class TrajectoryParams:
    """What a search for trajectories needs to know; a job's own dataclass has these fields."""

    horizon_days: int = 1826
    support: int = 20
    longest: int = LONGEST
    level: str = "default"
    q_level: float = 0.05


def mine(study: Study, params: Any, *, job: str) -> Findings:
    """All trajectories of the study with enough persons.

    Raises :class:`UsageError` for parameters without meaning, :class:`DataError` for a study without timelines.
    """
    at_least_floor("support", params.support, study.permit.min_cell)
    if params.horizon_days < 1 or not 0 < params.q_level < 1 or not 2 <= params.longest <= LONGEST:
        raise UsageError(
            f"horizon_days starts at 1, q_level lies between 0 and 1, longest in 2 to {LONGEST}.",
            "",
            "Correct --set.",
        )
    read = timelines(study, params.level, STEPS)
    names = read.codes.names
    found = find_trajectories(
        read.run_pass,
        PairScanSettings(n_codes=len(names), horizon_days=params.horizon_days),
        Steps(params.support, params.longest, params.q_level, params.support),
        terminal=read.codes.terminal,
        contacts=read.codes.contacts,
        family=read.codes.family,
        seed=study.seed,
    )
    some_persons(found.pairs.persons)
    meta = origin(study, job, params)
    search = Search(
        codes=len(names),
        rule=f"a q-value of at most {params.q_level:g} and at least {params.support} persons",
        window=in_words(params.horizon_days),
        calibration=Calibration(*found.pairs.null),
        metrics={
            "links": found.links,
            "pairs.tested": found.pairs.tested,
            "pairs.significant": found.pairs.significant,
        },
    )
    patterns = Patterns.from_scan(
        found.table,
        names,
        read.codes.texts,
        meta,
        kind="trajectory",
        search=search,
    )
    return Findings(
        products=(patterns,),
        persons=found.pairs.persons,
        remarks=(
            f"Links are the {found.links:,} pairs of the pair scan that are significant, more often than expected, "
            "forward in time and found again in the locked half; a path is made of links alone.",
        ),
    )


__all__ = ["READS", "TrajectoryParams", "mine"]
