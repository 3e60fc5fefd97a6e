"""``make prove``: every promised figure beside its threshold, measured anew with fresh seeds; fails when one falls short.

The sections stand in ``tests/proofs``; this module finds them, runs those that are asked for and keeps the count. A
section prints lines ``ok`` or ``SHORT``, the figure, and what was promised.
"""

from __future__ import annotations

import argparse
import importlib
import time
from pathlib import Path

from tests.proofs.figures import SECTIONS

for module in sorted((Path(__file__).parent / "proofs").glob("*.py")):
    importlib.import_module(f"tests.proofs.{module.stem}")


def listed() -> str:
    """Names of all sections, each with what it proves."""
    lines = [(name, (run.__doc__ or "").strip().splitlines()[0]) for name, run in SECTIONS.items()]
    return "\n".join(f"  {name:<14} {said}" for name, said in lines)


def chosen(asked: list[str]) -> list[str]:
    """Sections by the names asked for, large and small letters alike; all where none was; :class:`SystemExit` for others."""
    known = {name.lower(): name for name in SECTIONS}
    if unknown := [name for name in asked if name.lower() not in known]:
        raise SystemExit(f"There is no section {', '.join(unknown)}. There are:\n{listed()}")
    return [known[name.lower()] for name in asked] or list(SECTIONS)


def main() -> int:
    """Run the chosen sections; 1 when a figure falls short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", metavar="SECTION", action="append", default=[])
    parser.add_argument("--list", action="store_true", help="name the sections and run none")
    given = parser.parse_args()
    if given.list or "?" in given.only:
        print(listed())
        return 0
    short = 0
    for name in chosen(given.only):
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
