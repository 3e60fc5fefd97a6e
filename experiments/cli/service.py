"""Commands around the work: the demo, the MLflow page, what is missing on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.common import Lake, settings_of

app = typer.Typer()


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
    from experiments.run.demo import demo as run_demo

    raise typer.Exit(run_demo(settings_of(lake), persons, seed, source))


@app.command()
def ui(
    port: Annotated[int, typer.Option("--port", help="Port on this machine.")] = 5000,
    lake: Lake = None,
) -> None:
    """The MLflow UI on this machine: loopback only, telemetry and job runner off."""
    from experiments.tracking.server import serve

    raise typer.Exit(serve(settings_of(lake), port))


@app.command()
def doctor() -> None:
    """Say what is missing on this machine and how to get it."""
    from lakehouse.doctor import report

    raise typer.Exit(10 if report(Path(sys.prefix)) else 0)
