"""``patternlake scope``: what runs truly read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

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
    """What one run read: tables, versions, columns, predicates, rows, persons; and whether it is accounted for."""
    from experiments.results import find_run
    from lakehouse.governance.scope import Scope

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
    from experiments.results import runs

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
