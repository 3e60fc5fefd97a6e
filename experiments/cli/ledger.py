"""``patternlake ledger``: the tamper-evident list of everything that was done."""

from __future__ import annotations

import typer

from experiments.cli.common import Lake, settings_of

NAME = "ledger"
app = typer.Typer(no_args_is_help=True, help="The tamper-evident list of everything that was done.")


@app.command("verify")
def ledger_verify(lake: Lake = None) -> None:
    """Recompute the ledger's chain; names the first entry that does not fit."""
    from lakehouse.governance.ledger import verify

    print(verify(settings_of(lake)))


@app.callback()
def group() -> None:
    """The tamper-evident list of everything that was done."""
