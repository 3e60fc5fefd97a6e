"""The ``patternlake`` command. Imports Spark, MLflow and numpy only inside the command that needs them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from lakehouse.errors import PatternlakeError, UsageError
from lakehouse.settings import Settings, load_settings

app = typer.Typer(
    name="patternlake",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Exploratory research on a region's treatment data, with proof of exactly what was read.",
)
study_app = typer.Typer(no_args_is_help=True, help="Studies: what is asked, under which permit.")
scope_app = typer.Typer(no_args_is_help=True, help="What runs truly read.")
ledger_app = typer.Typer(no_args_is_help=True, help="The tamper-evident list of everything that was done.")
app.add_typer(study_app, name="study")
app.add_typer(scope_app, name="scope")
app.add_typer(ledger_app, name="ledger")

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


@app.command()
def synth(
    out: Annotated[Path, typer.Option("--out", help="New folder for the deliveries.")],
    persons: Annotated[int, typer.Option("--persons", min=1, help="Persons.")] = 20_000,
    seed: Annotated[
        int, typer.Option("--seed", help="Everything, the planted truth too, follows from it.")
    ] = 1,
    defects: Annotated[float, typer.Option("--defects", min=0, max=1, help="Share of rows to spoil.")] = 0.0,
    lake: Lake = None,
) -> None:
    """Write a synthetic region's deliveries in the Danish formats, and the truth planted in them beside."""
    from experiments import commands

    commands.synth(settings_of(lake), out, persons, seed, defects)


@app.command()
def ingest(
    folder: Annotated[Path, typer.Argument(help="A delivery, an OMOP CDM folder or a MEDS data set.")],
    format: Annotated[str, typer.Option("--format", help="auto, danish, omop or meds.")] = "auto",
    lake: Lake = None,
) -> None:
    """Bring a delivery into the lake: pseudonyms at the door, bad rows to quarantine, every row accounted for."""
    from experiments import commands

    commands.ingest(settings_of(lake), folder, format)


@study_app.command("new")
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


@app.command()
def run(
    job: Annotated[str, typer.Argument(help="Job: a name in jobs/, or a file.")],
    study: StudyId,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Parameter, KEY=VALUE.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be read and tested.")] = False,
    master: Annotated[
        str | None, typer.Option("--master", help="Spark master instead of the profile's.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Let Spark talk.")] = False,
    lake: Lake = None,
) -> None:
    """Submit a job to Spark (spark-submit with the profile's properties)."""
    from experiments import commands

    options = [f"--set={item}" for item in set_ or []] + (["--dry-run"] if dry_run else [])
    raise typer.Exit(commands.submit(settings_of(lake), job, study, options, master=master, verbose=verbose))


@app.command()
def patterns(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Run, or 'latest' with --study.")],
    out: Annotated[Path, typer.Option("--out", help="Parquet file to write.")],
    study: Annotated[str | None, typer.Option("--study", help="Study, for 'latest'.")] = None,
    lake: Lake = None,
) -> None:
    """The patterns of a run as Parquet: every tested pair, for use inside the study."""
    from experiments import commands

    print(commands.export_patterns(settings_of(lake), run_id, study, out))


@scope_app.command("show")
def scope_show(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Run, or 'latest' with --study.")],
    study: Annotated[str | None, typer.Option("--study", help="Study, for 'latest'.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole record.")] = False,
    lake: Lake = None,
) -> None:
    """What one run read: tables, versions, columns, predicates, rows, persons; and whether it is accounted for."""
    from experiments import commands

    record = commands.scope_of(settings_of(lake), run_id, study)
    print(json.dumps(record, indent=2, ensure_ascii=False) if as_json else commands.scope_text(record))


@scope_app.command("touched")
def scope_touched(
    target: Annotated[
        str, typer.Argument(metavar="TABLE[.COLUMN]", help="For example gold.event.value_num.")
    ],
    lake: Lake = None,
) -> None:
    """Every run that read a table or a column."""
    from experiments import commands

    for line in commands.touched(settings_of(lake), target):
        print(line)


@ledger_app.command("verify")
def ledger_verify(lake: Lake = None) -> None:
    """Recompute the ledger's chain; names the first entry that does not fit."""
    from lakehouse.governance.ledger import verify

    print(verify(settings_of(lake)))


@app.command()
def demo(
    persons: Annotated[
        int, typer.Option("--persons", min=100, help="Persons of the synthetic region.")
    ] = 20_000,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the synthetic region.")] = 1,
    source: Annotated[
        Path | None, typer.Option("--source", help="Foreign data (OMOP, MEDS) instead.")
    ] = None,
    lake: Lake = None,
) -> None:
    """From nothing to a mined region: synthesise, ingest, permit, mine; then say where everything is."""
    from experiments import commands

    raise typer.Exit(commands.demo(settings_of(lake), persons, seed, source))


@app.command()
def ui(
    port: Annotated[int, typer.Option("--port", help="Port on this machine.")] = 5000,
    lake: Lake = None,
) -> None:
    """The MLflow UI on this machine: loopback only, telemetry and job runner off."""
    from experiments import commands

    raise typer.Exit(commands.ui(settings_of(lake), port))


@app.command()
def doctor() -> None:
    """Say what is missing on this machine and how to get it."""
    from lakehouse.doctor import report

    raise typer.Exit(10 if report(Path(sys.prefix)) else 0)


def main() -> Any:
    """Entry point: every refusal is one sentence on standard error and its own exit code."""
    try:
        return app()
    except PatternlakeError as error:
        print(f"Refused: {error}", file=sys.stderr)
        return sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
