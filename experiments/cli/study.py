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
    """Write a study and, with --grant-all, a permit over everything in a synthetic or foreign lake.

    \f
    Raises :class:`UsageError` without ``--grant-all``: every other permit comes from the data unit.
    """
    from lakehouse.governance.permits.files import grant_all as grant

    if not grant_all:
        raise UsageError(
            "A study needs a permit.",
            "Only a synthetic or foreign lake may be opened without one from the data unit.",
            "Add --grant-all there, or have the data unit write conf/permits/ID.toml and conf/studies/ID.toml.",
        )
    for path in grant(settings_of(lake), study):
        print(path)


@app.command("seal")
def study_seal(
    study: Annotated[str, typer.Argument(help="Name of the study.")],
    lake: Lake = None,
) -> None:
    """Cut the study's extract: its tables, columns, rows, days and tokens, for jobs run with --sealed."""
    from lakehouse.lake import Lake as OpenLake
    from lakehouse.session import spark_session
    from lakehouse.study.extract import extract_folder, seal
    from lakehouse.study.session import open_data

    settings = settings_of(lake)
    spark = spark_session(settings, f"patternlake seal {study}")
    try:
        made = seal(OpenLake(spark, settings), open_data(spark, settings, study))
    finally:
        spark.stop()
    for table, columns in made.columns.items():
        print(f"{table}: {', '.join(columns)}")
    print(extract_folder(settings, study))


@app.command("purge")
def study_purge(lake: Lake = None) -> None:
    """Delete the extracts whose permit has ended."""
    from datetime import date

    from lakehouse.study.extract import purge

    for study in purge(settings_of(lake), date.today()):
        print(study)


@app.callback()
def group() -> None:
    """Studies: what is asked, under which permit."""
