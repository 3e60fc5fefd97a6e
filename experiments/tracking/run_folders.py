"""Where the raw results of runs lie: ``<home>/results/<study>/<run id>/``, inside the study, never in MLflow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lakehouse.errors import DataError, UsageError
from lakehouse.settings import Settings


def run_folder(settings: Settings, study: str, run_id: str) -> Path:
    """Folder of a run's raw results, made when missing and closed to other accounts."""
    folder = settings.results / study / run_id
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def runs(settings: Settings, study: str | None = None) -> list[Path]:
    """Folders of all runs, of one study or of every one, newest first."""
    found = settings.results.glob(f"{study or '*'}/*")
    return sorted(
        (path for path in found if path.is_dir()), key=lambda path: path.stat().st_mtime, reverse=True
    )


def find_run(settings: Settings, run_id: str, study: str | None = None) -> Path:
    """Folder of a run by its id or a beginning of it; ``latest`` is the study's newest.

    Raises :class:`UsageError` when the beginning fits several, :class:`DataError` when it fits none.
    """
    candidates = runs(settings, study)
    if run_id == "latest":
        if study is None:
            raise UsageError("'latest' of which study?", "", "Add --study ID.")
        candidates = [path for path in candidates if (path / "scope.json").is_file()][:1]
    else:
        candidates = [path for path in candidates if path.name.startswith(run_id)]
    if not candidates:
        raise DataError(
            f"There is no run {run_id}.", f"Looked under {settings.results}.", "See the MLflow UI."
        )
    if len(candidates) > 1:
        raise UsageError(f"{run_id} fits {len(candidates)} runs.", "", "Give more of the run's id.")
    return candidates[0]


def scopes(settings: Settings, study: str | None = None) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Folder and scope record of every run that has one, newest first."""
    for folder in runs(settings, study):
        path = folder / "scope.json"
        if path.is_file():
            yield folder, json.loads(path.read_text(encoding="utf-8"))
