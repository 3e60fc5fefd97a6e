"""One job at both levels, repeated from its receipt, asked about by one person: the commands as an operator gives them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments.sealed import sandbox
from lakehouse.errors import ConfigurationError
from lakehouse.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
PERSONS, CODES = 3_000, 40

MAKE = f"""
import sys
import numpy as np
from lakehouse.session import spark_session
from lakehouse.settings import load_settings
from tests.support.lakes import write_lake
from tests.support.populations import as_persons, simulate
settings = load_settings(sys.argv[1], "test")
spark = spark_session(settings)
people, _, slots = simulate(np.random.default_rng(), {PERSONS}, {CODES}, bursts=False)
write_lake(spark, settings, as_persons(people, slots, {CODES}), [f"ICD10//X{{n:03d}}" for n in range({CODES})])
spark.stop()
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a lake, a study over everything, and its extract."""
    try:
        sandbox.method()
    except ConfigurationError as refusal:
        pytest.skip(str(refusal))
    place = tmp_path_factory.mktemp("sealed") / "home"
    subprocess.run([sys.executable, "-c", MAKE, str(place)], check=True, cwd=ROOT, env=environment())
    patternlake(place, "study", "new", "demo", "--grant-all")
    patternlake(place, "study", "seal", "demo")
    return place


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "PATTERNLAKE_PROFILE": "test"}


def patternlake(home: Path, *words: str, given: str = "", fails: int = 0) -> str:
    """Output of a command."""
    command = [sys.executable, "-m", "experiments.cli", *words, "--lake", str(home)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment(), input=given
    )
    assert done.returncode == fails, done.stdout + done.stderr
    return done.stdout


def receipt(home: Path, output: str) -> dict[str, Any]:
    """Receipt of the run that a command's output names."""
    run = next(line.split()[1] for line in output.splitlines() if line.startswith("run "))
    found: dict[str, Any] = json.loads((home / "results" / "demo" / run / "receipt.json").read_text())
    return found


@pytest.mark.slow
def test_sealed_and_guarded_come_to_the_same_and_a_receipt_repeats_it(home: Path) -> None:
    sealed = receipt(home, patternlake(home, "run", "mine_pairs", "--study", "demo", "--sealed"))
    guarded = receipt(home, patternlake(home, "run", "mine_pairs", "--study", "demo"))
    assert (sealed["assurance"], guarded["assurance"]) == ("sealed", "guarded")
    assert sealed["state"] == guarded["state"] == "accounted"
    assert sealed["result"] == guarded["result"], "the sandbox changes nothing of what is found"
    repeated = patternlake(home, "scope", "replay", guarded["run"])
    assert f"same result as run {guarded['run']}" in repeated
    again = receipt(home, repeated)
    assert again["result"] == guarded["result"] and again["versions"] == guarded["versions"]
    assert "3 entries" not in (verified := patternlake(home, "ledger", "verify")) and "holds" in verified
    assert "agrees" in patternlake(home, "ledger", "audit")
    token = f"01{7:032x}\n"
    found = patternlake(home, "person", "--token", given=token)
    readings = [line.split("\t") for line in found.splitlines()]
    assert {line[3] for line in readings} >= {sealed["run"], guarded["run"], again["run"]}
    assert patternlake(home, "person", "--token", given=f"01{PERSONS + 5:032x}\n") == "", (
        "somebody who is not there"
    )
    page = home / "model.html"
    patternlake(home, "scope", "explain-model", guarded["run"], "--out", str(page))
    assert "The receipt is valid" in page.read_text() and guarded["commitment"] in page.read_text()
    assert len((home / "results" / "demo" / guarded["run"] / "receipt.json").read_bytes()) <= 64 * 1024
    assert "minimisation" in patternlake(home, "permit", "diff", "--study", "demo")
    assert not list((home / "observer").glob("*")), "event logs are pruned"
    assert load_settings(home, "test").lake.is_dir()
