"""Every job of the toolbox on one small lake: from permit to receipt, one table, one page, checked rows alone in MLflow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from experiments.job import RunnableJob
from experiments.products.pattern_kinds import kind_of
from experiments.products.patterns import Patterns
from lakehouse.governance.permits.files import grant_all
from lakehouse.governance.suppression.disclosure import Thresholds
from lakehouse.governance.suppression.totals import assert_clean
from lakehouse.progress import Progress
from lakehouse.settings import Settings, load_settings
from tests.support.lakes import write_lake
from tests.support.toolbox_world import NAMES, toolbox_world
from tests.support.tracking_store import look_into

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[2]
LATE = "ICD10//J19"
"""The outcome of the toolbox world's set."""

JOBS: dict[str, list[str]] = {
    "mine_trajectories": [],
    "mine_side_effects": [],
    "mine_itemsets": [f"outcome={LATE}", "horizon_days=1461", "support=60", "draws=100", "longest=2"],
    "mine_sequences": [f"outcome={LATE}", "horizon_days=1461", "support=60", "draws=100", "longest=2"],
}
"""Jobs of the toolbox, and the parameters they are tried with."""


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = load_settings(tmp_path_factory.mktemp("toolbox") / "home", "test")
    write_lake(spark, settings, toolbox_world(seed=4), NAMES)
    grant_all(settings, "demo")
    return settings


def load(path: Path) -> RunnableJob:
    """The job of a file, as spark-submit would run it."""
    import importlib.util

    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    found = [value for value in vars(module).values() if isinstance(value, RunnableJob)]
    assert len(found) == 1
    return found[0]


def run(
    job: RunnableJob, settings: Settings, spark: Any, monkeypatch: pytest.MonkeyPatch, given: list[str]
) -> Path:
    """The folder of the run; the tests' own Spark session stays."""
    from experiments.run import runner

    monkeypatch.setattr(runner, "spark_session", lambda *ignored, **more: spark)
    monkeypatch.setattr(type(spark), "stop", lambda self: None)
    params = job.parameters({}, given)
    run_id = runner.run_job(job, settings, "demo", params, Progress(quiet=True), 0.0)
    return settings.results / "demo" / run_id


@pytest.mark.parametrize("name", sorted(JOBS))
def test_a_job_yields_one_table_one_page_and_a_whole_record(
    name: str,
    lake: Settings,
    spark: SparkSession,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import mlflow
    import pandas as pd

    job = load(ROOT / "jobs" / f"{name}.py")
    folder = run(job, lake, spark, monkeypatch, JOBS[name])
    (gives,) = job.gives
    word = gives.name.removeprefix("patterns:")
    kind = kind_of(word)
    raw = Patterns.read(folder / "patterns.parquet")
    assert raw.meta.kind == word and raw.meta.job == name and len(raw) > 0
    assert sum(raw.table.column("called").to_pylist()) > 0, "what was planted is found"
    scope = json.loads((folder / "scope.json").read_text())
    assert scope["state"] == "accounted", scope["reasons"]
    assert {read["table"] for read in scope["reads"]} == set(job.reads_for(job.params()))
    checked = folder / "checked"
    assert_clean(checked, kind.person_counts, Thresholds())
    table = Patterns.read(checked / "patterns.parquet")
    assert table.meta.checked and 0 < len(table) <= len(raw)
    page = (folder / "report.html").read_text("utf-8")
    assert job.question.split("?")[0][:40] in page and f"{kind.many} tested" in page
    assert f"{kind.many} tested" in capsys.readouterr().out
    look_into(lake)
    found = mlflow.get_run(folder.name)
    assert found.data.tags["product_kind"] == gives.name and found.data.metrics[f"{word}s.significant"] > 0
    assert found.data.metrics["tests"] == found.data.metrics[f"{word}s.tested"] > 0
    if kind.model:
        model = mlflow.pyfunc.load_model(f"models:/demo-{name}/1")
        answer = model.predict(pd.DataFrame(kind.model.example(table.significant())))
        assert len(answer) > 0 and list(answer.columns) == list(kind.model.outputs)
    assert pq.read_metadata(folder / "patterns.parquet").num_columns == len(kind.all_columns)


def test_the_job_in_contributing_runs_as_it_stands(
    lake: Settings, spark: SparkSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    block = text.split("```python\n", 1)[1].split("```", 1)[0]
    assert len(block.splitlines()) <= 60
    (tmp_path / "mine_month.py").write_text(block)
    folder = run(load(tmp_path / "mine_month.py"), lake, spark, monkeypatch, [])
    assert len(Patterns.read(folder / "patterns.parquet")) > 0 and (folder / "report.html").is_file()
