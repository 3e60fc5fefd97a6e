"""A section of ``make prove``: how a measured figure is written, and the one register of sections.

A section is a function with :func:`section` above it, in any module of this folder; ``make prove CASE=name`` runs it, and
``make prove CASE=?`` lists all. An issue that promises figures adds its own module (``tests/proofs/case_a1.py``,
``@section("A1")``) and touches nothing else.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


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


Section = Callable[[int], list[Figure]]
"""Figures measured with so many seeds."""

SECTIONS: dict[str, Section] = {}
"""Every section by its name."""


def section(name: str) -> Callable[[Section], Section]:
    """Register a function as the section of this name; its docstring's first line is what the list says of it.

    Raises :class:`ValueError` where the name is taken.
    """

    def register(function: Section) -> Section:
        if name in SECTIONS:
            raise ValueError(f"Two sections of make prove are called {name!r}.")
        SECTIONS[name] = function
        return function

    return register


def tests_pass(name: str, selection: list[str], promised: str) -> Figure:
    """A promise whose proof is a set of tests: all of them pass, and there is at least one."""
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", *selection]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    last = run.stdout.strip().splitlines()[-1] if run.stdout.strip() else "nothing ran"
    return Figure(name, last.strip("= ").partition(" in ")[0], promised, run.returncode == 0)
