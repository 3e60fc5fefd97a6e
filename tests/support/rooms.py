"""``make test ROOM=governance``: the test files of a room, told by what they import.

A room is any folder of the packages, by its name or path (``governance``, ``output_gate``, ``experiments/kernels``). A
test file belongs to it when it imports a module that lies in it, itself and not by its helpers, or stands in the
folder ``tests/<room>``. So nobody keeps a list, and a test that moves or imports something else is counted anew.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("lakehouse", "experiments")


def rooms() -> set[str]:
    """Every folder of the packages, as a path."""
    found = [path for package in PACKAGES for path in (ROOT / package).rglob("__init__.py")]
    return {path.parent.relative_to(ROOT).as_posix() for path in found}


def imported(path: Path) -> set[str]:
    """Dotted names that a file imports, wherever the statement stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_files(room: str) -> list[str]:
    """Test files of a room as paths; :class:`SystemExit` where there is no such room, with those there are."""
    wanted = room.strip("/")
    meant = {each for each in rooms() if each == wanted or each.endswith(f"/{wanted}")}
    if not meant and not (ROOT / "tests" / wanted).is_dir():
        raise SystemExit(f"There is no room {room!r}. There are: {', '.join(sorted(rooms()))}")
    prefixes = tuple(f"{each.replace('/', '.')}." for each in meant)
    return [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if (ROOT / "tests" / wanted) in path.parents
        or any(name.startswith(prefixes) for name in imported(path))
    ]


if __name__ == "__main__":
    print("\n".join(test_files(sys.argv[1])))
