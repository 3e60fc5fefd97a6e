"""Looks a pair scan takes beside its own passes: breaks in coding, and follow-up ended by death or emigration."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from experiments.analyses.pairs.coding_breaks import (
    BrokenAtPlaces,
    BrokenCode,
    broken_at_places,
    broken_codes,
    broken_in_words,
    broken_places_in_words,
    flag_artefacts,
)
from experiments.analyses.pairs.enrichment import add_incidence, call_by_tree
from experiments.analyses.pairs.reads import by_place, counts_by_place
from experiments.analyses.pairs.robustness import beside_without_washout, replicate_sites
from experiments.analyses.pairs.scan import scan
from experiments.execution.codes import MinedCodes, family_of
from experiments.execution.over_spark import OverSpark, Watch
from experiments.kernels.design import PairScanSettings
from experiments.kernels.pairs.competing import CompetingCounts, CompetingPass, FollowUp
from experiments.kernels.pairs.months import MonthPass

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from lakehouse.study.session import Study


OBSERVATION = {"gold.observation_period": ["person_id", "end_day"], "gold.timeline": ["person_id"]}
"""What is read besides when emigration is to end a follow-up."""


class Enrichment(NamedTuple):
    """A scan's table with what stands beside it, how many codes break, and what a reader must know of them."""

    table: pa.Table
    broken: int
    remarks: tuple[str, ...]


def enrich(
    study: Study, over: OverSpark, timeline: DataFrame, codes: MinedCodes, table: pa.Table, params: Any
) -> Enrichment:
    """A scan's table with the verdict of families, artefact flags and cumulative incidence, as far as asked for.

    ``over`` ran the scan and still holds its persons. ``params.artefacts``, ``.artefacts_by_place``,
    ``.incidence``, ``.emigration`` and ``.washout_days`` say what is asked for; a job without them asks for nothing.
    """
    families = [family_of(name) for name in codes.names]
    table = table.append_column(
        "called_tree", pa.array(call_by_tree(table, codes.names, families, params.q_level))
    )
    broken: list[BrokenCode] = []
    at_places: list[BrokenAtPlaces] = []
    systems = [name.partition("//")[0] for name in codes.names]
    everywhere, by_place = (getattr(params, name, False) for name in ("artefacts", "artefacts_by_place"))
    if everywhere:
        broken = broken_codes(over(MonthPass, {"n_codes": len(codes.names)}), systems)
    if by_place:
        with over.watch("PlaceCounts"):
            at_places = broken_at_places(counts_by_place(study, codes), systems)
    if everywhere or by_place:
        table = flag_artefacts(table, [*broken, *at_places], len(codes.names))
    told = (table, codes.names, study.permit.min_cell)
    remarks = (*broken_in_words(broken, *told), *broken_places_in_words(at_places, *told))
    competing = None
    significant = np.asarray(table.column("called"))
    if getattr(params, "incidence", False) and significant.any():
        pairs = np.stack(
            [np.asarray(table.column(name))[significant] for name in ("code_a", "code_b")], axis=1
        )
        emigration = getattr(params, "emigration", False)
        competing = follow(
            study,
            timeline,
            codes,
            pairs,
            params.horizon_days,
            emigration,
            over.watch,
            getattr(params, "washout_days", 0),
        )
    either = {each.code for each in broken} | {each.code for each in at_places}
    return Enrichment(add_incidence(table, competing), len(either), remarks)


def follow(
    study: Study,
    timeline: DataFrame,
    codes: MinedCodes,
    pairs: np.ndarray,
    horizon_days: int,
    emigration: bool,
    watch: Watch,
    washout_days: int = 0,
) -> CompetingCounts:
    """Follow everybody from the first code of each pair to the second, death, or the end of observation.

    Observation ends with the data, or with ``emigration`` where the study knows when a person was last
    observed; never before a person's last event. A first code that ``washout_days`` make prevalent begins no follow-up.

    ``pairs`` [pair, side], codes at the level mined: first and second.
    """
    frame = ended(study, timeline, len(codes.code_map), emigration)
    n = len(codes.names)
    code_map = np.append(codes.code_map, np.int32(n)).astype(np.int32)
    arguments = {"follow_up": FollowUp(n + 1, horizon_days, codes.terminal, n, washout_days), "pairs": pairs}
    counts: CompetingCounts = OverSpark(frame, code_map, watch)(CompetingPass, arguments)
    return counts


def ended(study: Study, timeline: DataFrame, end_code: int, emigration: bool) -> DataFrame:
    """Timelines with one more event, ``end_code``, on each person's last day of observation."""
    from pyspark.sql import functions

    last = timeline.selectExpr("max(element_at(day, -1))").first()
    last_day = int(last[0]) if last is not None and last[0] is not None else 0
    end = f"{last_day}"
    if emigration:
        periods = study.table("gold.observation_period", ["person_id", "end_day"])
        ends = periods.groupBy("person_id").agg(functions.max("end_day").alias("end_day"))
        whole = study.table("gold.timeline", ["person_id", *timeline.columns])
        timeline = whole.join(ends, "person_id", "left").drop("person_id")
        end = f"least(coalesce(end_day, {last_day}), {last_day})"
    return timeline.withColumns(
        {
            "code": functions.expr(f"concat(code, array({end_code}))"),
            "day": functions.expr(f"concat(day, array(greatest(element_at(day, -1), {end})))"),
            "setting": functions.expr("concat(setting, array(CAST(-1 AS TINYINT)))"),
        }
    )


def ask_again(
    study: Study,
    over: OverSpark,
    timeline: DataFrame,
    options: PairScanSettings,
    table: pa.Table,
    params: Any,
    asked: dict[str, Any],
) -> tuple[pa.Table, list[str]]:
    """A scan's table with what further scans say of its significant pairs, and in words.

    ``over`` ran the scan and still holds its persons; ``options`` and ``asked`` are what it was made with.
    ``params.washout_days`` and ``.sites`` say what is asked for; a job without them asks for nothing.
    """
    remarks, memory = [], study.settings.counter_memory
    if options.washout_days:
        without = replace(options, washout_days=0, prior_cuts=(), busy_cuts=())
        plain = scan(over, without, memory=memory, **asked)
        table, remark = beside_without_washout(table, plain.table, options.washout_days)
        remarks.append(remark)
    if getattr(params, "sites", False):
        elsewhere = OverSpark(by_place(study, timeline), over.code_map, over.watch)
        table, remark = replicate_sites(elsewhere, options, table, params.q_level, memory)
        remarks.append(remark)
    return table, remarks
