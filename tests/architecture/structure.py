"""``make structure``: where the project stands as a building, and what may not get worse.

Prints files a folder, floors (layers of imports), circles, lengths of modules and functions, and public docstrings
that lack errors or axes. Fails on a circle, on an import upward, on a folder that is too full, and when more
docstrings lack something than ``[tool.patternlake.structure]`` of ``pyproject.toml`` allows; those numbers may only fall.

How each thing is told (nothing is imported, every file is parsed once):

* An *import* is every ``import`` of a module of the project, also one inside a function or for types alone.
* A *box* is what a ``layers`` contract of import-linter names: a room (a folder with all below it) or a single module of
  the container. A *circle* is a set of modules, or of folders, that all reach each other by imports. Between folders
  a package and its own sub-folders are left apart: ``__init__`` may hand on what lies below it, and what lies below
  may use the package's own modules.
* *Upward* is an import from a layer to one above it, or between two boxes of one layer that ``|`` keeps apart.
* *Floors* of a container are the longest chain of rooms that import one another, single modules apart.
* A *length* is lines of a file, or of a function from ``def`` to its end.
* *Lacks errors*: a public function (no leading underscore, in no private class, in no function) that says
  ``raise Name(...)`` itself, and whose docstring (or its class's) does not contain that name for every such name.
  ``NotImplementedError``, ``AssertionError``, ``SystemExit``, ``Exit`` and a bare ``raise`` do not count.
* *Lacks axes*: a public function with an array among its parameters or in its result (an annotation that contains
  ``NDArray`` or ``ndarray``, or a name that its module defines as such), and whose docstring gives no axes in square
  brackets (``[person, 2]``) and none of the words axis, axes, shape, row, column, length, "one a", "one for each", per.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("lakehouse", "experiments")
TOP = 20
"""Files a folder may hold, ``__init__`` not counted."""
LARGE = ("lakehouse/sources", "lakehouse/synthetic")
"""Folders of declarations, one file a source: they may hold any number."""
NO_ERROR = {"NotImplementedError", "AssertionError", "SystemExit", "Exit"}
AXES = re.compile(
    r"\[[\w ,.+*:x()-]+\]|\b(axis|axes|shapes?|rows?|columns?|lengths?|per|one an?|one (?:\w+ )?for each)\b",
    re.I,
)
ARRAY = re.compile(r"\b(NDArray|ndarray)\b")

Graph = dict[str, set[str]]
"""Who imports whom: names of modules, or of folders."""


@dataclass
class Module:
    """One parsed file: its dotted name, its lines, what it imports, and what its docstrings lack."""

    name: str
    package: bool
    tree: ast.Module
    lines: int
    imports: set[str] = field(default_factory=set)

    @property
    def folder(self) -> str:
        """The package the file lies in."""
        return self.name if self.package else self.name.rpartition(".")[0]


@dataclass(frozen=True)
class Layers:
    """One contract: the boxes of a container by layer (0 is the lowest), and those that a layer keeps apart."""

    container: str
    height: dict[str, int]
    apart: set[int]


def modules(root: Path = ROOT) -> dict[str, Module]:
    """All modules of the packages by their dotted names, with what they import of each other."""
    found: dict[str, Module] = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            text = path.read_text(encoding="utf-8")
            found[name] = Module(name, is_package, ast.parse(text), len(text.splitlines()))
    for module in found.values():
        module.imports = {each for each in imported(module, found) if each != module.name}
    return found


def imported(module: Module, known: dict[str, Module]) -> Iterator[str]:
    """Modules of the project that a module imports, wherever the statement stands."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.folder.split(".")[: len(module.folder.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                if whole in known:
                    yield whole
                elif base in known:
                    yield base


def circles(graph: Graph) -> list[list[str]]:
    """Sets of more than one node that all reach each other (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on: set[str] = set()
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        on.add(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in on:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            members = []
            while True:
                last = stack.pop()
                on.discard(last)
                members.append(last)
                if last == node:
                    break
            if len(members) > 1:
                found.append(sorted(members))

    sys.setrecursionlimit(max(sys.getrecursionlimit(), 10 * len(graph) + 1000))
    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def related(one: str, other: str) -> bool:
    """Whether one of two packages lies in the other."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def folder_graph(found: dict[str, Module]) -> Graph:
    """Which folder imports which, a package and its own sub-folders left apart."""
    graph: Graph = {}
    for module in found.values():
        mine = graph.setdefault(module.folder, set())
        mine |= {
            found[each].folder for each in module.imports if not related(found[each].folder, module.folder)
        }
    return graph


