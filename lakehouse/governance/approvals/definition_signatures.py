"""Signatures under definitions that decide about persons: who signed exactly this family, id, version and hash.

Keys, roles and trusted signers are those of permits. The signatures lie in the home's own ``conf``, also for a
definition that came with the platform; those beside its file count too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lakehouse.definitions import Definition
from lakehouse.errors import ConfigurationError, PermissionRefused
from lakehouse.governance.ledger.check import signed_by
from lakehouse.governance.ledger.signers import ROLES, trusted_signers
from lakehouse.governance.ledger.signing import public_key, sign
from lakehouse.settings import Settings


@dataclass(frozen=True)
class DefinitionSignature:
    """One person's signature over one definition as it stands."""

    family: str
    id: str
    version: int
    hash: str
    name: str
    role: str
    time: str
    key: str
    sig: str

    def message(self) -> bytes:
        """What was signed."""
        parts = [self.family, self.id, self.version, self.hash, self.name, self.role, self.time]
        text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
        return b"patternlake-definition:" + text.encode()

    @property
    def genuine(self) -> bool:
        """Whether the key named in it made it."""
        try:
            return signed_by(bytes.fromhex(self.key), self.sig, self.message())
        except ValueError:
            return False

    def binds(self, definition: Definition[Any]) -> bool:
        """Whether it is of this very definition: family, id, version and hash."""
        ours = (self.family, self.id, self.version, self.hash)
        return ours == (definition.family, definition.id, definition.version, definition.hash)


def signatures_needed(definition: Definition[Any]) -> int:
    """How many different persons must sign where persons are real: ``signed`` of the family, 0 where it has none."""
    return int(getattr(definition.content, "signed", 0))


def signature_files(settings: Settings, definition: Definition[Any]) -> tuple[Path, Path]:
    """Where signatures of a definition lie: in the home's own ``conf``, to which new ones go, and beside its file."""
    name = f"{definition.id}.sig.json"
    return settings.home / "conf" / definition.family / name, definition.path.with_name(name)


def signatures(settings: Settings, definition: Definition[Any]) -> list[DefinitionSignature]:
    """All signatures of a definition, genuine or not; :class:`ConfigurationError` for a file that holds none."""
    found: list[DefinitionSignature] = []
    for path in dict.fromkeys(signature_files(settings, definition)):
        if path.is_file():
            found += _read(path)
    return list(dict.fromkeys(found))


def _read(path: Path) -> list[DefinitionSignature]:
    try:
        return [DefinitionSignature(**each) for each in json.loads(path.read_text("utf-8"))]
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{path} holds no signatures.", str(error), "Have the definition signed again."
        ) from error


def add_signature(
    settings: Settings, definition: Definition[Any], key: Path, name: str, role: str
) -> DefinitionSignature:
    """Sign a definition as it stands with a private key file; later changes take the signature's force.

    Raises :class:`ConfigurationError` for an unknown role or a file that is no private key of its owner alone.
    """
    if role not in ROLES:
        raise ConfigurationError(f"'{role}' is no role.", "", f"Roles are {', '.join(ROLES)}.")
    bare = DefinitionSignature(
        definition.family, definition.id, definition.version, definition.hash, name, role,
        datetime.now(UTC).isoformat(timespec="seconds"), public_key(key).hex(), "",
    )  # fmt: skip
    made = replace(bare, sig=sign(key, bare.message()))
    path = signature_files(settings, definition)[0]
    before = _read(path) if path.is_file() else []
    kept = [each for each in before if each.binds(definition) and each.key != made.key]
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    text = json.dumps([asdict(each) for each in [*kept, made]], indent=2, ensure_ascii=False)
    temporary.write_text(text + "\n", "utf-8")
    temporary.replace(path)
    return made


def valid_signatures(settings: Settings, definition: Definition[Any]) -> list[DefinitionSignature]:
    """Signatures that are genuine, over this very definition, by a trusted signer in the role the data unit gave."""
    trusted = trusted_signers(settings)
    return [
        each
        for each in signatures(settings, definition)
        if each.binds(definition) and each.genuine and trusted.get(each.key) == each.role
    ]


def persons_among(found: Sequence[DefinitionSignature]) -> int:
    """How many different persons signed: one key, or one name, is one person."""
    return min(len({each.key for each in found}), len({each.name.casefold() for each in found}))


def unsigned(settings: Settings, definition: Definition[Any]) -> str:
    """Why the signatures of a definition do not suffice; empty where they do, or where its family needs none."""
    needed = signatures_needed(definition)
    have = persons_among(valid_signatures(settings, definition)) if needed else 0
    if have >= needed:
        return ""
    if any(not each.binds(definition) for each in signatures(settings, definition)):
        return f"{definition.name} was changed after it was signed ({have} of {needed} signatures hold)"
    return f"{definition.name} carries {have} of {needed} valid signatures"


def require_signed(settings: Settings, definition: Definition[Any], *, real: bool) -> None:
    """Refuse a definition of a signed family, or one it refers to, that lacks valid signatures while persons are ``real``.

    Raises :class:`PermissionRefused`.
    """
    for each in (definition, *definition.uses) if real else ():
        if why := unsigned(settings, each):
            raise PermissionRefused(
                f"{why}.",
                "A definition that decides about real persons holds only when those who answer for it signed it.",
                f"Have it signed: patternlake define sign {each.family} {each.id} --key FILE --name NAME --role ROLE.",
            )
