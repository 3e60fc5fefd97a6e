"""``patternlake person``: was one person's data read, in which study, when and why; nobody else is looked at."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.common import Lake, settings_of
from lakehouse.errors import DataError

if TYPE_CHECKING:
    from lakehouse.settings import Settings

app = typer.Typer()


@app.command()
def person(
    token: Annotated[
        bool, typer.Option("--token", help="Standard input holds a lake token, not a person number.")
    ] = False,
    issuer: Annotated[str, typer.Option("--issuer", help="Issuer of a decentral replacement number.")] = "",
    with_actor: Annotated[
        bool, typer.Option("--with-actor", help="Name who ran it (normally not shown).")
    ] = False,
    lake: Lake = None,
) -> None:
    """Every study and run that read one person's data, when and why. The number is read from standard input, never
    from the command line, where other accounts would see it.
    """
    from lakehouse.governance.persons.access_report import runs_of, untold

    settings = settings_of(lake)
    given = sys.stdin.readline().strip()
    found = runs_of(settings, given if token else token_of(settings, given, issuer))
    for line in found:
        print("\t".join(line.told(with_actor)))
    print(f"{len(found)} runs read this person's data.", file=sys.stderr)
    if unknown := untold(settings):
        print(
            f"{len(unknown)} runs read past their study; what those read cannot be known: {', '.join(unknown)}.",
            file=sys.stderr,
        )


def token_of(settings: Settings, number: str, issuer: str) -> str:
    """The lake token of a person number.

    Raises :class:`DataError` where it is no person number.
    """
    from lakehouse.identity.pseudonyms import person_tokens, root_key_file

    tokens, reasons = person_tokens(str(root_key_file(settings, create=False)), [number], [issuer])
    if tokens[0] is None:
        raise DataError(f"That is no person number: {reasons[0]}.", "", "Give ten digits on standard input.")
    return tokens[0]
