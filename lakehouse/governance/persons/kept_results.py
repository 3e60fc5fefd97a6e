"""Where a study keeps counts between runs: aggregates that never leave, closed to others, gone with an erasure."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from lakehouse.settings import Settings


def kept_folder(settings: Settings, study_id: str) -> Path:
    """Folder of a study's incremental counts: beside its results, which reports and releases are made of, not among them."""
    return settings.home / "kept" / study_id


def drop_kept(settings: Settings) -> None:
    """Remove what every study kept: counts hold everybody who was there when they were made."""
    shutil.rmtree(settings.home / "kept", ignore_errors=True)
