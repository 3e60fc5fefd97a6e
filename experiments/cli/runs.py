"""Commands of a researcher: see what can be asked, submit a job, take out what it found."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.common import Lake, StudyId, settings_of
from lakehouse.errors import DataError

app = typer.Typer()


@app.command()
def jobs(
    job: Annotated[str | None, typer.Argument(help="Job: a name of the list, or a file.")] = None,
) -> None:
    """What can be asked; of one job its parameters, their defaults, and what it reads."""
    from experiments.run.definition import load_job
    from experiments.run.submission import job_file, jobs_folder

    if job is None:
        for path in sorted(jobs_folder().glob("*.py")):
            print(f"{path.stem:<20} {load_job(path).question}")
        return
    asked = load_job(job_file(job))
    print(f"{asked.question}\n\nParameters (--set KEY=VALUE):")
    settings = [(f"{each.name}={each.default}", each.about) for each in asked.described()]
    width = max((len(setting) for setting, _ in settings), default=0)
    for setting, about in settings:
        print(f"  {setting:<{width}}  {about}".rstrip())
    print("\nReads:")
    for table, columns in asked.reads_for(asked.params()).items():
        print(f"  {table}: {', '.join(columns)}")
    for parameter, more in asked.reads_more().items():
        print(f"  with --set {parameter}=true also:")
        for table, columns in more.items():
            print(f"    {table}: {', '.join(columns)}")


@app.command()
def run(
    job: Annotated[str, typer.Argument(help="Job: a name that 'patternlake jobs' lists, or a file.")],
    study: StudyId,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Parameter, KEY=VALUE; 'patternlake jobs JOB' lists them."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be read and tested.")] = False,
    master: Annotated[
        str | None, typer.Option("--master", help="Spark master instead of the profile's.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Let Spark talk.")] = False,
    sealed: Annotated[
        bool, typer.Option("--sealed", help="Run over the study's extract, shut off from all else.")
    ] = False,
    lake: Lake = None,
) -> None:
    """Submit a job to Spark (spark-submit with the profile's properties)."""
    if sealed:
        from experiments.run.definition import load_job
        from experiments.run.submission import job_file
        from experiments.sealed.outside import run_sealed

        settings, file = settings_of(lake), job_file(job).resolve()
        asked = load_job(file)
        given = settings.read_definition("studies", study).get("parameters", {}).get(asked.name, {})
        run_sealed(asked, file, settings, study, asked.parameters(given, set_ or []))
        return
    from experiments.run.submission import submit

    options = [f"--set={item}" for item in set_ or []] + (["--dry-run"] if dry_run else [])
    raise typer.Exit(submit(settings_of(lake), job, study, options, master=master, verbose=verbose))


@app.command()
def patterns(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Run, or 'latest' with --study.")],
    out: Annotated[Path, typer.Option("--out", help="Parquet file to write.")],
    study: Annotated[str | None, typer.Option("--study", help="Study, for 'latest'.")] = None,
    lake: Lake = None,
) -> None:
    """The patterns of a run as Parquet: every tested pair, for use inside the study.

    \f
    Raises :class:`DataError` where the run left no patterns.
    """
    from experiments.tracking.run_folders import find_run

    source = find_run(settings_of(lake), run_id, study) / "patterns.parquet"
    if not source.is_file():
        raise DataError(
            f"Run {run_id} left no patterns.", "It failed or its reads are not accounted for.", ""
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(out.name + ".tmp")
    shutil.copyfile(source, temporary)
    temporary.replace(out)
    print(out)
