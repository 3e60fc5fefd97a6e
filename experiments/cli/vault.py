"""``patternlake vault``: whom tokens stand for, kept apart from the lake; keys and their rotation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.common import Lake, settings_of
from lakehouse.errors import UsageError

NAME = "vault"
app = typer.Typer(no_args_is_help=True, help="Whom tokens stand for, kept apart from the lake.")


@app.command()
def init(lake: Lake = None) -> None:
    """Set up the vault and publish the key that workers seal under; a vault that is there stays as it is."""
    from lakehouse.identity.vault import init_vault

    vault = init_vault(settings_of(lake))
    print(vault.folder)


@app.command()
def collect(lake: Lake = None) -> None:
    """Take in what ingests left in the inbox."""
    from lakehouse.identity.vault import open_vault

    vault = open_vault(settings_of(lake))
    new = vault.collect()
    print(f"{new:,} new persons; {vault.count():,} in the vault.")


@app.command()
def status(lake: Lake = None) -> None:
    """How many persons the vault can name, what waits in the inbox, which key wraps."""
    from lakehouse.identity.vault import open_vault

    vault = open_vault(settings_of(lake))
    waiting = len([*vault.inbox.glob("*.sealed")])
    print(
        f"{vault.count():,} persons; {waiting} drops waiting; wrapping key version {vault.wrapper.version}."
    )


@app.command()
def rotate(lake: Lake = None) -> None:
    """Wrap every data key under a new key and give up the old one, which closes every older copy of the vault."""
    from lakehouse.governance.ledger.ledger import append
    from lakehouse.identity.vault import open_vault

    settings = settings_of(lake)
    vault = open_vault(settings)
    rows = vault.rotate()
    append(settings, "vault-rotation", {"version": vault.wrapper.version})
    print(f"{rows:,} data keys wrapped anew; the earlier key is gone.")


@app.command("rotate-root")
def rotate_root(lake: Lake = None) -> None:
    """Compute every token of the lake anew under a new root key, without a lost row; finishes one that was killed."""
    from lakehouse.governance.persons.root_rotation import rotate_root as renew_tokens
    from lakehouse.lake import Lake as OpenLake
    from lakehouse.session import spark_session

    settings = settings_of(lake)
    spark = spark_session(settings, "patternlake rotate-root")
    try:
        print(
            f"{renew_tokens(OpenLake(spark, settings)):,} rows have new tokens; studies get new pseudonyms from now on."
        )
    finally:
        spark.stop()


@app.command()
def keypair(
    out: Annotated[Path, typer.Argument(help="File for the private key; .pub is written beside it.")],
    kind: Annotated[str, typer.Option("--kind", help="sign (signatories) or receive (recipients).")] = "sign",
) -> None:
    """Make a key pair for a signatory or a recipient; the private half stays with its owner.

    \f
    Raises :class:`UsageError` for another kind of key.
    """
    from lakehouse.governance.approvals.signatories import make_pair

    if kind not in ("sign", "receive"):
        raise UsageError(f"There is no kind of key '{kind}'.", "", "Use sign or receive.")
    print(make_pair(out, kind))


@app.callback()
def group() -> None:
    """Whom tokens stand for, kept apart from the lake."""
