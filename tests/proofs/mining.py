"""What is mined: counts that equal their definition, quiet null worlds, planted patterns found."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections import defaultdict

from experiments.kernels.passes import OverPersons
from tests.proofs.figures import ROOT, Figure, section, tests_pass


@section("oracle")
def oracle(seeds: int) -> list[Figure]:
    """Item 3: the finished table of a scan equals its definition read literally, and its margins agree."""
    from experiments.analyses.pairs.scan import scan
    from experiments.kernels.design import PairScanSettings
    from tests.oracles import pair_scan as definition
    from tests.support.small_worlds import as_persons, small_world

    worlds, rows, worst, drift = 0, 0, 0.0, 0.0
    for seed in (secrets.randbits(40) for _ in range(max(200, 10 * seeds))):
        people, codes = small_world(seed)
        answer = definition.scan(people, cuts=definition.cuts_of(people))
        table = scan(OverPersons(as_persons(people, codes), pieces=3), PairScanSettings(codes)).table
        sums: dict[int, float] = defaultdict(float)
        for row in table.select(["code_a", "code_b", "O", "E", "V", "n_same_day", "comparable"]).to_pylist():
            pair = (row["code_a"], row["code_b"])
            sums[row["code_b"]] += row["O"] - row["E"]
            seen = (row["O"], row["E"], row["V"], row["n_same_day"], row["comparable"])
            own, shared = answer.own[row["code_a"]]
            variance = answer.variance[pair] * (1 - shared)
            said = (answer.observed[pair], answer.expected[pair], variance, answer.same_day[pair], 1 - own)
            worst = max(worst, *(abs(one - other) for one, other in zip(seen, said, strict=True)))
        worlds, rows = worlds + 1, rows + table.num_rows
        drift = max([drift, *(abs(value) for value in sums.values())])
    return [
        Figure("pair scan = oracle: random worlds compared", f"{worlds}", ">= 200", worlds >= 200),
        Figure(
            "pair scan = oracle: largest difference", f"{worst:.1e}", "<= 1e-9", rows > 0 and worst <= 1e-9
        ),
        Figure("sum over a of O = sum over a of E: largest gap", f"{drift:.1e}", "<= 1e-9", drift <= 1e-9),
        tests_pass(
            "invariant under partitions, order, batch cuts", ["tests/spark/test_over_spark.py"], "all pass"
        ),
    ]


@section("calibration")
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


@section("exploratory")
def exploratory(seeds: int) -> list[Figure]:
    """Trajectories, side effects, sets and sequences: quiet nulls, planted patterns found (prints its own figures)."""
    command = [sys.executable, "-m", "tests.statistics.exploratory", "--seeds", str(seeds)]
    run = subprocess.run(command, cwd=ROOT, check=False)
    told = "short" if run.returncode else "all hold"
    return [Figure("exploratory figures above", told, "all hold", not run.returncode)]


@section("toolbox")
def toolbox(seeds: int) -> list[Figure]:
    """The exploratory toolbox: null and planted worlds of its jobs, incremental counts, every kernel against its oracle."""
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
            ["tests/spark/test_incremental_job.py"],
            "all pass",
        ),
    ]
