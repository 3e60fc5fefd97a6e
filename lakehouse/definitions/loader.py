"""Load a definition file of any family: the home's own ``conf`` first, then the project's; all its faults at once."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from lakehouse.definitions.canonical import content_hash
from lakehouse.definitions.reading import BROKEN, Fault, Reader
from lakehouse.definitions.values import Reference, Text
from lakehouse.definitions.words import nearest
from lakehouse.errors import ConfigurationError
from lakehouse.settings import Settings, conf_dir, read_toml

F = TypeVar("F")
ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
ID_IN_WORDS = "1 to 63 of a-z, 0-9, '-' and '_', of which the first is a letter or a digit"


@dataclass(frozen=True)
class Head:
    """What stands in every definition file beside the content of its family."""

    id: str
    version: int
    title: Text


HEAD = [field.name for field in dataclasses.fields(Head)]


@dataclass(frozen=True)
class Definition(Generic[F]):
    """A checked definition: ``content`` is the family's dataclass, ``hash`` is over everything the file says.

    ``uses`` are the definitions it refers to, directly and through others; their hashes are part of ``hash``.
    """

    family: str
    id: str
    version: int
    title: Text
    content: F
    hash: str
    path: Path
    uses: tuple[Definition[Any], ...] = ()

    @property
    def name(self) -> str:
        """How a receipt calls it: ``family/id@version``."""
        return f"{self.family}/{self.id}@{self.version}"

    @property
    def hashes(self) -> dict[str, str]:
        """Hash by name of this definition and of those it refers to."""
        return {each.name: each.hash for each in (self, *self.uses)}

    def referred(self, reference: Reference[Any]) -> Definition[Any]:
        """The definition behind a reference of the content; ``KeyError`` for a reference of another definition."""
        return {each.name: each for each in self.uses}[reference.name]


def load(settings: Settings, family: type[F], id: str) -> Definition[F]:
    """Read and check ``conf/<family>/<id>.toml``.

    ``family`` is a frozen dataclass whose class variable ``family`` names the folder. Raises
    :class:`ConfigurationError` where there is no such file, or naming every fault of it: the key, what was
    expected, and the nearest known key.
    """
    return _load(settings, family, id, ())


def _load(settings: Settings, family: type[F], id: str, trail: tuple[str, ...]) -> Definition[F]:
    folder = family_name(family)
    path = find(settings, folder, id)
    found = read_toml(path)
    if not getattr(family, "version_required", True):
        found = {"version": 0, "title": {"da": id, "en": id}, **found}
    uses: dict[str, Definition[Any]] = {}

    def resolve(other: type, wanted: str, version: int) -> Reference[Any]:
        target = f"{family_name(other)}/{wanted}"
        if target in (here := (*trail, f"{folder}/{id}")):
            raise ValueError(f"leads back to itself ({' → '.join((*here, target))})")
        try:
            made: Definition[Any] = _load(settings, other, wanted, here)
        except ConfigurationError as error:
            raise ValueError(f"{target} cannot be used: {error.what}") from error
        if made.version != version:
            raise ValueError(f"{target} is version {made.version}, not {version}")
        uses.update({each.name: each for each in (made, *made.uses)})
        return Reference(made.family, made.id, made.version, made.hash)

    reader = Reader(resolve)
    head = reader.table(Head, {name: found[name] for name in HEAD if name in found}, "")
    content = reader.table(family, found, "", beside=HEAD)
    faults = list(dict.fromkeys(reader.faults))
    if head is not BROKEN:
        faults += _faults_of_head(head, id, required=getattr(family, "version_required", True))
    if faults or head is BROKEN or content is BROKEN:
        raise _refusal(path, faults)
    everything = {"family": folder, **{name: getattr(head, name) for name in HEAD}, "content": content}
    return Definition(
        folder, id, head.version, head.title, content, content_hash(everything), path, tuple(uses.values())
    )


def family_name(family: type) -> str:
    """Folder of a family; ``TypeError`` for a class that is no frozen dataclass with ``family``."""
    parameters = getattr(family, "__dataclass_params__", None)
    if parameters is None or not parameters.frozen or not isinstance(getattr(family, "family", None), str):
        raise TypeError(
            f"{family.__name__} is no family: that is a frozen dataclass with 'family: ClassVar[str]'."
        )
    return str(family.family)  # type: ignore[attr-defined]


def folders(settings: Settings, family: str) -> tuple[Path, Path]:
    """Where files of a family may lie, the one that outranks the other first."""
    return settings.home / "conf" / family, conf_dir() / family


def ids(settings: Settings, family: str) -> list[str]:
    """Every definition of a family by its file's name, sorted."""
    return sorted({path.stem for folder in folders(settings, family) for path in folder.glob("*.toml")})


def find(settings: Settings, family: str, id: str) -> Path:
    """Path of a definition; :class:`ConfigurationError` with the nearest id where there is none."""
    known = ids(settings, family)
    if id in known:
        return next(path for folder in folders(settings, family) if (path := folder / f"{id}.toml").is_file())
    if family == "studies" and ID.fullmatch(id):
        return settings.definition(family, id)
    raise ConfigurationError(
        f"There is no definition '{id}' in {family}{nearest(id, known)}.",
        f"Looked in {' and '.join(map(str, folders(settings, family)))}.",
        f"Known: {', '.join(known) or 'none'}; 'patternlake define list {family}' shows them.",
    )


def _faults_of_head(head: Head, id: str, required: bool) -> list[Fault]:
    told = []
    if not ID.fullmatch(head.id):
        told.append(Fault("id", f"expected {ID_IN_WORDS}, found '{head.id}'"))
    elif head.id != id:
        told.append(
            Fault(
                "id", f"the file calls itself '{head.id}', but a definition is found by its file name, '{id}'"
            )
        )
    if head.version < (1 if required else 0):
        told.append(Fault("version", f"expected 1 or more, found {head.version}"))
    return told


def _refusal(path: Path, faults: list[Fault]) -> ConfigurationError:
    count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
    return ConfigurationError(
        f"{path} has {count}: " + "; ".join(map(str, faults)) + ".",
        "A definition is applied exactly as written, so nothing in it is guessed.",
        "Correct " + ", ".join(dict.fromkeys(fault.key or "the file" for fault in faults)) + " in that file.",
    )


def as_tag(hashes: Mapping[str, str]) -> str:
    """Names and hashes of definitions in one line, as a tag of a run holds them."""
    return " ".join(f"{name}:{digest}" for name, digest in sorted(hashes.items()))
