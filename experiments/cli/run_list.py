"""``patternlake runs``: which runs there are, by study, permit, state and job."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from experiments.cli.common import Lake, settings_of

app = typer.Typer()

HEAD = ("run", "started", "job", "study", "permit", "state", "outcome", "significant", "question")


@app.command("runs")
def runs(
    study: Annotated[str | None, typer.Option("--study", help="Only runs of this study.")] = None,
    permit: Annotated[str | None, typer.Option("--permit", help="Only runs under this permit (id).")] = None,
    state: Annotated[
        str | None,
        typer.Option(
            "--state",
            help="Only runs in this state (accounted, unaccounted, breach, open) or of this outcome (checked, "
            "withheld, failed, running).",
        ),
    ] = None,
    job: Annotated[str | None, typer.Option("--job", help="Only runs of this job.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, with whole ids.")] = False,
    lake: Lake = None,
) -> None:
    """List the runs, newest first: what was asked when, under which permit, and what became of it."""
    from experiments.tracking.run_list import listed

    found = list(listed(settings_of(lake), study=study, permit=permit, state=state, job=job))
    if as_json:
        for each in found:
            print(json.dumps(each._asdict(), ensure_ascii=False))
        return
    if not found:
        print("No run fits.")
        return
    cells = [HEAD]
    for each in found:
        counted = "" if each.significant is None else f"{each.significant:,}"
        cells.append((each.run[:12], each.started[:16], *each[2:7], counted, each.question))
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEAD) - 1)]
    for row in cells:
        print("  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]]))
