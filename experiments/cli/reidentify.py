"""``patternlake reidentify``: whom a pseudonym stands for, disclosed to a clinical recipient once two have approved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.common import Lake, StudyId, settings_of

NAME = "reidentify"
app = typer.Typer(
    no_args_is_help=True, help="Whom a pseudonym stands for; disclosed once two persons have approved."
)
Key = Annotated[Path, typer.Option("--key", help="Your own private key.")]
RequestId = Annotated[str, typer.Argument(metavar="REQUEST", help="Request, as 'list' shows it.")]


@app.command("officer", hidden=True)
@app.command()
def signatory(
    name: Annotated[str, typer.Argument(help="Name of the person.")],
    account: Annotated[str, typer.Option("--account", help="Account they work under.")],
    public: Annotated[Path, typer.Option("--public", help="Their public key (.pub).")],
    roles: Annotated[list[str], typer.Option("--role", help="requester, approver or recipient; repeatable.")],
    lake: Lake = None,
) -> None:
    """Enter a person: each name, account and key once."""
    from lakehouse.governance.approvals.signatories import Signatory, enter, public_half
    from lakehouse.governance.ledger.ledger import append

    settings = settings_of(lake)
    entry = Signatory(name, account, public_half(public), tuple(roles))
    append(settings, "officer", {"name": name, "account": account, "roles": list(roles)})
    enter(settings, entry)
    print(f"{name} ({', '.join(roles)})")


@app.command()
def ask(
    requester: Annotated[str, typer.Option("--as", help="Your name in the register.")],
    key: Key,
    study: StudyId,
    persons: Annotated[Path, typer.Option("--persons", help="File with one pseudonym of the study a line.")],
    clause: Annotated[str, typer.Option("--clause", help="Clause of the permit that allows it.")],
    reason: Annotated[str, typer.Option("--reason", help="Reason code of the permit.")],
    recipient: Annotated[str, typer.Option("--to", help="Clinical recipient in the register.")],
    days: Annotated[int, typer.Option("--days", min=1, max=30, help="Days until it expires.")] = 7,
    lake: Lake = None,
) -> None:
    """Put a request on the desk."""
    from lakehouse.governance.persons.reidentification import Desk

    listed = persons.read_text(encoding="utf-8").split()
    expires = datetime.now(UTC) + timedelta(days=days)
    made = Desk(settings_of(lake)).ask(
        requester, key, study, listed, clause=clause, reason=reason, recipient=recipient, expires=expires
    )
    print(made.describe())


@app.command("list")
def list_requests(lake: Lake = None) -> None:
    """Every request and who has signed it."""
    from lakehouse.governance.persons.reidentification import Desk

    for request in Desk(settings_of(lake)).all():
        print(request.describe())


@app.command()
def approve(
    request: RequestId,
    approver: Annotated[str, typer.Option("--as", help="Your name in the register.")],
    key: Key,
    lake: Lake = None,
) -> None:
    """Sign a request as one of its two approvers."""
    from lakehouse.governance.persons.reidentification import Desk

    print(Desk(settings_of(lake)).approve(request, approver, key).describe())


@app.command()
def deliver(
    request: RequestId,
    out: Annotated[Path, typer.Option("--out", help="File to write, sealed for the recipient.")],
    lake: Lake = None,
) -> None:
    """Write whom the pseudonyms stand for, readable by the recipient alone; under the vault's account."""
    from lakehouse.governance.persons.reidentification import Desk

    print(Desk(settings_of(lake)).deliver(request, out))


@app.command("open")
def open_box(
    box: Annotated[Path, typer.Argument(help="File that was delivered.")],
    key: Key,
    out: Annotated[Path, typer.Option("--out", help="File to write, for you alone.")],
) -> None:
    """As the recipient: open what was delivered."""
    from lakehouse.governance.persons.reidentification import opened
    from lakehouse.identity.sealed_box import private_x25519
    from lakehouse.private_files import write_private

    write_private(out, opened(box, private_x25519(key)).encode())
    print(out)


@app.callback()
def group() -> None:
    """Whom a pseudonym stands for; disclosed once two persons have approved."""
