"""Find every family: the frozen dataclasses with ``family`` in modules whose name ends in ``_definition``."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.resources import files
from importlib.resources.abc import Traversable

from lakehouse.definitions.loader import family_name
from lakehouse.definitions.words import nearest
from lakehouse.errors import UsageError

SUFFIX = "_definition.py"


def families(*packages: str) -> dict[str, type]:
    """Families by name, found by looking through the folders of the packages; only the modules found are imported."""
    found: dict[str, type] = {}
    for package in packages:
        for module in modules(files(package), package):
            for each in vars(import_module(module)).values():
                if isinstance(each, type) and each.__module__ == module and "family" in vars(each):
                    found[family_name(each)] = each
    return dict(sorted(found.items()))


def modules(folder: Traversable, package: str) -> Iterator[str]:
    """Names of modules that declare families, below a folder of a package (also in a zip)."""
    for each in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if each.is_dir() and each.name.isidentifier():
            yield from modules(each, f"{package}.{each.name}")
        elif each.name.endswith(SUFFIX):
            yield f"{package}.{each.name.removesuffix('.py')}"


def family_called(known: dict[str, type], name: str) -> type:
    """A family by its name; :class:`UsageError` with the nearest and all known names."""
    if name in known:
        return known[name]
    raise UsageError(f"There is no family '{name}'{nearest(name, known)}.", "", f"Known: {', '.join(known)}.")
