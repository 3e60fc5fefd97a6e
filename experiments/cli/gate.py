"""``patternlake gate``: would these outputs be let out?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.common import Lake, settings_of
from lakehouse.errors import DataError

app = typer.Typer()


@app.command()
def gate(
    folder: Annotated[Path, typer.Argument(help="Folder of outputs with its outputs.json.")],
    study: Annotated[
        str | None, typer.Option("--study", help="Set against what this study released.")
    ] = None,
    persons: Annotated[int | None, typer.Option("--persons", help="Fewest persons, if more than 5.")] = None,
    danish: Annotated[bool, typer.Option("--danish", help="Reasons in Danish.")] = False,
    lake: Lake = None,
) -> None:
    """Judge a folder of outputs as the release desk would; exit code 13 when something may not leave.

    \f
    Raises :class:`DataError` where there is no such folder, :class:`DisclosureRefused` where something may not
    leave.
    """
    from lakehouse.governance.output_gate.folder import open_folder
    from lakehouse.governance.output_gate.gate import judge
    from lakehouse.governance.output_gate.limits_and_verdict import Limits
    from lakehouse.governance.output_gate.memory import Memory
    from lakehouse.governance.permits.files import load_permit, load_study
    from lakehouse.governance.release.judgement import lately, limits_of

    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.", "", "Name a folder of outputs.")
    settings = settings_of(lake)
    limits = (
        Limits()
        if study is None
        else limits_of(settings, load_permit(settings, load_study(settings, study).permit))
    )
    limits = limits.tightened(persons=persons)
    opened = open_folder(folder)
    memory = Memory.of(settings) if study else None
    exports = lately(settings, study) if study else 0
    record = judge(
        opened.outputs, limits, memory=memory, study=study or "", counts=opened.counts, exports_lately=exports
    )
    print(record.describe("da" if danish else "en"))
    record.require()
