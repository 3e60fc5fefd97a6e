"""The watch that every Python worker of a study reads first does not hide what the environment runs at its start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse.governance.guard import side_doors
from tests.support.study_lab import Lab

SITE = Path(side_doors.__file__).parent / "worker_site"


@pytest.fixture
def environments_own(tmp_path: Path) -> Path:
    """A folder whose ``sitecustomize`` leaves a mark, and tells whether the lake was closed to it."""
    (tmp_path / "sitecustomize.py").write_text(
        "import builtins, os\n"
        "builtins.MARK = 'environment'\n"
        "try:\n"
        "    open(os.environ.get('PATTERNLAKE_CLOSED', '/none').split(os.pathsep)[0] + '/secret')\n"
        "except OSError as error:\n"
        "    builtins.MARK += ' ' + type(error).__name__\n"
    )
    return tmp_path


def python(code: str, *path: Path, closed: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(each) for each in path)}
    if closed is not None:
        environment[side_doors.CLOSED] = str(closed)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)


def test_both_run_and_the_watch_first(environments_own: Path, tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "secret").write_text("secret")
    run = python("print(MARK); open('lake/secret')", SITE, environments_own, closed=tmp_path / "lake")
    assert run.stdout.strip() == "environment PermissionError", run.stderr
    run = subprocess.run(
        [sys.executable, "-c", f"open({str(tmp_path / 'lake' / 'secret')!r})"], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": f"{SITE}{os.pathsep}{environments_own}", side_doors.CLOSED: str(tmp_path / "lake")},
    )  # fmt: skip
    assert "may not open the lake" in run.stderr


def test_the_environments_own_runs_also_where_nothing_is_closed(environments_own: Path) -> None:
    assert python("print(MARK)", SITE, environments_own).stdout.strip() == "environment FileNotFoundError"


def test_without_another_python_starts_as_always() -> None:
    run = python("import sitecustomize; print(sitecustomize.__file__)", SITE)
    assert run.stdout.strip() == str(SITE / "sitecustomize.py"), run.stderr
    assert run.stderr == ""


def test_one_that_fails_stops_neither_the_watch_nor_python(environments_own: Path, tmp_path: Path) -> None:
    (environments_own / "sitecustomize.py").write_text("raise RuntimeError('broken')\n")
    (tmp_path / "secret").write_text("secret")
    run = python("print('started')", SITE, environments_own, closed=tmp_path)
    assert "started" in run.stdout
    run = python(f"open({str(tmp_path / 'secret')!r})", SITE, environments_own, closed=tmp_path)
    assert "may not open the lake" in run.stderr


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import subprocess; subprocess.run(['true'])", "may start no process"),
        ("import os; os.system('true')", "may start no process"),
        ("import os; os.posix_spawn('/bin/true', ['true'], {})", "may start no process"),
        ("import pyarrow.parquet", "opens files past the study"),
        ("import duckdb", "opens files past the study"),
    ],
)
def test_a_worker_starts_no_process_and_loads_no_reader(code: str, told: str, tmp_path: Path) -> None:
    assert told not in python(code, SITE).stderr
    run = python(code, SITE, closed=tmp_path)
    assert run.returncode and told in run.stderr


def test_in_a_worker_of_a_study(lab: Lab, environments_own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyspark.sql import functions as fn

    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(environments_own), os.environ.get("PYTHONPATH", "")])
    )
    asked = fn.udf(lambda _: str(getattr(__import__("builtins"), "MARK", "none")), "string")
    with lab.open() as study:
        rows = study.table("gold.person", ["sex"]).select(asked("sex").alias("mark")).distinct().collect()
    assert [row["mark"] for row in rows] == ["environment PermissionError"]
