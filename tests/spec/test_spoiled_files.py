"""Spoiled files are refused with a clear error or read with every row accounted for; nothing crashes, nothing shows."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.e2e.spoil_files import pseudonymised_outcome


@pytest.mark.parametrize("part", range(4))
def test_spoiled_files_are_refused_or_accounted_for(tmp_path: Path, part: int) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    numbers = random.Random(seed)
    outcomes = [pseudonymised_outcome(tmp_path, number, numbers) for number in range(25)]
    assert [each for each in outcomes if each.wrong] == [], f"part {part}, seed {seed}"
    assert {each.refused for each in outcomes} == {True, False}
