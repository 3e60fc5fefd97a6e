"""Commands that give the lake to other tools: as a MEDS data set, as an OMOP CDM folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.common import Lake, settings_of
from lakehouse.errors import UsageError

if TYPE_CHECKING:
    from lakehouse.settings import Settings

app = typer.Typer(
    no_args_is_help=True, help="The lake for other tools; one row an event, so never off a real lake."
)
NAME = "export"
Out = Annotated[Path | None, typer.Option("--out", help="New folder.")]
Study = Annotated[str, typer.Option("--study", help="Export what this study may read, into its own folder.")]
TABLES = ("person", "event", "observation_period", "spell", "vocabulary")


@app.command()
def meds(out: Out = None, study: Study = "", lake: Lake = None) -> None:
    """A MEDS data set: data, codes and splits. What came in as MEDS goes out row for row."""
    run("meds", settings_of(lake), out, study)


@app.command()
def omop(out: Out = None, study: Study = "", lake: Lake = None) -> None:
    """An OMOP CDM 5.4 folder: one Parquet file a table, every code a concept of its own."""
    run("omop", settings_of(lake), out, study)


def run(kind: str, settings: Settings, out: Path | None, study: str) -> None:
    """Export, and say how many rows went where.

    Raises :class:`UsageError` unless one of ``out`` and ``study`` is given.
    """
    from lakehouse.exports.run import export_lake, export_study
    from lakehouse.lake import Lake as OpenLake
    from lakehouse.session import spark_session

    if bool(out) == bool(study):
        raise UsageError(
            "An export needs either --out or --study.",
            "A study's export stays in the study's folder; only synthetic and foreign lakes go anywhere else.",
            "Give one of them.",
        )
    spark = spark_session(settings, "patternlake export")
    try:
        if study:
            from experiments.run.notebook import open_study

            with open_study(study, settings=settings, spark=spark, question=f"Export as {kind}.") as opened:
                frames = {name: opened.table(f"gold.{name}") for name in TABLES}
                target, counts = export_study(OpenLake(spark, settings), kind, study, frames)
        else:
            assert out is not None
            target, counts = out, export_lake(OpenLake(spark, settings), kind, out)
    finally:
        spark.stop()
    for name, rows in counts.items():
        print(f"{name:<24} {rows:>14,}")
    print(target)
