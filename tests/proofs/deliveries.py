"""What is taken in: identifiers that are found nowhere, kills, writers at once, spoiled files, sources and re-deliveries."""

from __future__ import annotations

import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.proofs.figures import ROOT, Figure, section, tests_pass


@section("canary")
def canary(seeds: int) -> list[Figure]:
    """Item 5: an identifier of the deliveries is found nowhere."""
    return [
        tests_pass(
            "canary CPR found in files, logs, spill",
            [
                "tests/spark/test_ingest_canary.py",
                "tests/e2e/test_demo.py",
                "-k",
                "canary or person_number or key_stands",
            ],
            "all pass",
        )
    ]


@section("kills")
def kills(seeds: int) -> list[Figure]:
    """Item 7: a killed ingest, started again, ends like an undisturbed one."""
    from tests.e2e.kill_ingest import kill_and_compare

    with tempfile.TemporaryDirectory() as folder:
        outcome = kill_and_compare(max(20, seeds), secrets.randbits(31), Path(folder))
    return [
        Figure("kill -9 during ingest: kills", f"{outcome.kills}", ">= 20", outcome.kills >= 20),
        Figure(
            f"kill -9 during ingest: tables that differ, of {outcome.tables}",
            f"{len(outcome.differing)}",
            "0",
            outcome.tables > 0 and not outcome.differing,
        ),
    ]


@section("writers")
def writers(seeds: int) -> list[Figure]:
    """Two ingests into one lake at once: one writes, the other is refused or finds nothing to do; nothing half-done."""
    from tests.e2e.kill_ingest import two_at_once

    with tempfile.TemporaryDirectory() as folder:
        outcome = two_at_once(max(20, seeds), secrets.randbits(31), Path(folder))
    differing = f"{len(outcome.differing)}"
    return [
        Figure(
            f"two writers at once, {outcome.kills} times: differences", differing, "0", not outcome.differing
        )
    ]


@section("spoiled")
def spoiled(seeds: int) -> list[Figure]:
    """Spoiled files: refused with a clear error, or every row in silver or quarantine."""
    command = [sys.executable, "-m", "tests.e2e.spoil_files", "--files", "300"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    last = told.stdout.strip().splitlines()[-1] if told.stdout.strip() else "nothing ran"
    return [Figure("300 spoiled files", last.partition(": ")[2][:60], "nothing lost", told.returncode == 0)]


@section("sources")
def sources(seeds: int) -> list[Figure]:
    """Every source with every known defect: the lake's counts are the planted truth."""
    selection = ["tests/spark/test_known_defects_generated.py"]
    return [tests_pass("all sources and known defects against the planted truth", selection, "all pass")]


@section("redeliveries")
def redeliveries(seeds: int) -> list[Figure]:
    """A lake of many deliveries holds what a lake of the last one holds."""
    selection = ["tests/spark/test_redelivery.py"]
    return [tests_pass("random sequences of deliveries equal the last alone", selection, "all pass")]


@section("freetext")
def freetext(seeds: int) -> list[Figure]:
    """Free text: recall by kind on fresh notes, and false alarms."""
    from tests.support.freetext import measure

    measured = measure(4000)
    rate = measured.false_alarm_rate
    return [
        Figure(
            "free text: recall of person numbers",
            f"{measured.recall('cpr'):.4f}",
            ">= 0.995",
            measured.recall("cpr") >= 0.995,
        ),
        Figure(
            "free text: recall of names",
            f"{measured.recall('navn'):.4f}",
            ">= 0.95",
            measured.recall("navn") >= 0.95,
        ),
        Figure(
            "free text: recall of names that stand in no list",
            f"{measured.recall('navn, unlisted'):.4f}",
            "printed",
            True,
        ),
        Figure("free text: false alarms per 1,000 plain words", f"{rate:.2f}", "printed", True),
    ]


@section("linking")
def linking(seeds: int) -> list[Figure]:
    """Linking: each stratum of 40,000 made-up Danes at least 98 %, by the lower Wilson bound."""
    from lakehouse.linking.judge import judge
    from lakehouse.linking.model import link
    from lakehouse.linking.specs import DANISH
    from lakehouse.synthetic.identities import two_registers

    registers = two_registers(40_000, secrets.randbits(31))
    links = link([registers.first, registers.second], DANISH)
    pairs = zip(links.pairs["id_l"], links.pairs["id_r"], strict=True)
    return [
        Figure(
            f"linking, {each.stratum}: least of precision and recall",
            f"{min(each.bounds):.4f}",
            ">= 0.98",
            each.good,
        )
        for each in judge(pairs, registers.truth, registers.strata)
        if each.judgeable
    ]
