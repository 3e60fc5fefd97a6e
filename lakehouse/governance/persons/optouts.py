"""Opt-out lists: who may not be in any population of a kind of research; versioned, and read when a study reads.

A list is a folder of versions, each a file of lake tokens; ``current.txt`` is the newest. A permit names it by the
path of that file, so whoever opts out is gone from the next action of every study, while each version stays to
show what held at a given time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.errors import ConfigurationError, UsageError
from lakehouse.governance.approvals.signatories import locked
from lakehouse.governance.ledger import ledger
from lakehouse.private_files import write_private

if TYPE_CHECKING:
    from lakehouse.settings import Settings


@dataclass(frozen=True)
class OptOutList:
    """One list at one version."""

    name: str
    version: int
    path: Path
    persons: frozenset[str]


def folder(settings: Settings, name: str) -> Path:
    """Where a list's versions lie; :class:`UsageError` for what is no name of a list."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", name):
        raise UsageError(f"'{name}' is no name of a list.", "", "Use lower-case letters, digits and hyphens.")
    return settings.home / "optouts" / name


def versions(settings: Settings, name: str) -> list[Path]:
    """Every version of a list, oldest first."""
    return sorted(folder(settings, name).glob("v[0-9]*.txt"))


def current(settings: Settings, name: str) -> OptOutList:
    """A list as it stands; :class:`ConfigurationError` when there is none."""
    found = versions(settings, name)
    if not found:
        raise ConfigurationError(
            f"There is no opt-out list '{name}'.", "", "Start it with 'patternlake optout add'."
        )
    listed = frozenset(found[-1].read_text(encoding="utf-8").split())
    return OptOutList(name, int(found[-1].stem[1:]), folder(settings, name) / "current.txt", listed)


def change(
    settings: Settings, name: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()
) -> OptOutList:
    """Write the next version of a list; a change that changes nothing writes none."""
    where = folder(settings, name)
    with locked(where / "list"):
        found = versions(settings, name)
        before = set(found[-1].read_text(encoding="utf-8").split()) if found else set()
        after = (before | set(add)) - set(remove)
        if found and after == before:
            return current(settings, name)
        number = len(found) + 1
        content = "".join(f"{token}\n" for token in sorted(after)).encode()
        digest = hashlib.sha256(content).hexdigest()
        shown = "-".join(digest[at : at + 4] for at in range(0, 32, 4))
        ledger.append(settings, "opt-out", {"list": name, "version": number, "digest": shown})
        write_private(where / f"v{number:06d}.txt", content)
        write_private(where / "current.txt", content)
    return current(settings, name)
