"""Treatments that go with an outcome otherwise in some persons than in others, over a study's timelines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.execution.timelines import (
    READS,
    Timelines,
    at_least_floor,
    in_words,
    origin,
    some_persons,
    timelines,
)
from experiments.findings import Findings
from experiments.kernels.bands import banded
from experiments.kernels.care import CareCounts, CarePass
from experiments.kernels.design import PairScanSettings
from experiments.kernels.pairs.reference import ReferenceCounts, ReferencePass
from experiments.products.base import Calibration
from experiments.products.patterns import Patterns
from experiments.products.search import Search
from experiments.statistics.error_control.empirical_null import empirical_null
from experiments.statistics.error_control.replication import replicate
from experiments.statistics.observed_expected.unexpected_care import UnexpectedCare, unexpected
from lakehouse.errors import UsageError

if TYPE_CHECKING:
    from lakehouse.study.session import Study

__all__ = ["READS", "scan_care"]

TREATMENTS = ("ATC//", "SKS//K", "SKS//B")
"""How codes of treatments begin: medicines, operations, other treatment."""


class Params(Protocol):
    """What the job needs to know; a job's own dataclass has these fields."""

    outcomes: str
    treatments: int
    groups: int
    horizon_days: int
    min_persons: int
    level: str
    q_level: float


def scan_care(study: Study, params: Params, *, job: str = "mine_anomalous_care") -> Findings:
    """Every frequent treatment × earlier diagnosis × outcome: does it go otherwise than both alone let expect?

    Raises :class:`UsageError` for parameters without meaning or a study without treatments.
    """
    at_least_floor("min_persons", params.min_persons, study.permit.min_cell)
    if min(params.treatments, params.groups, params.horizon_days) < 1 or not 0 < params.q_level < 1:
        raise UsageError("Counts start at 1, and q_level lies between 0 and 1.", "", "Correct --set.")
    over = timelines(study, params.level)
    run = over.over_spark()
    settings = banded(run, PairScanSettings(len(over.codes.names), params.horizon_days))
    reference: ReferenceCounts = run(ReferencePass, {"settings": settings})
    some_persons(int(reference.persons.sum()))
    outcomes = sorted({n for start in params.outcomes.split(",") for n in over.beginning(start, "outcomes")})
    treatments, groups = _chosen(over, reference, outcomes, params)
    chosen = {
        "treatments": np.array(treatments, np.int32),
        "groups": np.array(groups, np.int32),
        "outcomes": np.array(outcomes, np.int32),
    }
    counts: CareCounts = run(CarePass, {"settings": settings, "reference": reference, **chosen})
    found = unexpected(*counts.figures(), params.min_persons)
    table = care_table(counts, found, chosen, params)
    search = Search(
        codes=len(over.codes.names),
        rule=f"a q-value of at most {params.q_level:g}",
        window=in_words(params.horizon_days),
        calibration=Calibration(*empirical_null(found.z[found.tested & (found.expected >= 5)])),
        metrics={"treatments": len(treatments), "groups": len(groups), "outcomes": len(outcomes)},
    )
    patterns = Patterns.from_scan(
        table,
        over.codes.names,
        over.codes.texts,
        origin(study, job, params),
        kind="care",
        search=search,
    )
    return Findings(
        products=(patterns,),
        persons=int(reference.persons.sum()),
    )


def _chosen(
    over: Timelines, reference: ReferenceCounts, outcomes: list[int], params: Params
) -> tuple[list[int], list[int]]:
    """The treatments and the earlier diagnoses that most persons have."""
    persons = reference.persons_with()
    frequent = [int(n) for n in np.argsort(-persons, kind="stable") if persons[n] >= params.min_persons]
    free = [n for n in frequent if n not in outcomes and n not in over.codes.terminal]
    treatments = [n for n in free if over.codes.names[n].startswith(TREATMENTS)]
    groups = [n for n in free if n not in set(treatments)]
    if not treatments or not groups:
        raise UsageError(
            "The study has no treatments, or nothing else, that enough persons have.",
            f"Codes of treatments begin with {', '.join(TREATMENTS)}.",
            "Lower min_persons, or mine another study.",
        )
    return sorted(treatments[: params.treatments]), sorted(groups[: params.groups])


def care_table(
    counts: CareCounts, found: UnexpectedCare, chosen: dict[str, NDArray[np.int32]], params: Params
) -> pa.Table:
    """One row a treatment, earlier diagnosis and outcome at least one person is at risk in; a: treatment, b: outcome."""
    at_risk, observed, _, _ = counts.figures()
    wanted = at_risk > 0
    wanted[:, 0] = False
    t, g, y = np.nonzero(wanted)
    significant = wanted & (np.nan_to_num(found.q_bh, nan=1.0) <= params.q_level)
    opened = unexpected(*counts.figures(0), max(params.min_persons // 2, 1))
    locked = unexpected(*counts.figures(1), max(params.min_persons // 2, 1))
    more = opened.ratio[wanted] > 1
    zero = np.zeros(len(t))
    sums = [counts.figures(1).observed[wanted], locked.expected[wanted], zero, locked.variance[wanted], zero]
    candidate = np.nan_to_num(opened.q_bh[wanted], nan=1.0) <= params.q_level
    verdict = replicate(np.stack(sums, axis=1).astype(float), more, candidate, params.q_level)
    groups, whole = chosen["groups"], at_risk[:, 0]
    figures = {"E": found.expected, "V": found.variance, "rr": found.ratio, "rr_low": found.low}
    figures |= {"rr_high": found.high, "z": found.z, "log10_p": found.log10_p}
    figures |= {"q_bh": found.q_bh, "q_by": found.q_by}
    columns = {name: values[wanted] for name, values in figures.items()}
    return pa.table(
        {
            "code_a": pa.array(chosen["treatments"][t]),
            "code_b": pa.array(chosen["outcomes"][y]),
            "items": pa.array([[int(groups[at - 1])] for at in g], pa.list_(pa.int32())),
            "n_a": pa.array(whole[t, y].astype(np.int32)),
            "n_person": pa.array(at_risk[wanted].astype(np.int32)),
            "O": pa.array(observed[wanted].astype(np.int32)),
            **{name: pa.array(values, mask=~np.isfinite(values)) for name, values in columns.items()},
            "tested": pa.array(found.tested[wanted]),
            "called": pa.array(significant[wanted]),
            "replicated_person": pa.array(verdict == 1, mask=verdict < 0),
        }
    )
