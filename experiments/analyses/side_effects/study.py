"""Side effects over a study: which codes are medicines and which events, designs counted on Spark, named and described."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.analyses.side_effects.branches import with_branches
from experiments.analyses.side_effects.designs import PIECES, SideEffectSettings, find_side_effects
from experiments.execution.timelines import READS, at_least_floor, in_words, origin, some_persons, timelines
from experiments.findings import Findings
from experiments.kernels.design import PairScanSettings
from experiments.products.base import Calibration
from experiments.products.patterns import Patterns
from experiments.products.search import Search
from experiments.statistics.designs.negative_controls import Scatter
from lakehouse.errors import DataError, UsageError

if TYPE_CHECKING:
    from lakehouse.study.session import Study

MEDICINES = "medicine"
NO_EVENTS = frozenset({MEDICINES, "contact", "cost", "administrative"})
"""Domains that are no outcome of a medicine."""

STEPS = {
    "ReferencePass": "what usually follows in each stratum",
    "PairPass": "what followed each code",
    "SignificantPass": "a closer look at what was significant",
    "SpanPass": "until when persons were seen",
    "ReactionPass": "what happened around each first dispensing",
    "CasePass": "the cases of the shortlist",
}


@dataclass(frozen=True)
class SideEffectParams:
    """What a search for side effects needs to know; a job's own dataclass has these fields."""

    horizon_days: int = 365
    order_days: int = 365
    trend_days: int = 365
    risk_days: int = 30
    min_persons: int = 20
    level: str = "default"
    q_level: float = 0.05


def mine(study: Study, params: Any, *, job: str) -> Findings:
    """All medicine-event pairs of the study by all designs.

    Raises :class:`UsageError` for parameters without meaning, :class:`DataError` for a study without medicines.
    """
    at_least_floor("min_persons", params.min_persons, study.permit.min_cell)
    ends = [last for _, last in PIECES[:-1]]
    if params.risk_days not in ends or min(params.horizon_days, params.order_days, params.trend_days) < 1:
        raise UsageError(
            f"risk_days is one of {ends}; horizon, order and trend start at 1 day.", "", "Correct --set."
        )
    read = timelines(study, params.level, STEPS)
    names = read.codes.names
    medicines = tuple(k for k, domain in enumerate(read.domains) if domain == MEDICINES)
    events = tuple(k for k, domain in enumerate(read.domains) if domain not in NO_EVENTS)
    if not medicines or not events:
        raise DataError(
            f"The study's codes hold {len(medicines)} medicines and {len(events)} events.",
            "A side effect needs one of each (domain 'medicine' in gold.vocabulary).",
            "Widen the permit, or ingest dispensings.",
        )
    found = find_side_effects(
        read.run_pass,
        PairScanSettings(n_codes=len(names), horizon_days=params.horizon_days),
        SideEffectSettings(
            medicines,
            events,
            params.order_days,
            params.trend_days,
            params.risk_days,
            params.min_persons,
            params.q_level,
        ),
        terminal=read.codes.terminal,
        family=read.codes.family,
        seed=study.seed,
        memory=study.settings.counter_memory,
    )
    some_persons(found.pairs.persons)
    table, names = with_branches(found.table, names, params.q_level, study.seed)
    texts = [*read.codes.texts, *[""] * (len(names) - len(read.codes.texts))]
    search = Search(
        codes=len(read.codes.names),
        rule=f"a q-value of at most {params.q_level:g} that two of three designs see it",
        window=in_words(params.horizon_days),
        calibration=Calibration(*found.pairs.null),
        metrics={"controls.mean": found.scatter.mean, "controls.sd": found.scatter.sd},
    )
    patterns = Patterns.from_scan(
        table,
        names,
        texts,
        origin(study, job, params),
        kind="side_effect",
        search=search,
    )
    return Findings(
        products=(patterns,),
        persons=found.pairs.persons,
        remarks=(control_sentence(found.scatter),),
    )


def control_sentence(scatter: Scatter) -> str:
    """What the negative controls say, in a sentence."""
    return (
        f"Negative controls (the same pairs with every start moved within its year; {scatter.controls:,} with enough "
        f"persons) have a log sequence ratio of {scatter.mean:+.3f} on average, with a systematic standard "
        f"deviation of {scatter.sd:.3f}; the calibrated p says how far a pair rises above that."
    )


__all__ = ["READS", "SideEffectParams", "mine"]
