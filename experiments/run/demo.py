"""From nothing to a mined region in one command: synthesise, ingest, permit, mine; then say where everything is."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from experiments.run.submission import submit
from experiments.tracking.run_folders import find_run
from lakehouse.errors import ConfigurationError
from lakehouse.settings import Settings


def demo(settings: Settings, persons: int, seed: int, source: Path | None) -> int:
    """The whole demonstration; safe to repeat."""
    began = time.monotonic()
    study = "demo" if source is None else f"demo-{source.name.replace('_', '-').lower()}"
    folder = source
    if folder is None:
        folder = settings.home / "deliveries" / f"synthetic-{persons}-{seed}"
        say(f"1/4  A synthetic region of {persons:,} persons, seed {seed}: {folder}")
        if (folder / "delivery" / "delivery.toml").is_file():
            say("     already there")
        else:
            step(
                [
                    sys.executable,
                    "-m",
                    "experiments.cli",
                    "synth",
                    "--persons",
                    str(persons),
                    "--seed",
                    str(seed),
                    "--out",
                    str(folder),
                    "--lake",
                    str(settings.home),
                ]
            )
    else:
        say(f"1/4  Foreign data: {folder}")
    say("2/4  Ingest: pseudonymisation, bad rows to quarantine, every row accounted for")
    step([sys.executable, "-m", "experiments.cli", "ingest", str(folder), "--lake", str(settings.home)])
    say(f"3/4  Study '{study}' and its permit")
    from lakehouse.governance.permits.files import grant_all

    try:
        settings.definition("studies", study)
        say("     already there")
    except ConfigurationError:
        grant_all(settings, study)
    say("4/4  Mining with spark-submit: every ordered pair of codes")
    code = submit(settings, "mine_pairs", study, [])
    if code == 0:
        print(where(settings, study, time.monotonic() - began))
    return code


def where(settings: Settings, study: str, seconds: float) -> str:
    """Where a demo's results are."""
    run = find_run(settings, "latest", study)
    return "\n".join(
        [
            "",
            f"Done in {seconds:.0f} s.",
            f"  report        {run / 'report.html'}",
            f"  scope record  {run / 'scope.json'}   (patternlake scope show latest --study {study})",
            f"  patterns      patternlake patterns latest --study {study} --out patterns.parquet",
            "  MLflow UI     make ui   (or: patternlake ui), then http://127.0.0.1:5000",
        ]
    )


def say(text: str) -> None:
    """A line of the demo's progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def step(command: Sequence[str]) -> None:
    """One step of the demo in a process of its own, so that each has a JVM of its own and leaves nothing behind."""
    code = subprocess.run(command, check=False).returncode
    if code:
        sys.exit(code)
