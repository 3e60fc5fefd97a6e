"""Incremental counts: a new version gives the table of a full run, and only changed persons are counted."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from experiments.analyses.pairs import scan as scan_module
from experiments.analyses.pairs.incremental_store import read_kept
from experiments.analyses.pairs.study import scan_pairs
from experiments.execution.over_spark import OverSpark
from experiments.findings import Findings
from experiments.kernels.pairs.followed import PairPass
from experiments.kernels.pairs.reference import ReferencePass
from experiments.kernels.persons import Persons, join_persons
from lakehouse.data_model import GOLD
from lakehouse.errors import UsageError
from lakehouse.governance.persons.kept_results import drop_kept, kept_folder
from lakehouse.governance.scope.scope import Scope, State
from lakehouse.settings import load_settings
from tests.spark.test_toolbox_jobs import PERMITTED
from tests.support.small_lake import write_small_lake
from tests.support.study_lab import Lab
from tests.support.timelines import add_persons, replace
from tests.support.worlds import planted_world

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

CODES = 40


@dataclass(frozen=True)
class Params:
    """Parameters of the scan as the job has them."""

    horizon_days: int = 1826
    min_persons: int = 5
    level: str = "full"
    q_level: float = 0.5
    keep: bool = True


@pytest.fixture
def lab(spark: SparkSession, tmp_path: Path) -> Lab:
    settings = load_settings(tmp_path / "home", "test")
    write_small_lake(spark, settings)
    made = Lab(spark, settings)
    made.permit("keeping", tables=PERMITTED)
    return made


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the passes that went over persons by Spark."""
    names: list[str] = []
    call = OverSpark.__call__

    def noted(self: OverSpark, name: Any, arguments: Any) -> Any:
        names.append(name if isinstance(name, str) else name.__name__)
        return call(self, name, arguments)

    monkeypatch.setattr(OverSpark, "__call__", noted)
    return names


def crowd() -> Persons:
    seed = random.randrange(2**31)
    return planted_world(seed, persons=1200, codes=CODES, harmful=2, protective=1, chains=0).persons


def names_of(*left_out: int) -> list[str]:
    return [f"ICD10//K{code:02d}" for code in range(CODES + 1) if code not in left_out]


def mined(lab: Lab, **params: Any) -> tuple[Findings, Scope]:
    study = lab.open("keeping")
    with study:
        findings = scan_pairs(study, Params(**params))
    return findings, study.scope()


def same(one: Findings, other: Findings) -> None:
    for name in one.patterns.table.column_names:
        if name not in ("params",):
            assert one.patterns.table.column(name).equals(other.patterns.table.column(name)), name


