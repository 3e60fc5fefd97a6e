"""Ed25519 keys of the platform and of people: made once, kept outside the lake, used to sign and to check."""

from __future__ import annotations

import os
from pathlib import Path

from lakehouse.errors import ConfigurationError

KEY_BYTES = 32


def make_key(path: Path) -> Path:
    """Write a new private key (32 bytes, its owner's alone) and beside it the public one (``.pub``).

    Raises :class:`ConfigurationError` where there is a key already: what it signed must stay checkable.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if path.exists():
        raise ConfigurationError(
            f"There is a key at {path}.", "What it signed must stay checkable.", "Choose another name."
        )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    private = Ed25519PrivateKey.generate()
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(private.private_bytes_raw())
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    path.with_suffix(".pub").write_bytes(public_key(path))
    return path


def key_at(path: Path) -> Path:
    """A private key's path; made when it is missing."""
    if not path.is_file():
        make_key(path)
    return path


def _private(path: Path) -> bytes:
    if not path.is_file():
        raise ConfigurationError(
            f"There is no signing key at {path}.", "", "Make one with 'patternlake permit key FILE'."
        )
    if path.stat().st_mode & 0o077:
        raise ConfigurationError(
            f"The signing key {path} can be read by others.",
            "Whoever holds it can sign in its owner's name.",
            f"Run 'chmod 600 {path}'.",
        )
    content = path.read_bytes()
    if len(content) != KEY_BYTES:
        raise ConfigurationError(
            f"{path} is no signing key: it is not 32 bytes long.", "", "Restore it from its copy."
        )
    return content


def public_key(path: Path) -> bytes:
    """The public half (32 bytes) of a private key file."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(_private(path)).public_key().public_bytes_raw()


def sign(path: Path, message: bytes) -> str:
    """Signature in hex over a message, with a private key file."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(_private(path)).sign(message).hex()
