"""The output gate over many seeded outputs: which makers' cases were caught, which were let through."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lakehouse.governance.output_gate.gate import judge
from lakehouse.governance.output_gate.limits_and_verdict import GateRecord, Limits
from lakehouse.governance.output_gate.memory import Memory
from tests.support.leaks import Case, Maker


def through_the_gate(case: Case, folder: Path) -> GateRecord:
    """The verdict on one case, with its history in a memory of its own."""
    memory = Memory(folder / "memory", folder / "keys" / "memory.key")
    for number, old in enumerate(case.before):
        population = old.get("population")
        memory.remember(
            f"r{number}", old.get("study", "s"), old.get("counts", {}),
            None if population is None else memory.commit(population),
            {name: memory.commit(group) for name, group in old.get("sets", {}).items()},
        )  # fmt: skip
    return judge(
        case.outputs, Limits(), memory=memory, study="s", counts=case.counts, exports_lately=case.exports,
        population=None if case.population is None else memory.commit(case.population),
        sets={name: memory.commit(group) for name, group in case.sets.items()},
    )  # fmt: skip


def verdicts(makers: Sequence[Maker], number: int, seed: int) -> tuple[int, Counter[str]]:
    """How many of ``number`` cases passed, and which kinds failed; every maker gets its turn."""
    passed, failed = 0, Counter[str]()
    for each in range(number):
        rng = np.random.default_rng([seed, each])
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "out").mkdir()
            case = makers[each % len(makers)](rng, folder / "out")
            record = through_the_gate(case, folder)
        passed += record.passed
        if not record.passed:
            failed[case.what] += 1
    return passed, failed
