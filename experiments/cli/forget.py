"""``patternlake erase`` and ``patternlake optout``: forgetting persons, and leaving them out of research."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.common import Lake, settings_of

app = typer.Typer()
optout = typer.Typer(no_args_is_help=True, help="Who is left out of research: versioned lists.")
app.add_typer(optout, name="optout")
Numbers = Annotated[
    Path, typer.Option("--numbers", help="File with one number a line (number;issuer for regional ones).")
]
Kind = Annotated[
    str, typer.Option("--kind", help="cpr, or the kind of a foreign data set's ids (omop, meds).")
]
Issuer = Annotated[str, typer.Option("--issuer", help="Name of the foreign data set.")]
ListName = Annotated[str, typer.Option("--list", help="Name of the list.")]


@app.command()
def erase(numbers: Numbers, kind: Kind = "cpr", issuer: Issuer = "", lake: Lake = None) -> None:
    """Forget persons: tables, extracts, files, logs, vault; certified by a search of every byte."""
    from lakehouse.governance.persons.erasure import erase as forget
    from lakehouse.governance.persons.number_lists import read_numbers
    from lakehouse.lake import Lake as OpenLake
    from lakehouse.progress import Progress
    from lakehouse.session import spark_session

    settings = settings_of(lake)
    tokens, clear = read_numbers(settings, numbers, kind, issuer)
    spark = spark_session(settings, "patternlake erase")
    try:
        # A foreign id may be a small number that stands everywhere: only its token is searched for.
        texts = clear if kind == "cpr" else []
        print(forget(OpenLake(spark, settings), tokens, texts=texts, progress=Progress()))
    finally:
        spark.stop()


@optout.command("add")
def optout_add(
    name: ListName, numbers: Numbers, kind: Kind = "cpr", issuer: Issuer = "", lake: Lake = None
) -> None:
    """Leave persons out of every study whose permit names the list, from its next action on."""
    from lakehouse.governance.persons.number_lists import read_numbers
    from lakehouse.governance.persons.optouts import change

    settings = settings_of(lake)
    tokens, _ = read_numbers(settings, numbers, kind, issuer)
    listed = change(settings, name, add=tokens)
    print(f'{listed.name} version {listed.version}: opt_outs = "{listed.path}"')


@optout.command("remove")
def optout_remove(
    name: ListName, numbers: Numbers, kind: Kind = "cpr", issuer: Issuer = "", lake: Lake = None
) -> None:
    """Take persons off a list who have changed their mind."""
    from lakehouse.governance.persons.number_lists import read_numbers
    from lakehouse.governance.persons.optouts import change

    settings = settings_of(lake)
    tokens, _ = read_numbers(settings, numbers, kind, issuer)
    listed = change(settings, name, remove=tokens)
    print(f"{listed.name} version {listed.version}")


@optout.command("show")
def optout_show(name: ListName, lake: Lake = None) -> None:
    """A list's version and how many persons are on it."""
    from lakehouse.governance.persons.optouts import current

    listed = current(settings_of(lake), name)
    print(f"{listed.name} version {listed.version}: {len(listed.persons)} persons")
