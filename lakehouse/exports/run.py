"""What an export is made of: the whole lake where that is allowed, or what a study may read."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.delivery.register import entries, gold_versions
from lakehouse.exports.files import require_open_lake
from lakehouse.exports.meds import gold_rows, write_meds
from lakehouse.exports.meds import silver_rows as meds_rows
from lakehouse.exports.omop import GoldFrames, write_omop
from lakehouse.gold.build import state_at
from lakehouse.gold.current_silver import silver_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from lakehouse.lake import Lake


def export_lake(lake: Lake, kind: str, out: Path) -> dict[str, int]:
    """Export a synthetic or foreign lake as ``meds`` or ``omop`` and return rows by table or split."""
    require_open_lake(lake.settings)
    versions = gold_versions(lake.settings)
    frames = {name.partition(".")[2]: lake.read_version(name, version) for name, version in versions.items()}
    if kind == "omop":
        return write_omop(lake.spark, gold_frames(frames), out, out.name)
    event, person = frames["event"], frames["person"]
    state, _ = state_at(entries(lake))
    delivered = [
        table for source, table in state.tables() if source.format == "meds" and table.name == "meds_data"
    ]
    rows = gold_rows(person.where("source <> 'meds'"), event.where("source <> 'meds'"))
    for table in delivered:
        rows = rows.unionByName(meds_rows(silver_rows(lake, state, table)))
    return write_meds(rows, frames["vocabulary"], out, out.name)


def export_study(
    lake: Lake, kind: str, study: str, frames: dict[str, DataFrame]
) -> tuple[Path, dict[str, int]]:
    """Export what a study may read, into the study's own folder, under the study's pseudonyms."""
    moment = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S")
    out = lake.settings.results / study / f"export-{kind}-{moment}"
    if kind == "omop":
        return out, write_omop(lake.spark, gold_frames(frames), out, study)
    return out, write_meds(gold_rows(frames["person"], frames["event"]), frames["vocabulary"], out, study)


def gold_frames(frames: dict[str, DataFrame]) -> GoldFrames:
    """The tables an OMOP folder is made of."""
    return GoldFrames(
        **{name: frames[name] for name in ("person", "event", "observation_period", "spell", "vocabulary")}
    )
