"""What all commands share: the option that says where everything lies, and the settings that follow from it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from lakehouse.settings import Settings, load_settings

Lake = Annotated[
    Path | None,
    typer.Option(
        "--lake", help="Folder that holds everything the platform writes [default: PATTERNLAKE_HOME]."
    ),
]
StudyId = Annotated[str, typer.Option("--study", help="Study.")]


def settings_of(lake: Path | None) -> Settings:
    """Settings of a command; the choice is passed on to everything the command starts."""
    settings = load_settings(lake)
    os.environ["PATTERNLAKE_HOME"] = str(settings.home)
    return settings
