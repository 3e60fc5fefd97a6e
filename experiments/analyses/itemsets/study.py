"""Significant sets and sequences over a study: histories before a landmark collected on Spark, searched on the driver."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.analyses.itemsets.significance import (
    SearchSettings,
    SignificantSets,
    significant_itemsets,
    significant_sequences,
)
from experiments.execution.timelines import READS, Timelines, at_least_floor, origin, some_persons, timelines
from experiments.findings import Findings
from experiments.kernels.histories import Histories, HistoryPass, Landmark, in_bands
from experiments.kernels.sequences import ANY, Limits
from experiments.kernels.spans import SpanPass
from experiments.products.patterns import Patterns
from experiments.products.search import Search
from lakehouse.errors import DataError, UsageError

if TYPE_CHECKING:
    from lakehouse.study.session import Study

STEPS = {
    "SpanPass": "from when to when persons were seen",
    "HistoryPass": "what persons had before the landmark",
}
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class LandmarkDescription:
    """The landmark in words."""

    landmark: Landmark
    outcome: str

    @property
    def window(self) -> str:
        """History and outcome as days from the landmark."""
        return f"-{self.landmark.lookback} to -1, outcome 1 to {self.landmark.horizon}"


def mine_sets(study: Study, params: Any, *, job: str) -> Findings:
    """Sets of events before a landmark that go with the outcome after it."""
    read, about, histories = _histories(study, params)
    wanted = _wanted(params, study.permit.min_cell)
    found = significant_itemsets(histories, len(read.codes.names), wanted, study.seed, about.window)
    return _findings(study, params, job, read, about, found, "itemset")


def mine_orders(study: Study, params: Any, *, job: str) -> Findings:
    """Sequences of events before a landmark that go with the outcome after it."""
    read, about, histories = _histories(study, params)
    limits = Limits(params.least_gap, params.most_gap or ANY, params.most_span or ANY, params.longest)
    wanted = _wanted(params, study.permit.min_cell)
    found = significant_sequences(histories, len(read.codes.names), wanted, limits, study.seed, about.window)
    return _findings(study, params, job, read, about, found, "sequence")


def _wanted(params: Any, floor: int) -> SearchSettings:
    if params.support:
        at_least_floor("support", params.support, floor)
    return SearchSettings(
        params.support,
        max(floor, 20),
        params.longest,
        params.top,
        params.closed,
        params.q_level,
        params.draws,
    )


def _histories(study: Study, params: Any) -> tuple[Timelines, LandmarkDescription, Histories]:
    """What everybody had before the landmark."""
    if min(params.lookback_days, params.horizon_days, params.longest) < 1 or not 0 < params.q_level < 1:
        raise UsageError(
            "Days and lengths start at 1, and q_level lies between 0 and 1.", "", "Correct --set."
        )
    if params.draws < 1 / params.q_level:
        raise UsageError(
            f"draws={params.draws} shuffles can give no adjusted p under {1 / (params.draws + 1):.3f}.",
            "The smallest adjusted p is one over the draws.",
            f"Use at least {round(20 / params.q_level)}.",
        )
    read = timelines(study, params.level, STEPS)
    names = read.codes.names
    if params.outcome not in names:
        near = [name for name in names if params.outcome.rpartition("//")[2][:3] in name][:5]
        raise UsageError(
            f"There is no outcome '{params.outcome}' in this study at level '{params.level}'.",
            "The outcome is a code written system//code.",
            f"Near: {', '.join(near) or 'none'}; see gold.vocabulary.",
        )
    span = read.run_pass(SpanPass, {})
    some_persons(span.persons)
    outcome = names.index(params.outcome)
    day = _day(params.landmark) if params.landmark else (span.first_day + span.last_day) // 2
    landmark = Landmark(
        day, params.lookback_days, params.horizon_days, outcome, read.codes.terminal, params.most_codes
    )
    kept = np.ones(len(names), bool)
    kept[[outcome, *read.codes.terminal]] = False
    histories = in_bands(read.run_pass(HistoryPass, {"landmark": landmark, "kept": kept}))
    if not histories.persons or not histories.label.any():
        raise DataError(
            f"Nobody at risk on {_date(day)} had {params.outcome} in the {params.horizon_days} days after.",
            "Without outcomes nothing can be compared.",
            "Choose another outcome, landmark or horizon.",
        )
    return read, LandmarkDescription(landmark, params.outcome), histories


def _findings(
    study: Study,
    params: Any,
    job: str,
    read: Timelines,
    about: LandmarkDescription,
    found: SignificantSets,
    kind: str,
) -> Findings:
    meta = origin(study, job, params)
    least = study.permit.min_cell
    capped = f" {found.capped:,} persons with more than {params.most_codes} codes are left out."
    capped = capped if found.capped >= least else ""
    alike = (
        f" {found.alike:,} patterns are about the same persons as another of the table, since their codes always come "
        "together, and have its figures; each such group of persons was tested once."
        if found.alike
        else ""
    )
    alike += f" {found.left_out:,} more such patterns have no room in the table." if found.left_out else ""
    search = Search(
        codes=len(read.codes.names),
        rule=f"an adjusted p of at most {params.q_level:g}, over everything tested",
        window=about.window,
        metrics={"support": found.support, "outcomes": found.outcomes},
    )
    patterns = Patterns.from_scan(
        found.table,
        read.codes.names,
        read.codes.texts,
        meta,
        kind=kind,
        search=search,
    )
    return Findings(
        products=(patterns,),
        persons=found.persons,
        remarks=(
            f"The landmark is {_date(about.landmark.day)}: everybody seen before and without the outcome {about.outcome} "
            f"until then. Patterns of at least {found.support:,} persons were searched.{capped}{alike}",
        ),
    )


def _day(text: str) -> int:
    try:
        return (date.fromisoformat(text) - EPOCH).days
    except ValueError as error:
        raise UsageError(
            f"'{text}' is no date.", "The landmark is a day, 2021-01-01.", "Correct --set."
        ) from error


def _date(day: int) -> str:
    return date.fromordinal(EPOCH.toordinal() + day).isoformat()


__all__ = ["READS", "mine_orders", "mine_sets"]
