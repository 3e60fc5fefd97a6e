"""``patternlake study``: studies, what is asked under which permit."""

from __future__ import annotations

from typing import Annotated

import typer

from experiments.cli.common import Lake, settings_of
from lakehouse.errors import UsageError

NAME = "study"
app = typer.Typer(no_args_is_help=True, help="Studies: what is asked, under which permit.")


@app.command("new")
def study_new(
    study: Annotated[str, typer.Argument(help="Name of the study.")],
    grant_all: Annotated[
        bool, typer.Option("--grant-all", help="Grant everything (never on real data).")
    ] = False,
    lake: Lake = None,
) -> None:
    """Write a study and, with --grant-all, a permit over everything in a synthetic or foreign lake."""
    from lakehouse.governance.permits import grant_all as grant

    if not grant_all:
        raise UsageError(
            "A study needs a permit.",
            "Only a synthetic or foreign lake may be opened without one from the data unit.",
            "Add --grant-all there, or have the data unit write conf/permits/ID.toml and conf/studies/ID.toml.",
        )
    for path in grant(settings_of(lake), study):
        print(path)


@app.callback()
def group() -> None:
    """Studies: what is asked, under which permit."""
