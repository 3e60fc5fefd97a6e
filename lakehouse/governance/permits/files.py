"""Permits and studies as files: reading and checking them, and writing one over a lake of no real persons."""

from __future__ import annotations

import json
import os
from datetime import date, timedelta
from pathlib import Path

from lakehouse.data_model import GOLD
from lakehouse.definitions import load
from lakehouse.delivery.register import lake_kind
from lakehouse.errors import ConfigurationError, PermissionRefused
from lakehouse.governance.permits.model import (
    NOT_REAL,
    ColumnUse,
    Permit,
    checked,
)
from lakehouse.governance.permits.study_definition import StudyDefinition
from lakehouse.settings import Settings

HARMLESS_KINDS = ("synthetic", "foreign")
EXTRACT_MANIFEST = "extract.json"
"""Describes the extract of a study cut for sealed runs, in the extract's folder."""


__all__ = [
    "ColumnUse",
    "Permit",
    "StudyDefinition",
    "grant_all",
    "lake_kind",
    "load_permit",
    "load_study",
]


def load_permit(settings: Settings, permit_id: str) -> Permit:
    """Read and check ``conf/permits/<id>.toml``; :class:`ConfigurationError` where it is missing, wrong or names another."""
    path = settings.definition("permits", permit_id)
    permit = checked(Permit, settings.read_definition("permits", permit_id), str(path))
    if permit.permit_id != permit_id:
        raise ConfigurationError(
            f"{path} calls itself '{permit.permit_id}'.",
            "A permit is found by its file name, so the two must agree.",
            f'Set permit_id = "{permit_id}" or rename the file.',
        )
    return permit


def load_study(settings: Settings, study_id: str) -> StudyDefinition:
    """Read and check ``conf/studies/<id>.toml``."""
    return load(settings, StudyDefinition, study_id).content


def grant_all(
    settings: Settings, study_id: str, actor: str | None = None, today: date | None = None
) -> tuple[Path, Path]:
    """Write permit and study ``study_id`` over every gold table, for one year; the two files.

    For newcomers and demonstrations: raises :class:`PermissionRefused` unless the lake says that its persons are not
    real. With ``actor`` the permit names that account alone, else everyone.
    """
    kind = lake_kind(settings)
    if kind not in HARMLESS_KINDS:
        raise PermissionRefused(
            f"The lake at {settings.lake} holds {kind} persons.",
            "Only an authority can permit reading those; the platform writes no permit for itself.",
            "Ask the data unit for a permit and put it into conf/permits.",
        )
    begins = today or date.today()
    permit_file = settings.write_definition("permits", study_id, permit_text(study_id, kind, begins, actor))
    study_file = settings.write_definition("studies", study_id, study_text(study_id))
    load_permit(settings, study_id)
    return permit_file, study_file


def permit_text(study_id: str, kind: str, begins: date, actor: str | None) -> str:
    """TOML of a permit over every gold table."""
    lines = [
        f"# Everything in a lake of {kind} persons; written by 'patternlake study new {study_id} --grant-all'.",
        f"permit_id = {json.dumps(study_id)}",
        "version = 1",
        f'title = "Exploration of {kind} data"',
        f"legal_basis = {json.dumps(NOT_REAL)}",
        'authority = "none: no real persons"',
        f"valid_from = {begins.isoformat()}",
        f"valid_to = {(begins + timedelta(days=365)).isoformat()}",
        f"responsible = {json.dumps(actor or os.environ.get('USER') or 'unknown')}",
        f"users = [{json.dumps(actor or '*')}]",
        'purpose = "Trying the platform"',
        'population = "all"',
        "min_cell = 5",
        'operations = ["mine", "train", "export"]',
    ]
    for table in GOLD.values():
        columns = ",\n    ".join(json.dumps(name) for name in table.column_names)
        lines += ["", f"[tables.{json.dumps(table.name)}]", f"direct = [\n    {columns},\n]"]
    return "\n".join(lines) + "\n"


def study_text(study_id: str) -> str:
    """TOML of a study under the permit of the same name."""
    return (
        f"id = {json.dumps(study_id)}\n"
        "version = 1\n"
        f"title = {{ da = {json.dumps('Undersøgelsen ' + study_id, ensure_ascii=False)}, "
        f"en = {json.dumps('The study ' + study_id)} }}\n"
        f"permit = {json.dumps(study_id)}\n"
        "seed = 1\n"
        'use_case = "explore"\n'
        'question = "Which events follow which more often than chance?"\n'
        'cohort = "all"\n\n'
        "[parameters]\n"
    )
