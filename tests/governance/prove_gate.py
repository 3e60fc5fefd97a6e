"""The output gate's promised figures, whole: 1,000 disclosive and 1,000 clean outputs, and the two large loads."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from lakehouse.governance.output_gate.limits_and_verdict import Limits
from lakehouse.governance.output_gate.patterns import PatternSet
from lakehouse.governance.output_gate.reasons import Rule
from tests.support.gate_loads import frequent_sets, wide_table
from tests.support.gate_runs import verdicts
from tests.support.leaks import CLEAN, LEAKS


@dataclass(frozen=True)
class GateFigures:
    """Shares of 1,000 each, and seconds."""

    caught: float
    passed: float
    table_seconds: float
    sets_seconds: float
    planted_found: bool


def measure(number: int = 1_000, sets: int = 100_000) -> GateFigures:
    """Everything anew with a fresh seed."""
    seed = secrets.randbits(40)
    through, _ = verdicts(LEAKS, number, seed)
    clean, _ = verdicts(CLEAN, number, seed)
    asked = wide_table(seed)
    began = time.perf_counter()
    asked.judge(Limits())
    table_seconds = time.perf_counter() - began
    load = frequent_sets(seed, sets)
    began = time.perf_counter()
    before = load.judge(Limits())
    sets_seconds = time.perf_counter() - began
    planted = PatternSet("planted", [*load.patterns, (0, 98), (0, 97, 98)], [*load.supports, 40, 37])
    found = [one for one in planted.judge(Limits()) if one.rule is Rule.PATTERN]
    more = sum(one.places for one in found) > sum(one.places for one in before if one.rule is Rule.PATTERN)
    return GateFigures(1 - through / number, clean / number, table_seconds, sets_seconds, more)