def allowed_gaps(root: Path = ROOT) -> dict[str, int]:
    """How many docstrings may lack something: ``[tool.patternlake.structure]`` of ``pyproject.toml``."""
    tools = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    return dict(tools["patternlake"]["structure"])


def contracts(root: Path = ROOT) -> list[Layers]:
    """The ``layers`` contracts of ``pyproject.toml``."""
    linter = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    got = []
    for contract in linter["contracts"]:
        if contract["type"] != "layers":
            continue
        layers = [re.split(r"\s*[|:]\s*", layer.strip()) for layer in reversed(contract["layers"])]
        height = {box: at for at, boxes in enumerate(layers) for box in boxes}
        apart = {at for at, layer in enumerate(reversed(contract["layers"])) if ":" not in layer}
        got += [Layers(container, height, apart) for container in contract["containers"]]
    return got


def upward(found: dict[str, Module], layers: Layers) -> list[str]:
    """Imports against the layers, as ``importer -> imported``."""
    wrong = []
    start = len(layers.container) + 1
    for module in found.values():
        for other in sorted(module.imports):
            if not (
                module.name.startswith(f"{layers.container}.") and other.startswith(f"{layers.container}.")
            ):
                continue
            mine, theirs = (name[start:].partition(".")[0] for name in (module.name, other))
            if mine == theirs or mine not in layers.height or theirs not in layers.height:
                continue
            step = layers.height[theirs] - layers.height[mine]
            if step > 0 or (step == 0 and layers.height[mine] in layers.apart):
                wrong.append(f"{module.name} -> {other}")
    return wrong


def floors(found: dict[str, Module], layers: Layers) -> dict[str, int]:
    """The floor of each room of a container (a folder with all below it): 1 where it imports no other room of it."""
    start = len(layers.container) + 1
    rooms: Graph = {}
    for module in found.values():
        if module.folder.startswith(f"{layers.container}."):
            below = [found[each].folder for each in module.imports]
            names = {
                each[start:].partition(".")[0] for each in below if each.startswith(f"{layers.container}.")
            }
            rooms.setdefault(module.folder[start:].partition(".")[0], set()).update(names)
    for room, others in rooms.items():
        others.discard(room)
    height = dict.fromkeys(rooms, 1)
    for _ in rooms:
        height = {
            room: 1 + max((height[each] for each in others), default=0) for room, others in rooms.items()
        }
    return height


