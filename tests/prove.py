"""``make prove``: every promised figure beside its threshold, measured anew with fresh seeds; fails when one falls short.

Each section is a module of its own that can be run by itself; this one only calls them in turn and keeps
the count. A section prints lines ``ok`` or ``SHORT``, the figure, and what was promised.
"""

from __future__ import annotations

import argparse
import secrets
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from experiments.kernels.passes import OverPersons

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Figure:
    """One measured figure: what was promised (as text), and whether it was kept."""

    name: str
    value: str
    promised: str
    kept: bool

    def __str__(self) -> str:
        return (
            f"{'ok   ' if self.kept else 'SHORT'} {self.name:<66} {self.value:>14}   promised {self.promised}"
        )


def tests_pass(name: str, selection: list[str], promised: str) -> Figure:
    """A promise whose proof is a set of tests: all of them pass, and there is at least one."""
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", *selection]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    last = run.stdout.strip().splitlines()[-1] if run.stdout.strip() else "nothing ran"
    return Figure(name, last.strip("= ").partition(" in ")[0], promised, run.returncode == 0)


def oracle(seeds: int) -> list[Figure]:
    """Item 3: the finished table of a scan equals its definition read literally, and its margins agree."""
    from experiments.analyses.pairs.scan import scan
    from experiments.kernels.design import PairScanSettings
    from tests.oracles import pair_scan as definition
    from tests.support.small_worlds import as_persons, small_world

    worlds, rows, worst, drift = 0, 0, 0.0, 0.0
    for seed in (secrets.randbits(40) for _ in range(max(200, 10 * seeds))):
        people, codes = small_world(seed)
        answer = definition.scan(people)
        table = scan(OverPersons(as_persons(people, codes), pieces=3), PairScanSettings(codes)).table
        sums: dict[int, float] = defaultdict(float)
        for row in table.select(["code_a", "code_b", "O", "E", "V", "n_same_day"]).to_pylist():
            pair = (row["code_a"], row["code_b"])
            sums[row["code_b"]] += row["O"] - row["E"]
            seen = (row["O"], row["E"], row["V"], row["n_same_day"])
            said = (answer.observed, answer.expected, answer.variance, answer.same_day)
            worst = max(worst, *(abs(one - other[pair]) for one, other in zip(seen, said, strict=True)))
        worlds, rows = worlds + 1, rows + table.num_rows
        drift = max([drift, *(abs(value) for value in sums.values())])
    return [
        Figure("pair scan = oracle: random worlds compared", f"{worlds}", ">= 200", worlds >= 200),
        Figure(
            "pair scan = oracle: largest difference", f"{worst:.1e}", "<= 1e-9", rows > 0 and worst <= 1e-9
        ),
        Figure("sum over a of O = sum over a of E: largest gap", f"{drift:.1e}", "<= 1e-9", drift <= 1e-9),
        tests_pass(
            "invariant under partitions, order, batch cuts", ["tests/spark/test_carrier.py"], "all pass"
        ),
    ]


def calibration(seeds: int) -> list[Figure]:
    """Item 4: null worlds stay quiet, planted worlds give up what was planted (prints its own figures)."""
    command = [sys.executable, "-m", "tests.statistics.calibration", "--seeds", str(seeds)]
    run = subprocess.run(command, cwd=ROOT, check=False)
    return [
        Figure(
            "calibration figures above",
            "all hold" if not run.returncode else "short",
            "all hold",
            not run.returncode,
        )
    ]


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


def refusals(seeds: int) -> list[Figure]:
    """Item 6: reads outside the permit are refused, or recorded and the run marked."""
    selection = ["tests/governance", "tests/spark", "-k", "scope or study or permit"]
    return [tests_pass("out-of-scope reads refused or marked", selection, "all pass")]


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


def spoiled(seeds: int) -> list[Figure]:
    """Spoiled files: refused with a clear error, or every row in silver or quarantine."""
    command = [sys.executable, "-m", "tests.e2e.spoil_files", "--files", "300"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    last = told.stdout.strip().splitlines()[-1] if told.stdout.strip() else "nothing ran"
    return [Figure("300 spoiled files", last.partition(": ")[2][:60], "nothing lost", told.returncode == 0)]


def sources(seeds: int) -> list[Figure]:
    """Every source with every trap: the lake's counts are the generator's own books."""
    selection = ["tests/spark/test_traps_generated.py"]
    return [tests_pass("all sources and traps against the generator's books", selection, "all pass")]


def submit(seeds: int) -> list[Figure]:
    """Item 2: spark-submit from a foreign directory, on a local cluster and on a standalone master."""
    return [tests_pass("spark-submit with the zipped wheel", ["tests/e2e/test_submit.py"], "all pass")]


def redeliveries(seeds: int) -> list[Figure]:
    """A lake of many deliveries holds what a lake of the last one holds."""
    selection = ["tests/spark/test_redelivery.py"]
    return [tests_pass("random sequences of deliveries equal the last alone", selection, "all pass")]


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


def tutorial(seeds: int) -> list[Figure]:
    """The documentation, run as it stands."""
    selection = ["tests/docs", "tests/e2e/test_tutorial.py", "tests/browser"]
    return [tests_pass("every documented command, and the report in a real browser", selection, "all pass")]


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


def toolbox(seeds: int) -> list[Figure]:
    """The exploratory toolbox: null and planted worlds of its jobs, kept counts, every kernel against its oracle."""
    from tests.statistics.toolbox import figures

    measured = [Figure(each.name, each.measured, each.promised, each.holds) for each in figures(seeds)]
    kernels = ["care", "cohort", "competing", "incremental_counts", "fingerprints", "blocks"]
    return [
        *measured,
        tests_pass(
            "toolbox kernels = oracles; recounting = full run",
            [f"tests/kernels/test_{name}.py" for name in kernels],
            "all pass",
        ),
        tests_pass(
            "counts kept between versions: the table of a full run",
            ["tests/spark/test_kept_job.py"],
            "all pass",
        ),
    ]


def exploratory(seeds: int) -> list[Figure]:
    """Trajectories, side effects, sets and sequences: quiet nulls, planted patterns found (prints its own figures)."""
    command = [sys.executable, "-m", "tests.statistics.exploratory", "--seeds", str(seeds)]
    run = subprocess.run(command, cwd=ROOT, check=False)
    told = "short" if run.returncode else "all hold"
    return [Figure("exploratory figures above", told, "all hold", not run.returncode)]


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


SECTIONS: dict[str, Callable[[int], list[Figure]]] = {
    "oracle": oracle,
    "calibration": calibration,
    "exploratory": exploratory,
    "canary": canary,
    "refusals": refusals,
    "kills": kills,
    "writers": writers,
    "spoiled": spoiled,
    "sources": sources,
    "submit": submit,
    "redeliveries": redeliveries,
    "gate": gate,
    "tutorial": tutorial,
    "scope": scope,
    "toolbox": toolbox,
    "identity": identity,
    "freetext": freetext,
    "linking": linking,
}


def main() -> int:
    """Run the chosen sections; 1 when a figure falls short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", choices=SECTIONS, action="append")
    given = parser.parse_args()
    short = 0
    for name in given.only or SECTIONS:
        began = time.perf_counter()
        figures = SECTIONS[name](given.seeds)
        for figure in figures:
            print(figure, flush=True)
            short += not figure.kept
        print(f"      ({name}: {time.perf_counter() - began:.0f} s)\n", flush=True)
    print(f"{short} figure(s) fall short." if short else "Every figure holds.")
    return 1 if short else 0


if __name__ == "__main__":
    raise SystemExit(main())
