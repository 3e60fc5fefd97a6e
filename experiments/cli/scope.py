"""``patternlake scope``: what runs truly read."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.cli.common import Lake, settings_of
from lakehouse.errors import DataError

if TYPE_CHECKING:
    from lakehouse.settings import Settings

NAME = "scope"
app = typer.Typer(no_args_is_help=True, help="What runs truly read.")


@app.command("show")
def scope_show(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Run, or 'latest' with --study.")],
    study: Annotated[str | None, typer.Option("--study", help="Study, for 'latest'.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole record.")] = False,
    lake: Lake = None,
) -> None:
    """What one run read: tables, versions, columns, predicates, rows, persons; and whether it is accounted for.

    \f
    Raises :class:`DataError` where the run has no scope record.
    """
    from experiments.tracking.run_folders import find_run
    from lakehouse.governance.scope.scope import Scope

    path = find_run(settings_of(lake), run_id, study) / "scope.json"
    if not path.is_file():
        raise DataError(f"Run {run_id} has no scope record.", "It ended before its study was closed.", "")
    record = json.loads(path.read_text(encoding="utf-8"))
    whole = json.dumps(record, indent=2, ensure_ascii=False)
    print(whole if as_json else Scope.from_json(whole).describe())


@app.command("touched")
def scope_touched(
    target: Annotated[
        str, typer.Argument(metavar="TABLE[.COLUMN]", help="For example gold.event.value_num.")
    ],
    lake: Lake = None,
) -> None:
    """Every run that read a table or a column."""
    for line in touched(settings_of(lake), target):
        print(line)


def touched(settings: Settings, target: str) -> Iterator[str]:
    """One line for every run that read a table or column, newest first."""
    from experiments.tracking.run_folders import runs

    layer, _, rest = target.partition(".")
    table, _, column = rest.partition(".")
    for path in runs(settings):
        if not (path / "scope.json").is_file():
            continue
        record = json.loads((path / "scope.json").read_text(encoding="utf-8"))
        for read in record["reads"]:
            uses = {use: read[f"columns_{use}"] for use in ("direct", "filter", "join")}
            how = [use for use, columns in uses.items() if column in columns] if column else ["read"]
            if read["table"] == f"{layer}.{table}" and how:
                yield "\t".join(
                    [
                        path.name,
                        path.parent.name,
                        f"version {read['version']}",
                        "+".join(how),
                        record["state"],
                    ]
                )


@app.command("diff")
def scope_diff(
    one: Annotated[str, typer.Argument(metavar="RUN", help="A run.")],
    other: Annotated[str, typer.Argument(metavar="RUN", help="Another run.")],
    lake: Lake = None,
) -> None:
    """What two runs' receipts do not have in common: versions, columns, persons, code, parameters, result."""
    from lakehouse.governance.ledger.receipts import differences

    settings = settings_of(lake)
    for line in differences(receipt_of(settings, one), receipt_of(settings, other)):
        print(line)


@app.command("explain-model")
def scope_explain(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run that made the model.")],
    out: Annotated[Path, typer.Option("--out", help="HTML file to write.")],
    lake: Lake = None,
) -> None:
    """One page that says what a model was made from, by which permit, and whether its receipt is valid."""
    from experiments.report.provenance_page import page
    from lakehouse.errors import PatternlakeError
    from lakehouse.governance.ledger.receipts import faults
    from lakehouse.governance.permits.files import load_permit

    settings = settings_of(lake)
    receipt = receipt_of(settings, run_id)
    permit = None
    with contextlib.suppress(PatternlakeError):
        permit = load_permit(settings, receipt["permit"]["id"]).model_dump(mode="json", by_alias=True)
    out.write_text(page(receipt, permit, faults(settings, receipt)), "utf-8")
    print(out)


@app.command("replay")
def scope_replay(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run to repeat.")],
    lake: Lake = None,
) -> None:
    """Repeat a run from its receipt, on the same versions; the same result must come out, else exit code 14."""
    from experiments.run.submission import submit

    settings = settings_of(lake)
    receipt = receipt_of(settings, run_id)
    raise typer.Exit(submit(settings, receipt["job"], receipt["study"], [f"--replay={receipt['run']}"]))


@app.command("lineage")
def scope_lineage(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run.")],
    lake: Lake = None,
) -> None:
    """A run as OpenLineage events, one a line, with the subset facet filled."""
    from lakehouse.governance.permits.files import load_permit
    from lakehouse.governance.scope.open_lineage import events

    settings = settings_of(lake)
    receipt = receipt_of(settings, run_id)
    for event in events(receipt, load_permit(settings, receipt["permit"]["id"]).period):
        print(json.dumps(event, ensure_ascii=False))


def receipt_of(settings: Settings, run_id: str) -> dict[str, Any]:
    """The receipt of a run, as it lies in the study.

    Raises :class:`DataError` where the run has none.
    """
    from experiments.tracking.run_folders import find_run

    path = find_run(settings, run_id) / "receipt.json"
    if not path.is_file():
        raise DataError(f"Run {run_id} has no receipt.", "It ended before one could be written.", "")
    return dict(json.loads(path.read_text("utf-8")))
