"""Named persons with keys of their own: who may ask, approve and receive, and that two persons are two.

One person under two names would defeat every rule that needs two persons. So a name, an account and a key are each
entered once; an action is signed, and taken only from the account its signatory is entered with.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.errors import ConfigurationError, PermissionRefused, UsageError
from lakehouse.governance.ledger import signing
from lakehouse.governance.ledger.signing import make_key, public_key
from lakehouse.private_files import private_folder, write_private

if TYPE_CHECKING:
    from lakehouse.settings import Settings

ROLES = ("requester", "approver", "recipient")


@dataclass(frozen=True)
class Signatory:
    """One entry of the register: ``key`` is the raw public key in hex (Ed25519; a recipient's is X25519)."""

    name: str
    account: str
    key: str
    roles: tuple[str, ...]


def register_file(settings: Settings) -> Path:
    """The register, in the vault's folder."""
    return settings.vault / "officers.json"


def signatories(settings: Settings) -> dict[str, Signatory]:
    """Everybody in the register by name."""
    path = register_file(settings)
    if not path.is_file():
        return {}
    entries = json.loads(path.read_text(encoding="utf-8"))
    return {each["name"]: Signatory(**{**each, "roles": tuple(each["roles"])}) for each in entries}


def enter(settings: Settings, signatory: Signatory) -> None:
    """Enter somebody.

    Raises :class:`PermissionRefused` when the name, the account or the key is there already, :class:`UsageError` for
    an unknown role.
    """
    if unknown := sorted(set(signatory.roles) - set(ROLES)):
        raise UsageError(f"There is no role {', '.join(unknown)}.", "", f"Known: {', '.join(ROLES)}.")
    with locked(register_file(settings)):
        known = signatories(settings)
        for other in known.values():
            shared = [
                what
                for what in ("name", "account", "key")
                if getattr(other, what) == getattr(signatory, what)
            ]
            if shared:
                raise PermissionRefused(
                    f"'{signatory.name}' has the same {shared[0]} as '{other.name}'.",
                    "One person under two names could approve their own request.",
                    "Enter each person once, with an account and a key of their own.",
                )
        listed = [*(asdict(each) for each in known.values()), asdict(signatory)]
        write_private(register_file(settings), json.dumps(listed, indent=1).encode())


def signatory_for(settings: Settings, name: str, role: str, account: str | None = None) -> Signatory:
    """The signatory of that name and role, acting from their own account; else :class:`PermissionRefused`.

    ``account`` is who acts (default: the operating system's word for it); a recipient does not act.
    """
    signatory = signatories(settings).get(name)
    if signatory is None:
        raise PermissionRefused(
            f"'{name}' is not in the register of signatories.",
            "Only named persons with a key of their own may act here.",
            "Have them entered with 'patternlake reidentify signatory'.",
        )
    if role not in signatory.roles:
        raise PermissionRefused(f"'{name}' is no {role}.", "The register gives another role.", "")
    acting = account or getpass.getuser()
    if role != "recipient" and acting != signatory.account:
        raise PermissionRefused(
            f"The account '{acting}' is not that of '{name}'.",
            "Nobody acts in another's name.",
            f"Run this as '{signatory.account}'.",
        )
    return signatory


def sign(private: Path, signatory: Signatory, message: bytes) -> str:
    """A signatory's signature, hex; :class:`PermissionRefused` when the key file is not the one the register knows."""
    if public_key(private).hex() != signatory.key:
        raise PermissionRefused(
            f"The key {private} is not that of '{signatory.name}'.",
            "A signature must be the signatory's own.",
            "",
        )
    return signing.sign(private, message)


def verified(signatory: Signatory, message: bytes, signature: str) -> bool:
    """Whether the signatory signed exactly this."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(signatory.key)).verify(
            bytes.fromhex(signature), message
        )
    except (InvalidSignature, ValueError):
        return False
    return True


def make_pair(out: Path, kind: str) -> str:
    """Write a new private key, its owner's alone, and its public half (``.pub``) beside it; returns that, hex.

    ``kind`` is ``sign`` (a signatory's Ed25519 key) or ``receive`` (a recipient's X25519 key, PEM). Raises
    :class:`UsageError` or :class:`ConfigurationError` where a key is there already: it is not overwritten.
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    if kind == "sign":
        return public_key(make_key(out)).hex()
    if out.exists():
        raise UsageError(
            f"{out} is there already.", "A key that is overwritten is lost.", "Name another file."
        )
    made = X25519PrivateKey.generate()
    write_private(out, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = made.public_key().public_bytes_raw()
    out.with_suffix(".pub").write_bytes(public)
    return public.hex()


def public_half(path: Path) -> str:
    """The public key in a ``.pub`` file, hex; :class:`ConfigurationError` where it holds none."""
    if not path.is_file() or path.stat().st_size != 32:
        raise ConfigurationError(
            f"{path} holds no public key.",
            "It is 32 bytes long.",
            "Make one with 'patternlake vault keypair'.",
        )
    return path.read_bytes().hex()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One writer of a file at a time: whoever comes second waits. The lock's own file lies beside it."""
    private_folder(path.parent)
    handle = os.open(path.with_suffix(".lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(handle, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
