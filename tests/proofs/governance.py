"""What is permitted, read and let out: refusals, scope, the output gate, identity."""

from __future__ import annotations

import subprocess
import sys

from tests.proofs.figures import ROOT, Figure, section, tests_pass


@section("refusals")
def refusals(seeds: int) -> list[Figure]:
    """Item 6: reads outside the permit are refused, or recorded and the run marked."""
    selection = ["tests/governance", "tests/spark", "-k", "scope or study or permit"]
    return [tests_pass("out-of-scope reads refused or marked", selection, "all pass")]


@section("scope")
def scope(seeds: int) -> list[Figure]:
    """Permit, receipt, ledger, levels: the long proofs, and what accounting costs."""

    def fits(name: str, command: list[str], promised: str) -> Figure:
        run = subprocess.run(
            [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False
        )
        last = [line for line in run.stdout.strip().splitlines() if line] or ["nothing ran"]
        return Figure(name, last[-1].split(", ")[-1][:14], promised, run.returncode == 0)

    long = ["-m", "slow", "-s"]
    return [
        tests_pass(
            "1 M ledger entries verified on one core", [*long, "tests/governance/test_ledger.py"], "<= 60 s"
        ),
        tests_pass(
            "one person among 1,000 runs x 1 M persons",
            [*long, "tests/governance/test_person_sets.py"],
            "<= 5 s",
        ),
        tests_pass(
            "100 plans by hand: columns direct, filter, join",
            ["tests/spark/test_study_plans.py"],
            "all right",
        ),
        tests_pass(
            "sealed = guarded; a receipt repeats its run",
            [*long, "tests/e2e/test_sealed_run.py"],
            "same result",
        ),
        fits("240 legitimate jobs", ["-m", "tests.attacks.legitimate"], "0 refused"),
        fits("attacks of groups A and D, guarded and sealed", ["-m", "tests.attacks.suite"], "100 %"),
        fits("cost of gate and observer", ["-m", "tests.bench_scope"], "<= 5 %, 0.5 s"),
    ]


@section("gate")
def gate(seeds: int) -> list[Figure]:
    """What leaves: seeded disclosive outputs caught, clean ones passed, large ones judged in time."""
    from tests.governance.prove_gate import measure

    got = measure()
    return [
        Figure(
            "output gate: 1,000 disclosive outputs caught",
            f"{got.caught:.1%}",
            ">= 99.5 %",
            got.caught >= 0.995,
        ),
        Figure("output gate: 1,000 clean outputs passed", f"{got.passed:.1%}", ">= 98 %", got.passed >= 0.98),
        Figure(
            "output gate: a table of 10,000 cells",
            f"{got.table_seconds:.1f} s",
            "<= 2 s",
            got.table_seconds <= 2,
        ),
        Figure(
            "output gate: 100,000 item sets", f"{got.sets_seconds:.1f} s", "<= 60 s", got.sets_seconds <= 60
        ),
        Figure("output gate: a leak among them found", str(got.planted_found), "True", got.planted_found),
    ]


@section("identity")
def identity(seeds: int) -> list[Figure]:
    """Attack groups B and E: tokens, vault, four eyes, erasure; the whole space of numbers without the key."""
    vault = ["tests/governance/test_vault.py", "tests/governance/test_attack_identity.py"]
    whole = subprocess.run([sys.executable, "-m", "tests.attack_identity"], cwd=ROOT, check=False)
    return [
        Figure(
            "365,250,000 numbers without the key: hits",
            "0" if not whole.returncode else "some",
            "0",
            not whole.returncode,
        ),
        tests_pass("vault, rotation, shredding; tokens attacked", vault, "all pass"),
        tests_pass("a new root key: rows lost", ["tests/spark/test_root_rotation.py"], "all pass"),
        tests_pass("re-identification: refusals", ["tests/governance/test_reidentification.py"], "all pass"),
        tests_pass("an erased person: bytes left, ways back", ["tests/spark/test_erasure.py"], "all pass"),
    ]
