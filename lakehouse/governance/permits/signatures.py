"""Signatures under a permit: who signed exactly this content, checked against the signers the data unit trusts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from lakehouse.errors import ConfigurationError, PermissionRefused
from lakehouse.governance.ledger.check import signed_by
from lakehouse.governance.ledger.signers import ROLES, trusted_signers
from lakehouse.governance.ledger.signing import public_key, sign
from lakehouse.governance.permits.model import Permit
from lakehouse.settings import Settings


@dataclass(frozen=True)
class Signature:
    """One person's signature over one permit hash."""

    name: str
    role: str
    permit_hash: str
    time: str
    key: str
    sig: str

    def message(self) -> bytes:
        """What was signed."""
        parts = [self.permit_hash, self.name, self.role, self.time]
        return b"patternlake-permit:" + json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()

    @property
    def genuine(self) -> bool:
        """Whether the key named in it made it."""
        try:
            return signed_by(bytes.fromhex(self.key), self.sig, self.message())
        except ValueError:
            return False


def signature_file(permit_file: Path) -> Path:
    """Where the signatures of a permit lie: beside it."""
    return permit_file.with_suffix(".sig.json")


def signatures(permit_file: Path) -> list[Signature]:
    """Signatures beside a permit file, genuine or not; :class:`ConfigurationError` where their file cannot be read."""
    path = signature_file(permit_file)
    if not path.is_file():
        return []
    try:
        return [Signature(**each) for each in json.loads(path.read_text("utf-8"))]
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{path} holds no signatures.", str(error), "Have the permit signed again."
        ) from error


def add_signature(permit_file: Path, permit: Permit, key: Path, name: str, role: str) -> Signature:
    """Sign a permit's canonical content with a private key and put the signature beside it.

    Raises :class:`ConfigurationError` for an unknown role, a key or a file of signatures that cannot be read.
    """
    if role not in ROLES:
        raise ConfigurationError(f"'{role}' is no role.", "", f"Roles are {', '.join(ROLES)}.")
    bare = Signature(
        name, role, permit.hash, datetime.now(UTC).isoformat(timespec="seconds"), public_key(key).hex(), ""
    )
    made = Signature(**{**asdict(bare), "sig": sign(key, bare.message())})
    kept = [
        each for each in signatures(permit_file) if each.permit_hash == permit.hash and each.key != made.key
    ]
    path = signature_file(permit_file)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(
        json.dumps([asdict(each) for each in [*kept, made]], indent=2, ensure_ascii=False) + "\n", "utf-8"
    )
    temporary.replace(path)
    return made


def valid_signatures(settings: Settings, permit: Permit, permit_file: Path) -> list[Signature]:
    """Signatures that are genuine, over this very content, by a trusted signer in the role the data unit gave."""
    trusted = trusted_signers(settings)
    return [
        each
        for each in signatures(permit_file)
        if each.permit_hash == permit.hash and each.genuine and trusted.get(each.key) == each.role
    ]


def require_signature(settings: Settings, permit: Permit, permit_file: Path) -> None:
    """Raise :class:`PermissionRefused` for a permit that no trusted signer has signed as it stands.

    Called where persons are real.
    """
    if valid_signatures(settings, permit, permit_file):
        return
    found = signatures(permit_file)
    changed = any(each.permit_hash != permit.hash for each in found)
    raise PermissionRefused(
        f"Permit '{permit.permit_id}' carries no valid signature.",
        "It was changed after it was signed."
        if changed
        else "A permit for real persons holds only when its authority signed it.",
        f"Have it signed: patternlake permit sign {permit.permit_id} --key FILE --name NAME --role authority.",
    )
