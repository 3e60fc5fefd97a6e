"""``patternlake release``: from a run's checked outputs to a signed folder, by two persons."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.common import Lake, settings_of

if TYPE_CHECKING:
    from lakehouse.governance.release.records import Actor
    from lakehouse.settings import Settings

NAME = "release"
HELP = "Let results out: one person asks, the gate judges, a second person signs, a folder leaves."
app = typer.Typer(no_args_is_help=True, help=HELP)

Release = Annotated[str, typer.Argument(metavar="RELEASE", help="Release, or the beginning of its id.")]
By = Annotated[str, typer.Option("--by", help="Who acts: a name in the register of signatories.")]
Key = Annotated[Path, typer.Option("--key", help="That person's private key file.")]
Account = Annotated[
    str | None,
    typer.Option("--account", help="Account played in a rehearsal; refused on a lake of real persons."),
]
Because = Annotated[str, typer.Option("--because", help="The reason.")]


@app.command()
def request(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Run, or 'latest' with --study.")],
    by: By,
    key: Key,
    purpose: Annotated[str, typer.Option("--for", help="What the release is for.")],
    to: Annotated[str, typer.Option("--to", help="Who receives it.")],
    study: Annotated[str | None, typer.Option("--study", help="Study, for 'latest'.")] = None,
    account: Account = None,
    lake: Lake = None,
) -> None:
    """Ask for a run's checked outputs; the gate judges them at once."""
    from experiments.tracking.run_folders import find_run
    from lakehouse.governance.release.requests import request as ask

    settings = settings_of(lake)
    asked = ask(
        settings,
        find_run(settings, run_id, study),
        _actor(settings, by, key, account),
        purpose=purpose,
        recipient=to,
    )
    print(asked.id)
    for name in asked.files:
        print(f"  {name}")


@app.command()
def show(release: Release, danish: Annotated[bool, typer.Option("--danish", help="Reasons in Danish.")] = False,
         lake: Lake = None) -> None:  # fmt: skip
    """What was asked for, what the gate says of it now, and where its files lie for review."""
    from lakehouse.governance.release.judgement import gate_of
    from lakehouse.governance.release.records import folder_of, load, state

    settings = settings_of(lake)
    asked = load(settings, release)
    print(f"{asked.id}: {state(settings, asked.id)}")
    print(f"run {asked.run} of study {asked.study}, permit {asked.permit}, made by {asked.author}")
    print(f"asked for by {asked.requester} on {asked.asked}, for {asked.recipient}: {asked.purpose}")
    print(f"files {folder_of(settings, asked.id) / 'files'}")
    print(gate_of(settings, asked).describe("da" if danish else "en"))


@app.command()
def approve(
    release: Release, by: By, key: Key, because: Because = "", account: Account = None, lake: Lake = None
) -> None:
    """The second person's signature under exactly these files."""
    _review(release, by, key, because, account, lake, approve=True)


@app.command()
def reject(
    release: Release, by: By, key: Key, because: Because, account: Account = None, lake: Lake = None
) -> None:
    """The second person's no, with the reason."""
    _review(release, by, key, because, account, lake, approve=False)


@app.command()
def export(release: Release, out: Annotated[Path, typer.Option("--out", help="Folder to write it into.")],
           lake: Lake = None) -> None:  # fmt: skip
    """Write an approved release as a folder that can be checked anywhere."""
    from lakehouse.governance.release.package import export as write

    print(write(settings_of(lake), release, out))


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="An exported folder.")],
    anywhere: Annotated[
        bool, typer.Option("--anywhere", help="Without this platform's register and ledger.")
    ] = False,
    lake: Lake = None,
) -> None:
    """Check an exported folder: every file, both signatures, and that it was not withdrawn."""
    from lakehouse.governance.release.package import verify as check

    print(check(folder, None if anywhere else settings_of(lake)))


@app.command()
def withdraw(
    release: Release, by: By, key: Key, because: Because, account: Account = None, lake: Lake = None
) -> None:
    """Take a release back: exported no more, and reported as withdrawn wherever its folder is checked here."""
    from lakehouse.governance.release.requests import withdraw as take_back

    settings = settings_of(lake)
    take_back(settings, release, _actor(settings, by, key, account), because)
    print(f"{release} is withdrawn.")


@app.command("list")
def list_(study: Annotated[str | None, typer.Option("--study", help="Of this study alone.")] = None,
          lake: Lake = None) -> None:  # fmt: skip
    """Every release and where it stands."""
    from lakehouse.governance.release.records import desk, load, state

    settings = settings_of(lake)
    for path in sorted(desk(settings).glob("*/request.json")):
        asked = load(settings, path.parent.name)
        if study in (None, asked.study):
            print(
                f"{asked.id}\t{state(settings, asked.id)}\t{asked.study}\t{asked.run}\t{asked.requester}\t{asked.asked}"
            )


@app.callback()
def group() -> None:
    """Let results out: one person asks, the gate judges, a second person signs, a folder leaves."""


def _actor(settings: Settings, name: str, key: Path, account: str | None) -> Actor:
    from lakehouse.governance.release.records import acting

    return acting(settings, name, key, account)


def _review(
    release: str, by: str, key: Path, because: str, account: str | None, lake: Path | None, *, approve: bool
) -> None:
    from lakehouse.governance.release.requests import review

    settings = settings_of(lake)
    review(settings, release, _actor(settings, by, key, account), approve=approve, reason=because)
    print(f"{release} is {'approved' if approve else 'rejected'}.")
