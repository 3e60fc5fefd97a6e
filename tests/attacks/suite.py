"""``make attack``: groups A and D against plain Spark, the Guarded and the Sealed level, C6 to C8 against the gate."""

from __future__ import annotations

import argparse
import json
import secrets
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from experiments.sealed import sandbox
from experiments.sealed.outside import OUT, fresh_extract, sandbox_for
from lakehouse.errors import PatternlakeError
from lakehouse.lake import Lake
from lakehouse.session import spark_session
from lakehouse.settings import Settings, load_settings
from lakehouse.study.extract import seal
from lakehouse.study.session import open_data
from tests.attacks import inside
from tests.attacks.group_a import ATTACKS
from tests.attacks.lab import Result, attack_guarded, attack_plain, listed, make_lake
from tests.support import leaks
from tests.support.gate_runs import verdicts

LEVELS = ("plain", "guarded", "sealed")
ROOT = Path(__file__).resolve().parents[2]


def sealed(settings: Settings, by: str | None = None) -> dict[str, Result]:
    """All attacks from inside a sandbox, and the launcher's own refusals; the extract must have been cut."""
    extract = fresh_extract(settings, "attack", "anna")
    script = Path(inside.__file__)
    with sandbox_for(settings, extract, script) as (confined, work):
        confined = replace(confined, read={**confined.read, "/sealed/code/tests": ROOT / "tests"})
        command = [sys.executable, "-m", "tests.attacks.inside", str(settings.lake / "gold"), OUT]
        code = sandbox.run(confined, command, by)
        if code:
            raise SystemExit(f"The sandbox ended with code {code}.")
        told = json.loads((work / "out" / "results.json").read_text("utf-8"))
    found = {name: Result(**each) for name, each in told.items()}
    return found | {each.name: each for each in outside(settings)}


def outside(settings: Settings) -> list[Result]:
    """What the launcher refuses: an ended permit, a list that has changed since the extract was cut."""
    told = []
    permit = settings.definition("permits", "attack")
    for name, path, change in (
        (inside.OUTSIDE[0], permit, ("2099-12-31", "2025-12-31")),
        (inside.OUTSIDE[1], listed(settings), ("\n", "\n01" + "ab" * 16 + "\n")),
    ):
        before = path.read_text()
        path.write_text(before.replace(*change))
        try:
            fresh_extract(settings, "attack", "anna")
            told.append(Result(name, "got", "the launcher let it through"))
        except PatternlakeError as refusal:
            told.append(Result(name, "stopped", refusal.what[:160]))
        finally:
            path.write_text(before)
    return told


def run(levels: list[str], settings: Settings) -> dict[str, dict[str, Result]]:
    """Outcomes by level and attack."""
    spark = spark_session(settings, "attack suite")
    found: dict[str, dict[str, Result]] = {}
    try:
        make_lake(spark, settings)
        if "plain" in levels:
            found["plain"] = {name: attack_plain(spark, settings, name) for name in ATTACKS}
        if "guarded" in levels:
            found["guarded"] = {name: attack_guarded(spark, settings, name) for name in ATTACKS}
        if "sealed" in levels:
            seal(Lake(spark, settings), open_data(spark, settings, "attack", actor="anna"))
    finally:
        spark.stop()
    if "sealed" in levels:
        found["sealed"] = sealed(settings)
    return found


def table(found: dict[str, dict[str, Result]], *, detail: bool = False) -> str:
    """The outcomes as text, one line an attack."""
    lines = ["  ".join([f"{'attack':<62}", *(f"{level:<8}" for level in found)])]
    for name in ATTACKS:
        lines.append(
            "  ".join([f"{name[:62]:<62}", *(f"{found[level][name].outcome:<8}" for level in found)])
        )
        if detail:
            lines += [f"      {level}: {found[level][name].how}" for level in found if level != "plain"]
    for level, results in found.items():
        stopped, marked = (
            sum(each.outcome == word for each in results.values()) for word in ("stopped", "marked")
        )
        lines.append(
            f"{level}: {stopped} of {len(results)} stopped ({stopped / len(results):.0%}), {marked} marked"
        )
    return "\n".join(lines)


OUTPUTS = {
    "C6 a sum that one person dominates": leaks.dominance,
    "C7 a model with too few degrees of freedom": leaks.freedom,
    "C8 a survival step of one person": leaks.survival,
}
"""What gives a reading away through a result, by the makers of the output gate's tests."""


def outputs(number: int = 50) -> list[tuple[str, int, int]]:
    """Each attack through results, how many of its seeded cases the output gate let pass, and of how many."""
    seed = secrets.randbits(40)
    return [(name, verdicts([maker], number, seed)[0], number) for name, maker in OUTPUTS.items()]


def main() -> int:
    """Print the table; 1 when an attack got something: unseen at the Guarded level, at all at the Sealed one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--levels", nargs="+", choices=LEVELS, default=list(LEVELS))
    parser.add_argument("--detail", action="store_true", help="say how each attack ended")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="patternlake-attack-") as place:
        Path(place).chmod(0o711)
        found = run(given.levels, load_settings(Path(place) / "home", "test"))
    print(table(found, detail=given.detail))
    through = outputs()
    for name, passed, number in through:
        print(f"{name:<62}  {number - passed} of {number} refused by the output gate")
    ledger = [sys.executable, "-m", "pytest", "-q", "-m", "not slow", "tests/governance/test_ledger.py"]
    failed = subprocess.run(ledger, cwd=ROOT, check=False).returncode
    held = {"plain": ("stopped", "marked", "got"), "guarded": ("stopped", "marked"), "sealed": ("stopped",)}
    missed = [each for level in found for each in found[level].values() if each.outcome not in held[level]]
    return 1 if missed or failed or any(passed for _, passed, _ in through) else 0


if __name__ == "__main__":
    sys.exit(main())