def anew(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Findings:
    """Everybody counted anew, by the bands that the kept counts began with."""
    kept = read_kept(next(kept_folder(lab.settings, "keeping").iterdir()))
    assert kept is not None
    with monkeypatch.context() as patched:
        patched.setattr(scan_module, "banded", lambda run_pass, settings: kept.counts.settings)
        found, _ = mined(lab, keep=False)
    return found


def test_a_new_version__is_mined_by_its_changes_alone(
    lab: Lab, passes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = crowd()
    first = everybody.part(0, 1150)
    add_persons(lab.spark, lab.settings, first, names_of())
    kept, scope = mined(lab)
    assert "FingerprintPass" in passes and passes.count("NoLongerAtRiskPass") == 1
    assert scope.state is State.ACCOUNTED, scope.reasons
    same(kept, mined(lab, keep=False)[0])
    file = next(kept_folder(lab.settings, "keeping").iterdir())
    assert file.stat().st_mode & 0o077 == 0 and file.parent.stat().st_mode & 0o077 == 0

    changed = everybody.part(100, 1200)
    days = changed.days.copy()
    days[: int(changed.offsets[20])] += 3
    add_persons(lab.spark, lab.settings, changed._replace(days=days), names_of())
    passes.clear()
    again, scope = mined(lab)
    assert not {ReferencePass, "NoLongerAtRiskPass", PairPass} & set(passes), passes
    assert scope.state is State.ACCOUNTED, scope.reasons
    reads = {read.version: read for read in scope.reads if read.table == "gold.timeline"}
    assert len(reads) == 2 and all(read.persons for read in reads.values())
    assert "person_id" not in reads[min(reads)].columns_direct
    assert "brought forward" in again.remarks[0] and "5 %" not in again.remarks[0]

    passes.clear()
    unchanged, scope = mined(lab)
    assert len([read for read in scope.reads if read.table == "gold.timeline"]) == 1
    same(unchanged, again)
    same(again, anew(lab, monkeypatch))


def test_new_codes__move_the_numbers_of_the_old_ones(
    lab: Lab, passes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = crowd()
    without = 7
    chosen = np.array([without not in everybody.codes[a:b] for a, b in
                       zip(everybody.offsets[:-1], everybody.offsets[1:], strict=True)])  # fmt: skip
    before = everybody.take(np.flatnonzero(chosen))
    add_persons(
        lab.spark,
        lab.settings,
        before._replace(codes=before.codes - (before.codes > without).astype(np.int32)),
        names_of(without),
    )
    mined(lab)
    add_persons(lab.spark, lab.settings, everybody, names_of())
    passes.clear()
    again, _ = mined(lab)
    assert "NoLongerAtRiskPass" not in passes
    same(again, anew(lab, monkeypatch))


@pytest.mark.slow
def test_who_may_not_be_read_any_more__is_not_read_to_be_taken_off(lab: Lab, passes: list[str]) -> None:
    everybody = crowd()
    lab.permit("keeping", 'opt_outs = "out.txt"', tables=PERMITTED)
    listed = lab.settings.home / "conf" / "permits" / "out.txt"
    listed.write_text("")
    add_persons(lab.spark, lab.settings, everybody, names_of())
    timeline = lab.spark.read.format("delta").load(str(lab.settings.lake / "gold" / "timeline"))
    ids = [row["person_id"] for row in timeline.select("person_id").collect()]
    empty = (None,) * (len(GOLD["gold.person"].columns) - 1)
    assert GOLD["gold.person"].columns[0].name == "person_id"
    replace(lab.spark, lab.settings, "gold.person", [(each, *empty) for each in ids])
    mined(lab)
    listed.write_text(ids[3] + "\n")
    passes.clear()
    again, scope = mined(lab)
    assert passes.count("NoLongerAtRiskPass") == 1 and again.persons == len(ids) - 1
    assert scope.state is State.ACCOUNTED, scope.reasons
    same(again, mined(lab, keep=False)[0])


@pytest.mark.slow
def test_another_question_a_broken_file_or_an_erasure__begin_anew(lab: Lab, passes: list[str]) -> None:
    add_persons(lab.spark, lab.settings, join_persons([crowd()]), names_of())
    one, _ = mined(lab)
    passes.clear()
    mined(lab, horizon_days=365)
    assert "NoLongerAtRiskPass" in passes
    files = sorted(kept_folder(lab.settings, "keeping").iterdir())
    assert len(files) == 2
    for file in files:
        file.write_bytes(file.read_bytes()[:-1])
    passes.clear()
    same(mined(lab)[0], one)
    assert "NoLongerAtRiskPass" in passes
    drop_kept(lab.settings)
    assert not kept_folder(lab.settings, "keeping").exists()


def test_an_earlier_version__is_one_that_there_was(lab: Lab) -> None:
    with lab.open("keeping") as study:
        for version in (0, study.versions["gold.timeline"] + 1, -1):
            with pytest.raises(UsageError, match="earlier version"):
                study.table("gold.timeline", ["code"], version=version)
        pinned = study.table("gold.timeline", ["code"], version=study.versions["gold.timeline"])
        assert pinned.columns == ["code"]