def files(found: dict[str, Module]) -> Counter[str]:
    """Modules a folder, its ``__init__`` not counted; folders as paths."""
    return Counter(each.folder.replace(".", "/") for each in found.values() if not each.package)


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a file, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def public(
    body: Iterable[ast.stmt], said: str = "", inside: str = ""
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef, str]]:
    """Public functions with their names and docstrings; a method's docstring is read together with its class's."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public(node.body, ast.get_docstring(node) or "", f"{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield f"{inside}{node.name}", node, f"{said}\n{ast.get_docstring(node) or ''}"


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """What stands in a function itself, not in one defined inside it."""
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield child
            yield from own_nodes(child)


def errors_raised(function: ast.AST) -> set[str]:
    """Names of the exceptions that a function raises itself."""
    names = set()
    for node in own_nodes(function):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            called = node.exc.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name[:1].isupper() and name not in NO_ERROR:
                names.add(name)
    return names


def aliases(tree: ast.Module) -> set[str]:
    """Names that a file defines, or imports from a file that may define them, as arrays."""
    return {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and ARRAY.search(ast.unparse(node.value))
        for target in node.targets
        if isinstance(target, ast.Name) and target.id[:1].isupper()
    }


def has_arrays(function: ast.FunctionDef | ast.AsyncFunctionDef, names: set[str]) -> bool:
    """Whether a parameter or the result is an array by its annotation."""
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    written = [ast.unparse(each.annotation) for each in every if each and each.annotation]
    written += [ast.unparse(function.returns)] if function.returns else []
    return any(ARRAY.search(text) or names & set(re.findall(r"\w+", text)) for text in written)


@dataclass(frozen=True)
class Docstrings:
    """Public functions that raise or have arrays, and those of them whose docstrings do not say so."""

    raising: int
    arrays: int
    lack_errors: list[str]
    lack_axes: list[str]


def docstrings(found: dict[str, Module]) -> Docstrings:
    """What the docstrings of public functions lack."""
    raising = arrays = 0
    lack_errors, lack_axes = [], []
    for module in found.values():
        names = aliases(module.tree)
        for name, function, said in public(module.tree.body):
            raised = errors_raised(function)
            raising += bool(raised)
            if not all(re.search(rf"\b{each}\b", said) for each in raised):
                lack_errors.append(f"{module.name}:{name} ({', '.join(sorted(raised))})")
            if has_arrays(function, names):
                arrays += 1
                if not AXES.search(said):
                    lack_axes.append(f"{module.name}:{name}")
    return Docstrings(raising, arrays, lack_errors, lack_axes)


def quantiles(values: list[int]) -> str:
    """Values at 50, 90 and 100 %."""
    values = sorted(values)
    return " / ".join(
        str(values[min(len(values) - 1, int(len(values) * share))]) for share in (0.5, 0.9, 1.0)
    )


def complaints(found: dict[str, Module], root: Path = ROOT) -> list[str]:
    """What is not allowed, a line each."""
    wrong = [
        f"circle of modules: {' '.join(each)}"
        for each in circles({m.name: m.imports for m in found.values()})
    ]
    wrong += [f"circle of folders: {' '.join(each)}" for each in circles(folder_graph(found))]
    for layers in contracts(root):
        wrong += [f"import upward in {layers.container}: {each}" for each in upward(found, layers)]
    for folder, count in files(found).items():
        if count > TOP and not any(
            related(folder.replace("/", "."), each.replace("/", ".")) for each in LARGE
        ):
            wrong.append(f"too full: {folder} holds {count} files, {TOP} at most")
    held = allowed_gaps(root)
    said = docstrings(found)
    for what, lacking in (("errors", said.lack_errors), ("axes", said.lack_axes)):
        allowed = held[f"docstrings_without_{what}"]
        if len(lacking) > allowed:
            wrong.append(
                f"docstrings without {what}: {len(lacking)}, {allowed} at most (make structure LIST={what})"
            )
    return wrong


def tell(found: dict[str, Module]) -> None:
    """Print everything that is measured."""
    full = files(found)
    print("Files a folder:")
    for folder, count in sorted(full.items(), key=lambda each: (-each[1], each[0])):
        print(f"  {count:3}  {folder}")
    print("\nFloors (rooms import those below them):")
    for layers in contracts():
        height = floors(found, layers)
        print(f"  {layers.container}")
        for at in sorted(set(height.values()), reverse=True):
            print(f"    {at:2}  {'  '.join(sorted(room for room, floor in height.items() if floor == at))}")
    graph = folder_graph(found)
    arrows = sum(len(others) for others in graph.values())
    lengths = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for m in found.values()
        for node in functions(m.tree)
    ]
    said = docstrings(found)
    print(f"\nModules: {len(found)}, folders: {len(graph)}, arrows between folders: {arrows}")
    print(f"Lines a module at 50/90/100 %:   {quantiles([each.lines for each in found.values()])}")
    print(f"Lines a function at 50/90/100 %: {quantiles(lengths)}")
    held = allowed_gaps()
    print(
        f"Public functions that raise: {said.raising}; docstrings without errors: {len(said.lack_errors)} "
        f"(at most {held['docstrings_without_errors']})"
    )
    print(
        f"Public functions with arrays: {said.arrays}; docstrings without axes: {len(said.lack_axes)} "
        f"(at most {held['docstrings_without_axes']})"
    )


def main() -> int:
    """Print the structure and what is wrong with it; 1 when something is."""
    parser = argparse.ArgumentParser(description="Structure of the project; fails on what is not allowed.")
    parser.add_argument(
        "--list", choices=["errors", "axes"], help="name the functions whose docstrings lack these"
    )
    given = parser.parse_args()
    found = modules()
    if given.list:
        said = docstrings(found)
        print("\n".join(sorted(said.lack_errors if given.list == "errors" else said.lack_axes)))
        return 0
    tell(found)
    wrong = complaints(found)
    print(
        "\n"
        + ("\n".join(f"WRONG  {each}" for each in wrong) or "No circle, nothing upward, no folder too full.")
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
