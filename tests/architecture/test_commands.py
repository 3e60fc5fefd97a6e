"""What ``make`` is asked for by name is found by name: the tests of a room, the sections of ``make prove``."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.proofs.figures import SECTIONS, Figure, section
from tests.prove import chosen, listed
from tests.support import rooms


def test_a_room_has_the_tests_that_import_its_modules() -> None:
    gate = rooms.test_files("output_gate")
    assert "tests/governance/test_gate.py" in gate
    assert set(gate) < set(rooms.test_files("governance")), "what lies in a room lies in the one around it"
    assert "tests/kernels/test_packing.py" in rooms.test_files("experiments/kernels")
    assert "tests/kernels/test_packing.py" not in gate


def test_a_room_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(SystemExit, match="output_gate"):
        rooms.test_files("nonsense")


def test_sections_are_found_by_name_in_large_or_small_letters() -> None:
    assert chosen(["GATE", "oracle"]) == ["gate", "oracle"]
    assert chosen([]) == list(SECTIONS)
    assert all(f"  {name} " in listed() for name in SECTIONS)
    with pytest.raises(SystemExit, match="no section nonsense"):
        chosen(["nonsense"])


def test_two_sections_of_one_name_are_refused() -> None:
    def other(seeds: int) -> list[Figure]:
        return []

    with pytest.raises(ValueError, match="gate"):
        section("gate")(other)


def test_make_prove_lists_without_running() -> None:
    command = [sys.executable, "-m", "tests.prove", "--only", "?"]
    run = subprocess.run(command, cwd=rooms.ROOT, capture_output=True, text=True, check=True)
    assert "gate" in run.stdout and "promised" not in run.stdout
