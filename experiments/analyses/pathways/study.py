"""The pathways of a study: mapped, counted, compared by what came afterwards, as one result table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa

from experiments.analyses.pathways import counts as pathways
from experiments.analyses.pathways.cases import (
    COLUMNS,
    Frame,
    cases,
    compared_counts,
    features,
    in_bands,
    log_of,
)
from experiments.analyses.pathways.effects import Effects, feature_effects
from experiments.execution.codes import MinedCodes
from experiments.execution.timelines import VOCABULARY, at_least_floor, origin, timelines
from experiments.findings import Findings
from experiments.products.patterns import Patterns
from experiments.products.search import Search
from lakehouse.errors import DataError, UsageError
from lakehouse.progress import current

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from lakehouse.study.session import Study

READS = {"gold.timeline": list(COLUMNS), "gold.vocabulary": list(VOCABULARY)}
"""Tables and columns the job reads."""

LAGS = ("lag_q05", "lag_q25", "lag_q50", "lag_q75", "lag_q95")


class Params(Protocol):
    """What the job needs to know; a job's own dataclass has these fields."""

    start: str
    outcome: str
    window_days: int
    outcome_days: int
    activities: int
    min_persons: int
    level: str
    q_level: float


def scan_pathways(study: Study, params: Params, *, job: str = "mine_pathways") -> Findings:
    """Pathways from the first ``start`` code on: their map, repeats and courses, and what came afterwards.

    Raises :class:`UsageError` for parameters without meaning, :class:`DataError` where no pathway begins.
    """
    _sensible(params, study.permit.min_cell)
    opened = timelines(study, params.level, reads=READS)
    timeline, codes, vocabulary = opened.frame, opened.codes, opened.vocabulary
    spark = timeline.sparkSession
    with current().watch("following every pathway from its start", spark):
        frame = _frame(timeline, vocabulary, params)
        case = cases(timeline, frame).persist()
        activity = _activities(case, codes, vocabulary, frame, params.activities)
        stepped = pathways.steps(log_of(case, activity)).persist()
        course = pathways.courses(stepped).persist()
        persons = case.count()
        if not persons:
            raise DataError(
                f"No pathway begins with '{params.start}'.", "", "Name another start with --set start=CODE."
            )
    with current().watch("who follows whom, what is done again, which courses there are", spark):
        found = {
            "follows": pathways.directly_follows(stepped).toArrow().to_pylist(),
            "again": pathways.activities(stepped).toArrow().to_pylist(),
            "course": pathways.variants(course).where(f"cases >= {params.min_persons}").toArrow().to_pylist(),
        }
    with current().watch("comparing pathways by what came afterwards", spark):
        totals, parts = compared_counts(in_bands(case), course, features(stepped, course))
        kept = parts.where("what <> 'course'").unionByName(
            parts.join(
                pathways.variants(course).where(f"cases >= {params.min_persons}").select("course"),
                parts["key"] == _column("course"),
                "left_semi",
            ).where("what = 'course'")
        )
        table = _table(found, totals.toArrow(), kept.toArrow(), params)
    for held in (case, stepped, course):
        held.unpersist()
    search = Search(
        codes=len(codes.names),
        rule=f"a q-value of at most {params.q_level:g}",
        window=f"{params.outcome_days} days after a pathway of {params.window_days} days",
        metrics={"pathways": persons, "courses": len(found["course"]), "edges": len(found["follows"])},
    )
    patterns = Patterns.from_scan(
        table,
        codes.names,
        codes.texts,
        origin(study, job, params),
        kind="pathway",
        search=search,
    )
    return Findings(
        products=(patterns,),
        persons=persons,
    )


def _column(name: str) -> Any:
    from pyspark.sql import functions

    return functions.col(name)


def _frame(timeline: DataFrame, vocabulary: pa.Table, params: Params) -> Frame:
    words = list(zip(*(vocabulary.column(name).to_pylist() for name in VOCABULARY), strict=True))
    start = [number for number, code, *_ in words if code.startswith(params.start)]
    outcome = [number for number, code, *_ in words if code.startswith(params.outcome)]
    for name, wanted, ids in (("start", params.start, start), ("outcome", params.outcome, outcome)):
        if not ids:
            raise UsageError(
                f"No code begins with {name} '{wanted}'.",
                "Codes are written system//code.",
                f"Name one of the vocabulary with --set {name}=CODE.",
            )
    deaths = [number for number, _, domain, *_ in words if domain == "death"]
    last = timeline.selectExpr("max(last_day)").first()
    last_day = int(last[0]) if last is not None and last[0] is not None else 0
    return Frame(start, outcome, deaths, params.window_days, params.outcome_days, last_day)


