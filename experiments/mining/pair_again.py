"""The pair scan asked once more, otherwise: without wash-out, and of persons in other places."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from experiments.kernels.design import PairScanSettings
from experiments.mining.carrier import OverSpark
from experiments.mining.pair_sites import by_place
from experiments.pair_scan import scan
from experiments.pair_sensitivity import beside_without_washout
from experiments.pair_sites import replicate_sites

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from lakehouse.study import Study


def ask_again(
    study: Study,
    over: OverSpark,
    timeline: DataFrame,
    options: PairScanSettings,
    table: pa.Table,
    params: Any,
    asked: dict[str, Any],
) -> tuple[pa.Table, list[str]]:
    """A scan's table with what further scans say of its called pairs, and in words.

    ``over`` carried the scan and still holds its persons; ``options`` and ``asked`` are what it was made with.
    ``params.washout_days`` and ``.sites`` say what is asked for; a job without them asks for nothing.
    """
    remarks, memory = [], study.settings.counter_memory
    if options.washout_days:
        plain = scan(over, replace(options, washout_days=0), memory=memory, **asked)
        table, remark = beside_without_washout(table, plain.table, options.washout_days)
        remarks.append(remark)
    if getattr(params, "sites", False):
        elsewhere = OverSpark(by_place(study, timeline), over.code_map, over.watch)
        table, remark = replicate_sites(elsewhere, options, table, params.q_level, memory)
        remarks.append(remark)
    return table, remarks
