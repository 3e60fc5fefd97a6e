"""Definitions in a sealed run: which files the sandbox sees, and the hashes of those used, computed again outside."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lakehouse.definitions import Definition, load
from lakehouse.definitions.families import families, family_called
from lakehouse.errors import DataError
from lakehouse.governance.approvals.definition_signatures import require_signed
from lakehouse.governance.permits.files import lake_kind
from lakehouse.governance.permits.study_definition import StudyDefinition
from lakehouse.settings import Settings, conf_dir
from lakehouse.study.extract import extract_folder

APART = ("permits", "studies", "profiles", "spark")
"""Folders of ``conf`` that a sandbox does not get from here: those of the extract, and settings of its own."""


def copy_definitions(settings: Settings, folder: Path) -> None:
    """Copy code lists and definitions of every family into a sandbox's ``conf``; the home's own outrank the project's."""
    for conf in (conf_dir(), settings.home / "conf"):
        for family in sorted(conf.glob("*")):
            if family.is_dir() and family.name not in APART:
                shutil.copytree(family, folder / family.name, dirs_exist_ok=True)


def used_inside(settings: Settings, study_id: str, claimed: Mapping[str, str]) -> dict[str, str]:
    """Hash by name of the definitions a sealed job used: the study as it lies in the extract, others as they lie here.

    ``claimed`` is what the job says; it is believed as far as computing the hashes again confirms it. Raises
    :class:`DataError` where it does not, :class:`PermissionRefused` where a signature is missing.
    """
    extract = replace(settings, home=extract_folder(settings, study_id))
    used = load(extract, StudyDefinition, study_id).hashes
    known = families("lakehouse", "experiments")
    real = lake_kind(settings) == "real"
    for name, digest in claimed.items():
        if name in used:
            continue
        family, _, rest = name.partition("/")
        made: Definition[Any] = load(settings, family_called(known, family), rest.rpartition("@")[0])
        if made.hashes.get(name) != digest:
            raise DataError(
                f"The sealed job says that it used {name} with another content than it has now.",
                "The run's receipt would name a definition that nobody can look up.",
                "Run the job again.",
            )
        require_signed(settings, made, real=real)
        used |= made.hashes
    return used
