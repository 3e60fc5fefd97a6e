"""``make structure`` finds what it is there to find, on tiny projects; and this project has nothing of it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.structure import ROOT, complaints, docstrings, modules

PROJECT = """
[tool.patternlake.structure]
docstrings_without_errors = {errors}
docstrings_without_axes = {axes}

[[tool.importlinter.contracts]]
type = "layers"
containers = ["lakehouse"]
layers = ["gold", "sources | delta", "errors"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in which nothing is wrong."""
    write(tmp_path, "lakehouse/gold/build.py", "from lakehouse.sources.codes import CODES\n")
    write(tmp_path, "lakehouse/sources/codes.py", "from lakehouse import errors\nCODES = errors\n")
    write(tmp_path, "lakehouse/delta/log.py", "def read() -> None: ...\n")
    write(tmp_path, "lakehouse/errors.py", "class DataError(Exception): ...\n")
    allow(tmp_path)
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    for folder in path.relative_to(root).parents[:-1]:
        (root / folder / "__init__.py").touch()


def allow(root: Path, errors: int = 0, axes: int = 0) -> None:
    write_to = root / "pyproject.toml"
    write_to.write_text(PROJECT.format(errors=errors, axes=axes), encoding="utf-8")


def wrong(root: Path) -> list[str]:
    return complaints(modules(root), root)


def test_this_project_has_no_circle_no_import_upward_and_no_folder_too_full() -> None:
    assert complaints(modules()) == []


def test_nothing_is_found_where_nothing_is_wrong(project: Path) -> None:
    assert wrong(project) == []


def test_a_circle_of_modules_is_found_wherever_the_import_stands(project: Path) -> None:
    write(project, "lakehouse/gold/marks.py", "from .build import build\n")
    write(project, "lakehouse/gold/build.py", "def build() -> None:\n    from lakehouse.gold import marks\n")
    assert wrong(project) == ["circle of modules: lakehouse.gold.build lakehouse.gold.marks"]


def test_a_circle_of_folders_is_found_where_no_module_has_one(project: Path) -> None:
    write(project, "experiments/run/one.py", "import experiments.report.two\n")
    write(project, "experiments/report/two.py", "")
    write(project, "experiments/report/three.py", "import experiments.run.four\n")
    write(project, "experiments/run/four.py", "")
    assert wrong(project) == ["circle of folders: experiments.report experiments.run"]


def test_an_import_upward_is_found_and_one_between_neighbours_kept_apart(project: Path) -> None:
    write(project, "lakehouse/errors.py", "import lakehouse.delta.log\n")
    write(project, "lakehouse/delta/log.py", "from lakehouse.sources.codes import CODES\n")
    found = wrong(project)
    assert "import upward in lakehouse: lakehouse.errors -> lakehouse.delta.log" in found
    assert "import upward in lakehouse: lakehouse.delta.log -> lakehouse.sources.codes" in found


def test_a_folder_too_full_is_found_sources_apart(project: Path) -> None:
    for at in range(21):
        write(project, f"lakehouse/delta/part{at}.py", "")
        write(project, f"lakehouse/sources/source{at}.py", "")
    assert wrong(project) == ["too full: lakehouse/delta holds 22 files, 20 at most"]


RAISES = '''
def refuse():
    """Refuses."""
    raise DataError("no")

def told():
    """Refuses with :class:`DataError`."""
    raise DataError("no")

def _private():
    raise DataError("no")

class Reader:
    """Reads; :class:`DataError` where a file is not one."""

    def read(self):
        """Read."""
        raise DataError("no")
'''

ARRAYS = '''
from numpy.typing import NDArray
Ints = NDArray[int]

def total(counts: Ints) -> int:
    """Sum."""

def shares(counts: Ints) -> NDArray[float]:
    """Shares of ``counts`` [stratum, code]."""

def named(name: str) -> str:
    """A name."""
'''


def test_docstrings_that_lack_errors_or_axes_are_named(project: Path) -> None:
    write(project, "lakehouse/delta/log.py", RAISES)
    write(project, "lakehouse/sources/codes.py", ARRAYS)
    found = docstrings(modules(project))
    assert found.lack_errors == ["lakehouse.delta.log:refuse (DataError)"]
    assert found.lack_axes == ["lakehouse.sources.codes:total"]
    assert (found.raising, found.arrays) == (3, 2)


def test_more_gaps_than_allowed_are_refused(project: Path) -> None:
    write(project, "lakehouse/delta/log.py", RAISES)
    assert len(wrong(project)) == 1
    allow(project, errors=1)
    assert wrong(project) == []


def defined(body: list[ast.stmt]) -> set[str]:
    """Names that statements of a module define, also below ``if`` and ``try``."""
    names: set[str] = set()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        else:
            names |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
            for inner in ("body", "orelse", "finalbody"):
                names |= defined(getattr(node, inner, []))
    return names


def test_every_name_that_a_test_or_module_imports_from_the_project_is_there() -> None:
    """What ``mypy`` holds for the packages, for the tests too: a name that moved breaks a whole file of them."""
    paths = [
        path for top in ("lakehouse", "experiments", "tests", "jobs") for path in (ROOT / top).rglob("*.py")
    ]
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths}
    dotted = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}
    known = {name.removesuffix(".__init__"): defined(trees[path].body) for name, path in dotted.items()}
    missing = []
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level and node.module in known:
                absent = {alias.name for alias in node.names} - known[node.module]
                missing += [
                    f"{path.relative_to(ROOT)}: {node.module}.{name}"
                    for name in absent
                    if f"{node.module}.{name}" not in known and name != "*"
                ]
    assert len(known) > 500
    assert missing == []
