"""``patternlake define``: what operators and researchers declare in files, of every family: list, show, check, sign."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.cli.common import Lake, settings_of
from lakehouse.errors import ConfigurationError, DataError, UsageError

if TYPE_CHECKING:
    from lakehouse.definitions import Definition
    from lakehouse.settings import Settings

NAME = "define"
PERMITS = "permits"
app = typer.Typer(no_args_is_help=True, help="Definition files: list, show, check, sign.")
Family = Annotated[str, typer.Argument(metavar="FAMILY", help="Family: a folder of conf, such as studies.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="Definition, by its id.")]


@dataclass(frozen=True)
class Row:
    """One file as a list shows it; ``fault`` where it cannot be read."""

    name: str
    title: str
    hash: str
    state: str
    fault: str = ""


def known_families() -> dict[str, type]:
    """Every family of the platform by its name."""
    from lakehouse.definitions.families import families

    return families("lakehouse", "experiments")


def loaded(settings: Settings, family: str, id: str) -> Definition[Any]:
    """A definition by names; permits are turned away to their own commands.

    Raises :class:`UsageError` for a permit or an unknown family, :class:`ConfigurationError` for a faulty file.
    """
    from lakehouse.definitions import load
    from lakehouse.definitions.families import family_called

    if family == PERMITS:
        raise UsageError("Permits have commands of their own.", "", f"See 'patternlake permit show {id}'.")
    return load(settings, family_called(known_families(), family), id)


def rows(settings: Settings, family: str, lang: str) -> Iterator[Row]:
    """Every definition of a family; a faulty one shows its faults instead of ending the list."""
    from lakehouse.definitions.loader import ids
    from lakehouse.governance.approvals.definition_signatures import signatures_needed, unsigned
    from lakehouse.governance.permits.files import load_permit
    from lakehouse.governance.permits.signatures import valid_signatures

    for id in ids(settings, family):
        try:
            if family == PERMITS:
                permit = load_permit(settings, id)
                signed = valid_signatures(settings, permit, settings.definition(PERMITS, id))
                name = f"{PERMITS}/{id}@{permit.version}"
                yield Row(name, permit.title, permit.hash, "signed" if signed else "unsigned")
                continue
            made = loaded(settings, family, id)
            state = ("unsigned" if unsigned(settings, made) else "signed") if signatures_needed(made) else ""
            yield Row(made.name, made.title.told(lang), made.hash, state)
        except ConfigurationError as error:
            yield Row(f"{family}/{id}", "", "", "faulty", error.what)


@app.command("list")
def define_list(
    family: Annotated[
        str | None, typer.Argument(metavar="FAMILY", help="Family; all of them if none.")
    ] = None,
    lang: Annotated[str, typer.Option("--lang", help="Language of the titles: en or da.")] = "en",
    lake: Lake = None,
) -> None:
    """Definitions with version, hash, title, and whether they are signed where they must be."""
    from lakehouse.definitions.families import family_called

    settings, known = settings_of(lake), known_families()
    if family not in (None, PERMITS):
        family_called(known, str(family))
    for each in [family] if family else [*known, PERMITS]:
        for row in rows(settings, each, lang):
            print("  ".join(filter(None, (row.name, row.hash[:12], row.state, row.title))))


@app.command("show")
def define_show(family: Family, id: Id, lake: Lake = None) -> None:
    """A definition as it is applied: its whole content with defaults, what it refers to, its hash, and who signed it."""
    from lakehouse.definitions.canonical import plain
    from lakehouse.governance.approvals.definition_signatures import signatures, valid_signatures

    settings = settings_of(lake)
    made = loaded(settings, family, id)
    print(f"{made.name}  {made.path}\n{made.title.en} | {made.title.da}")
    print(json.dumps(plain(made.content, whole=True), indent=2, ensure_ascii=False))
    for other in made.uses:
        print(f"uses {other.name} {other.hash}")
    print(f"hash {made.hash}")
    valid = valid_signatures(settings, made)
    for each in signatures(settings, made):
        print(f"{'signed' if each in valid else 'NOT VALID'} by {each.name} ({each.role}), {each.time}")


@app.command("check")
def define_check(
    family: Annotated[
        str | None, typer.Argument(metavar="FAMILY", help="Family; all of them if none.")
    ] = None,
    id: Annotated[
        str | None, typer.Argument(metavar="ID", help="Definition; all of the family if none.")
    ] = None,
    lake: Lake = None,
) -> None:
    """All faults of all files asked for; a missing signature is one where persons are real. Reads no data.

    \f
    Raises :class:`ConfigurationError` where a definition cannot be used.
    """
    from lakehouse.definitions.families import family_called
    from lakehouse.definitions.loader import ids
    from lakehouse.governance.approvals.definition_signatures import unsigned

    settings, known = settings_of(lake), known_families()
    chosen = [family_called(known, family).family] if family else list(known)  # type: ignore[attr-defined]
    unusable, whole, real = 0, 0, persons_are_real(settings)
    for each in chosen:
        for one in [id] if id else ids(settings, each):
            try:
                made = loaded(settings, each, one)
            except ConfigurationError as error:
                print(f"FAULTY {error.what}")
                unusable += 1
                continue
            why = unsigned(settings, made)
            if why:
                print(f"UNSIGNED {why}")
            unusable, whole = unusable + bool(why and real), whole + 1
    if unusable:
        raise ConfigurationError(
            f"{unusable} of {unusable + whole} definitions cannot be used.",
            "What is declared is applied exactly as written.",
            "Correct what is named above, and check again.",
        )
    print(f"Definitions in order: {whole}.")


@app.command("sign")
def define_sign(
    family: Family,
    id: Id,
    key: Annotated[Path, typer.Option("--key", help="Private key of the signer.")],
    name: Annotated[str, typer.Option("--name", help="Signer's name.")],
    role: Annotated[str, typer.Option("--role", help="authority, controller or data_unit.")],
    lake: Lake = None,
) -> None:
    """Sign a definition as it stands; any later change takes the signature's force."""
    from lakehouse.governance.approvals.definition_signatures import add_signature

    settings = settings_of(lake)
    made = add_signature(settings, loaded(settings, family, id), key, name, role)
    print(f"{made.family}/{made.id}@{made.version} {made.hash} signed by {made.name} ({made.role})")


def persons_are_real(settings: Settings) -> bool:
    """Whether the lake holds real persons; without a lake there are none yet."""
    from lakehouse.governance.permits.files import lake_kind

    try:
        return lake_kind(settings) == "real"
    except DataError:
        return False
