"""Commands of the data unit: make synthetic deliveries, bring deliveries into the lake."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.common import Lake, settings_of
from lakehouse.errors import DataError

app = typer.Typer()


@app.command()
def synth(
    out: Annotated[Path, typer.Option("--out", help="New folder for the deliveries.")],
    persons: Annotated[int, typer.Option("--persons", min=1, help="Persons.")] = 20_000,
    seed: Annotated[
        int, typer.Option("--seed", help="Everything, the planted truth too, follows from it.")
    ] = 1,
    defects: Annotated[float, typer.Option("--defects", min=0, max=1, help="Share of rows to spoil.")] = 0.0,
    sources: Annotated[
        str, typer.Option("--sources", help="default, all, or names of further sources with commas between.")
    ] = "default",
    known_defects: Annotated[
        str,
        typer.Option(
            "--known-defects",
            help="Known defects of Danish health data to plant, with a share of rows if you like: T14,T23=0.05.",
        ),
    ] = "",
    traps: Annotated[str, typer.Option("--traps", hidden=True)] = "",
    lake: Lake = None,
) -> None:
    """Write a synthetic region's deliveries in the Danish formats, and the truth planted in them beside."""
    from lakehouse.progress import Progress
    from lakehouse.session import spark_session
    from lakehouse.synthetic import synthesise

    settings = settings_of(lake)
    progress = Progress()
    spark = spark_session(settings, "patternlake synth")
    try:
        summary = synthesise(
            spark,
            settings,
            out,
            persons,
            seed,
            defects=defects,
            sources=sources,
            known_defects=",".join(filter(None, (known_defects, traps))),
            progress=progress,
        )
    finally:
        spark.stop()
    print(f"{sum(summary.rows.values()):,} rows of {summary.persons:,} persons in {summary.delivery}")
    for folder in sorted({name.partition("/")[0] for name in summary.rows}):
        rows = [count for name, count in summary.rows.items() if name.startswith(f"{folder}/")]
        print(f"  {folder:<8} {len(rows):>3} files {sum(rows):>12,} rows")
    print(f"Planted truth (never read by a job): {summary.truth}")


@app.command()
def ingest(
    folder: Annotated[Path, typer.Argument(help="A delivery, an OMOP CDM folder or a MEDS data set.")],
    format: Annotated[str, typer.Option("--format", help="auto, danish, omop or meds.")] = "auto",
    lake: Lake = None,
) -> None:
    """Bring a delivery into the lake: pseudonyms for identifiers, bad rows to quarantine, every row accounted for.

    \f
    Raises :class:`DataError` where there is no such folder.
    """
    from lakehouse.ingest.run import ingest as bring_in
    from lakehouse.lake import Lake as OpenLake
    from lakehouse.progress import Progress
    from lakehouse.session import spark_session

    if not folder.is_dir():
        raise DataError(
            f"There is no folder {folder}.", "", "Name a delivery, an OMOP folder or a MEDS data set."
        )
    settings = settings_of(lake)
    progress = Progress()
    spark = spark_session(settings, "patternlake ingest")
    try:
        summary = bring_in(OpenLake(spark, settings), folder, format=format, progress=progress)
    finally:
        spark.stop()
    print(summary)
