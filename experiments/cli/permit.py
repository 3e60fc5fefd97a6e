"""``patternlake permit``: write, check, sign and compare what studies may read."""

from __future__ import annotations

import getpass
import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.cli.common import Lake, settings_of
from lakehouse.errors import ConfigurationError, PermissionRefused

if TYPE_CHECKING:
    from lakehouse.governance.permits.model import Permit
    from lakehouse.settings import Settings

NAME = "permit"
app = typer.Typer(no_args_is_help=True, help="What studies may read: write, check, sign, compare.")
PermitId = Annotated[str, typer.Argument(metavar="PERMIT", help="Permit, by its id.")]


def permit_of(settings: Settings, study: str | None, permit: str | None) -> Permit:
    """The permit named, or the one a study runs under.

    Raises :class:`ConfigurationError` unless one of ``study`` and ``permit`` is given.
    """
    from lakehouse.governance.permits.files import load_permit, load_study

    if (study is None) == (permit is None):
        raise ConfigurationError("Which permit?", "", "Give --study ID or --permit ID.")
    return load_permit(settings, permit or load_study(settings, str(study)).permit)


@app.command("new")
def permit_new(
    permit: PermitId,
    preset: Annotated[str, typer.Option("--preset", help="Legal basis; a wrong name lists them.")],
    lake: Lake = None,
) -> None:
    """Write a permit to fill in, with what its legal basis demands.

    \f
    Raises :class:`ConfigurationError` for a permit that is there already, :class:`UsageError` for an unknown preset.
    """
    from lakehouse.governance.permits.presets import preset_text

    settings = settings_of(lake)
    text = preset_text(permit, preset, date.today())
    if (settings.home / "conf" / "permits" / f"{permit}.toml").exists():
        raise ConfigurationError(
            f"There is a permit '{permit}'.", "A permit is never overwritten.", "Choose another id."
        )
    print(settings.write_definition("permits", permit, text))


@app.command("lint")
def permit_lint(permit: PermitId, lake: Lake = None) -> None:
    """What a permit lacks or gets wrong in the light of the rules it rests on (no legal advice)."""
    from lakehouse.governance.permits.files import load_permit
    from lakehouse.governance.permits.lint import lint

    found = lint(load_permit(settings_of(lake), permit), date.today())
    for fault in found:
        print(fault)
    if any(fault.error for fault in found):
        raise typer.Exit(ConfigurationError.exit_code)


@app.command("show")
def permit_show(permit: PermitId, lake: Lake = None) -> None:
    """A permit in its canonical form, its hash, and who signed it."""
    from lakehouse.governance.permits.files import load_permit
    from lakehouse.governance.permits.signatures import signatures, valid_signatures

    settings = settings_of(lake)
    found, path = load_permit(settings, permit), settings.definition("permits", permit)
    print(json.dumps(json.loads(found.canonical()), indent=2, ensure_ascii=False))
    print(f"hash {found.hash}")
    valid = valid_signatures(settings, found, path)
    for each in signatures(path):
        print(f"{'signed' if each in valid else 'NOT VALID'} by {each.name} ({each.role}), {each.time}")


@app.command("key")
def permit_key(path: Annotated[Path, typer.Argument(help="File of the new private key.")]) -> None:
    """Make a signing key: the file stays with its owner, the printed public half goes to keys/signers.toml."""
    from lakehouse.governance.ledger.signing import make_key, public_key

    print(public_key(make_key(path)).hex())


@app.command("sign")
def permit_sign(
    permit: PermitId,
    key: Annotated[Path, typer.Option("--key", help="Private key of the signer.")],
    name: Annotated[str, typer.Option("--name", help="Signer's name.")],
    role: Annotated[str, typer.Option("--role", help="authority, controller or data_unit.")],
    lake: Lake = None,
) -> None:
    """Sign a permit as it stands; any later change takes the signature's force."""
    from lakehouse.governance.permits.files import load_permit
    from lakehouse.governance.permits.signatures import add_signature

    settings = settings_of(lake)
    made = add_signature(
        settings.definition("permits", permit), load_permit(settings, permit), key, name, role
    )
    print(f"{made.permit_hash} signed by {made.name} ({made.role})")


@app.command("check")
def permit_check(
    job: Annotated[str, typer.Argument(help="Job: a name in jobs/, or a file.")],
    study: Annotated[str | None, typer.Option("--study", help="Study whose permit is asked.")] = None,
    permit: Annotated[str | None, typer.Option("--permit", help="Permit, instead of a study's.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="Account that would run it.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Parameter, KEY=VALUE: what is read depends on them.")
    ] = None,
    lake: Lake = None,
) -> None:
    """All grants a job lacks for these parameters, at once; needs no lake and no access.

    \f
    Raises :class:`PermissionRefused` where a grant is missing.
    """
    from experiments.run.definition import load_job
    from experiments.run.submission import job_file
    from lakehouse.governance.permits.use import missing_for

    settings = settings_of(lake)
    found, asked = permit_of(settings, study, permit), load_job(job_file(job))
    given: dict[str, Any] = settings.read_definition("studies", study) if study else {}
    params = asked.parameters(given.get("parameters", {}).get(asked.name, {}), set_ or [])
    missing = missing_for(found, asked.reads_for(params), ("mine",), user or getpass.getuser(), date.today())
    for line in missing:
        print(f"MISSING {line}")
    if missing:
        raise PermissionRefused(
            f"{asked.name} lacks {len(missing)} of what it needs under permit '{found.permit_id}'.",
            "",
            f"Leave them out, or ask {found.authority}; 'patternlake permit diff' drafts the application.",
        )
    print(f"{asked.name} may run under permit '{found.permit_id}' until {found.valid_to}.")


@app.command("diff")
def permit_diff(
    study: Annotated[str | None, typer.Option("--study", help="Study whose permit is asked.")] = None,
    permit: Annotated[str | None, typer.Option("--permit", help="Permit, instead of a study's.")] = None,
    draft: Annotated[
        Path | None, typer.Option("--draft", help="Write a supplementary application here.")
    ] = None,
    lake: Lake = None,
) -> None:
    """Granted and never used (shrink), refused and wanted (apply), over all runs under a permit."""
    from experiments.tracking.run_folders import scopes
    from lakehouse.governance.permits import use as permit_use

    settings = settings_of(lake)
    found = permit_of(settings, study, permit)
    records = (record for _, record in scopes(settings) if record["permit"].get("id") == found.permit_id)
    difference = permit_use.difference(found, records)
    print(permit_use.describe(found, difference))
    if draft is not None:
        draft.write_text(permit_use.draft(found, difference, date.today()), "utf-8")
        print(draft)


@app.command("record")
def permit_record(permit: PermitId, lake: Lake = None) -> None:
    """The record of processing (GDPR Art. 30) of a permit, out of permit and ledger alone."""
    from lakehouse.governance.permits.files import load_permit
    from lakehouse.governance.permits.processing_record import record

    settings = settings_of(lake)
    print(json.dumps(record(settings, load_permit(settings, permit)), indent=2, ensure_ascii=False))


@app.command("annex")
def permit_annex(permit: PermitId, lake: Lake = None) -> None:
    """The annex to an impact assessment: every control with what looking at it shows now (Markdown)."""
    from lakehouse.governance.permits.files import load_permit
    from lakehouse.governance.permits.processing_record import annex

    settings = settings_of(lake)
    print(annex(settings, load_permit(settings, permit), date.today()))
