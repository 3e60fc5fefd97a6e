"""Sealed boxes: whoever has the public key can put something in, only the holder of the private key takes it out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

MAGIC = b"PLSEAL1\n"


def seal(public: bytes, message: bytes, about: bytes) -> bytes:
    """Encrypt for a raw X25519 public key: a key of its own for every box, AES-256-GCM, ``about`` authenticated."""
    import os

    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    once = X25519PrivateKey.generate()
    mine = once.public_key().public_bytes_raw()
    shared = once.exchange(X25519PublicKey.from_public_bytes(public))
    nonce = os.urandom(12)
    return MAGIC + mine + nonce + AESGCM(box_key(shared, mine, public)).encrypt(nonce, message, about)


def unseal(private: X25519PrivateKey, box: bytes, about: bytes) -> bytes:
    """What was sealed; raises :class:`DataError` when the box is not for this key, was changed, or is another one's."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    start = len(MAGIC)
    if box[:start] != MAGIC or len(box) < start + 32 + 12 + 16:
        raise DataError("This is no sealed file.", "It was cut, or is something else.", "Ask for it again.")
    theirs, nonce, text = box[start : start + 32], box[start + 32 : start + 44], box[start + 44 :]
    shared = private.exchange(X25519PublicKey.from_public_bytes(theirs))
    try:
        mine = private.public_key().public_bytes_raw()
        return AESGCM(box_key(shared, theirs, mine)).decrypt(nonce, text, about)
    except InvalidTag:
        raise DataError(
            "The sealed file does not open with this key.",
            "It was sealed for another key, or was changed on its way.",
            "Use the key whose public half was given.",
        ) from None


def box_key(shared: bytes, sender: bytes, recipient: bytes) -> bytes:
    """The box's own key, bound to both public keys."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    info = b"patternlake/sealed/1" + sender + recipient
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(shared)


def private_x25519(path: Path) -> X25519PrivateKey:
    """A recipient's private key from a PEM file that only its owner may read.

    Raises :class:`ConfigurationError` where it is a key of another kind.
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    key = private_pem(path)
    if not isinstance(key, X25519PrivateKey):
        raise ConfigurationError(f"{path} is no X25519 key.", "", "Give the recipient's own key file.")
    return key


def private_pem(path: Path) -> object:
    """A private key from a PEM file; :class:`ConfigurationError` for a missing, unreadable or widely readable one."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if not path.is_file():
        raise ConfigurationError(
            f"There is no key file {path}.", "", "Make one with 'patternlake vault keypair'."
        )
    if path.stat().st_mode & 0o077:
        raise ConfigurationError(
            f"The key file {path} can be read by others.",
            "Whoever holds it can act in its owner's name.",
            f"Run 'chmod 600 {path}'.",
        )
    try:
        return load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError):
        raise ConfigurationError(
            f"{path} holds no private key in PEM form.", "", "Give the key file itself."
        ) from None