def _activities(
    case: DataFrame, codes: MinedCodes, vocabulary: pa.Table, frame: Frame, most: int
) -> DataFrame:
    """(``code``, ``activity``): the codes most pathways have, at the level mined; deaths are no activity."""
    spark = case.sparkSession
    ids = vocabulary.column("code_id").to_pylist()
    rows = [(int(n), int(codes.code_map[n])) for n in ids if codes.code_map[n] >= 0 and n not in frame.deaths]
    known = spark.createDataFrame(rows, "code INT, activity INT")
    log = log_of(case, known)
    chosen = log.select("case", "activity").distinct().groupBy("activity").count()
    wanted = chosen.orderBy(_column("count").desc(), "activity").limit(most).select("activity")
    return known.join(wanted, "activity").select("code", "activity")


def _table(
    found: dict[str, list[dict[str, Any]]], totals: pa.Table, parts: pa.Table, params: Params
) -> pa.Table:
    """One row a feature: what was seen of it, and its effect."""
    described = [_described(what, entry) for what, entries in found.items() for entry in entries]
    rows = sorted([row for row in described if row is not None], key=lambda row: (row["feature"], row["key"]))
    place = {(row["feature"], row["key"]): at for at, row in enumerate(rows)}
    effects = _effects(place, totals, parts, params)
    risk = effects.risk
    columns: dict[str, pa.Array] = {
        "items": pa.array([row["items"] for row in rows], pa.list_(pa.int32())),
        "feature": pa.array([row["feature"] for row in rows], pa.string()),
        "n_person": pa.array([row["cases"] for row in rows], pa.int32()),
        "times": pa.array([row["times"] for row in rows], pa.int32()),
        "n_compared": pa.array(effects.persons.astype(np.int32)),
        "O": pa.array(risk.observed.astype(np.int32)),
        "tested": pa.array(effects.tested),
        "called": pa.array(effects.significant),
        "replicated_person": pa.array(effects.replicated == 1, mask=effects.replicated < 0),
    }
    z = np.divide(
        risk.observed - risk.expected,
        np.sqrt(risk.variance),
        out=np.zeros(len(rows)),
        where=risk.variance > 0,
    )
    figures = {"E": risk.expected, "V": risk.variance, "z": z, "log10_p": risk.log10_p}
    figures |= {"rr": risk.rr, "rr_low": risk.low, "rr_high": risk.high}
    figures |= {"q_bh": effects.q_bh, "q_by": effects.q_by}
    columns |= {name: pa.array(values, mask=~np.isfinite(values)) for name, values in figures.items()}
    for at, name in enumerate(LAGS):
        columns[name] = pa.array([row["waits"][at] for row in rows], pa.float32())
    return pa.table(columns)


def _described(what: str, entry: dict[str, Any]) -> dict[str, Any] | None:
    """A feature's items, key and numbers; None for an activity nobody came back to."""
    none = [None] * len(LAGS)
    if what == "follows":
        items = [int(entry["first"]), int(entry["then"])]
        seen = {"cases": entry["cases"], "times": entry["times"], "waits": entry["waits"]}
        return {"feature": what, "key": f"{items[0]}{pathways.ARROW}{items[1]}", "items": items, **seen}
    if what == "again":
        if not entry["again"]:
            return None
        seen = {"cases": entry["again"], "times": entry["repeats"], "waits": none}
        return {"feature": what, "key": str(entry["activity"]), "items": [int(entry["activity"])], **seen}
    steps = [step.split(pathways.TOGETHER) for step in entry["course"].split(pathways.ARROW)]
    waits = [None, None, entry["lasted"], None, None]
    items = [int(activity) for step in steps for activity in step]
    seen = {"cases": entry["cases"], "times": entry["cases"], "waits": waits}
    return {"feature": what, "key": entry["course"], "items": items, **seen}


def _effects(place: dict[tuple[str, str], int], totals: pa.Table, parts: pa.Table, params: Params) -> Effects:
    strata = {name: at for at, name in enumerate(sorted(set(totals.column("stratum").to_pylist())))}
    whole = np.zeros((max(len(strata), 1), 2, 2))
    for row in totals.to_pylist():
        whole[strata[row["stratum"]], row["half"]] = (row["n"], row["m"])
    seen = [row for row in parts.to_pylist() if (row["what"], row["key"]) in place]
    cells = [(place[row["what"], row["key"]], strata[row["stratum"]], row["half"]) for row in seen]
    counts = [(row["n"], row["m"]) for row in seen]
    return feature_effects(
        np.array(cells, np.int64).reshape(-1, 3),
        np.array(counts, np.float64).reshape(-1, 2),
        whole,
        len(place),
        params.min_persons,
        params.q_level,
    )


def _sensible(params: Params, floor: int) -> None:
    at_least_floor("min_persons", params.min_persons, floor)
    if min(params.window_days, params.outcome_days, params.activities) < 1 or not 0 < params.q_level < 1:
        raise UsageError(
            "window_days, outcome_days and activities start at 1, and q_level lies between 0 and 1.",
            "",
            "Correct --set.",
        )
