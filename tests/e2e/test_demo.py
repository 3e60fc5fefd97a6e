"""The README's first command, as a newcomer runs it, in an empty home; then the commands that look back."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.slow

CPR = re.compile(rb"(?<![0-9A-Za-z])(?:6[1-9]|[78]\d|9[01])(?:0[1-9]|1[0-2])\d{6}(?![0-9A-Za-z])")
"""A synthetic person number (day + 60) standing alone."""


def patternlake(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "experiments.cli", *arguments, "--lake", str(home)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ, cwd=home)


def versions(home: Path) -> dict[str, list[str]]:
    logs = sorted(home.glob("lake/*/*/_delta_log"))
    return {str(log.relative_to(home)): sorted(entry.name for entry in log.glob("*.json")) for log in logs}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home a demo left: the one that ``PATTERNLAKE_DEMO`` names, else one made here."""
    if given := os.environ.get("PATTERNLAKE_DEMO"):
        return Path(given)
    folder = tmp_path_factory.mktemp("demo")
    run = patternlake(folder, "demo", "--persons", "600", "--seed", "5")
    assert run.returncode == 0, run.stderr[-3000:]
    assert "report" in run.stdout
    return folder


def the_run(home: Path) -> Path:
    return max((home / "results" / "demo").iterdir(), key=lambda path: path.stat().st_mtime)


def test_the_demo_leaves_an_accounted_run_with_report_and_patterns(home: Path) -> None:
    run = the_run(home)
    scope = json.loads((run / "scope.json").read_text())
    assert scope["state"] == "accounted"
    assert {read["table"] for read in scope["reads"]} == {"gold.timeline", "gold.vocabulary"}
    assert pq.read_metadata(run / "patterns.parquet").num_rows > 1000
    assert "<html" in (run / "report.html").read_text()[:500]


def test_the_same_delivery_again_changes_no_table(home: Path) -> None:
    before = versions(home)
    run = patternlake(home, "ingest", str(next((home / "deliveries").glob("synthetic-*"))))
    assert run.returncode == 0, run.stderr[-3000:]
    assert versions(home) == before
    assert "known, nothing done" in run.stdout


def test_no_person_number_of_the_deliveries_is_in_anything_written_after_them(home: Path) -> None:
    listed = (home / "deliveries").glob("*/delivery/cpr/cpr3_t_person.csv")
    numbers = {line.split(b";")[0] for file in listed for line in file.read_bytes().splitlines()[1:]}
    assert len(numbers) >= 600
    looked = 0
    for path in home.rglob("*"):
        if path.is_file() and "deliveries" not in path.parts:
            looked += 1
            assert not numbers & set(CPR.findall(path.read_bytes())), path
    assert looked > 100


def test_the_commands_that_look_back_work(home: Path, tmp_path: Path) -> None:
    shown = patternlake(home, "scope", "show", "latest", "--study", "demo")
    assert "gold.timeline" in shown.stdout, shown.stderr
    touched = patternlake(home, "scope", "touched", "gold.timeline.code")
    assert the_run(home).name in touched.stdout, touched.stderr
    assert patternlake(home, "scope", "touched", "gold.event.value_num").stdout == ""
    assert "holds" in patternlake(home, "ledger", "verify").stdout
    out = tmp_path / "patterns.parquet"
    assert patternlake(home, "patterns", "latest", "--study", "demo", "--out", str(out)).returncode == 0
    assert {"code_a", "code_b", "O", "E", "V", "rr", "q_bh"} <= set(pq.read_schema(out).names)


def test_a_dry_run_reads_nothing_and_says_what_it_would(home: Path) -> None:
    before = len(list((home / "results" / "demo").iterdir()))
    run = patternlake(home, "run", "mine_pairs", "--study", "demo", "--dry-run")
    assert run.returncode == 0, run.stderr
    assert "gold.timeline" in run.stdout
    assert "ordered pairs" in run.stdout
    assert len(list((home / "results" / "demo").iterdir())) == before


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("run", "mine_pairs", "--study", "nobody"), 10, "no study called 'nobody'"),
        (("run", "no_such_job", "--study", "demo"), 2, "Known jobs"),
        (("ingest", "no-such-folder"), 11, "no folder"),
        (("study", "new", "open"), 2, "--grant-all"),
        (("patterns", "latest", "--out", "x.parquet"), 2, "Add --study"),
        (("scope", "show", "abc"), 11, "no run abc"),
    ],
)
def test_refusals_say_what_next_and_have_their_exit_codes(
    home: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    run = patternlake(home, *arguments)
    assert run.returncode == code, run.stderr
    assert says in run.stderr
