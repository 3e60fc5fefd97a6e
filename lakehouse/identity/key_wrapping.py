"""Who wraps the vault's data keys: key files by default, HashiCorp Vault's transit engine where there is one."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lakehouse.errors import ConfigurationError
from lakehouse.private_files import write_private

if TYPE_CHECKING:
    from lakehouse.settings import Settings


class KeyWrapper(Protocol):
    """Wraps data keys under a key that never leaves its keeper. Versions count up from 1."""

    @property
    def version(self) -> int:
        """Newest version; what is wrapped from now on is wrapped under it."""

    def wrap(self, keys: Sequence[bytes], about: Sequence[bytes]) -> list[bytes]:
        """Wrap each key, bound to what it is about."""

    def unwrap(self, wrapped: Sequence[bytes], about: Sequence[bytes]) -> list[bytes]:
        """The keys again; raises when one was changed, or its version is gone."""

    def advance(self) -> int:
        """Make the next version and return its number; earlier ones still unwrap."""

    def retire(self, version: int) -> None:
        """Give up every version below this one: what is wrapped under them stays closed for ever."""


class FileWrapper:
    """Key-encryption keys as files for their owner alone, ``kek.<version>.key``; AES-256-SIV.

    SIV, because millions of keys are wrapped under one key: it has no nonce that could repeat.
    """

    def __init__(self, folder: Path, *, create: bool) -> None:
        self.folder = folder
        if not self.files():
            if not create:
                raise ConfigurationError(
                    f"The vault at {folder} has no key.",
                    "It was never set up, or its key was moved away.",
                    "Run 'patternlake vault init', or restore kek.<n>.key from its copy.",
                )
            write_private(self.path(1), secrets.token_bytes(64))
        for path in self.files().values():
            if path.stat().st_mode & 0o077:
                raise ConfigurationError(
                    f"The vault key {path} can be read by others.",
                    "Whoever holds it and the vault knows every person in the lake.",
                    f"Run 'chmod 600 {path}'.",
                )

    def path(self, version: int) -> Path:
        """File of one version."""
        return self.folder / f"kek.{version}.key"

    def files(self) -> dict[int, Path]:
        """Key files by version."""
        return {int(path.name.split(".")[1]): path for path in self.folder.glob("kek.*.key")}

    @property
    def version(self) -> int:
        """Newest version."""
        return max(self.files())

    def wrap(self, keys: Sequence[bytes], about: Sequence[bytes]) -> list[bytes]:
        """Wrap each key; the version stands in front."""
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        cipher, head = AESSIV(self.path(self.version).read_bytes()), self.version.to_bytes(4, "big")
        return [head + cipher.encrypt(key, [each]) for key, each in zip(keys, about, strict=True)]

    def unwrap(self, wrapped: Sequence[bytes], about: Sequence[bytes]) -> list[bytes]:
        """The keys again. Raises :class:`ConfigurationError` where one was changed or its key is gone."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        files = self.files()
        ciphers = {version: AESSIV(path.read_bytes()) for version, path in files.items()}
        try:
            return [
                ciphers[int.from_bytes(blob[:4], "big")].decrypt(blob[4:], [each])
                for blob, each in zip(wrapped, about, strict=True)
            ]
        except (KeyError, InvalidTag):
            raise ConfigurationError(
                "A record of the vault does not open.",
                "It was changed, or its key was given up after a rotation.",
                "Restore the vault and its key from one and the same copy.",
            ) from None

    def advance(self) -> int:
        """Write the next key file."""
        number = self.version + 1
        write_private(self.path(number), secrets.token_bytes(64))
        return number

    def retire(self, version: int) -> None:
        """Overwrite and remove earlier key files."""
        for number, path in self.files().items():
            if number < version:
                with path.open("r+b") as handle:
                    handle.write(os.urandom(64))
                    handle.flush()
                    os.fsync(handle.fileno())
                path.unlink()


class TransitWrapper:
    """HashiCorp Vault's transit engine: the wrapping key never leaves the server (needs the extra ``transit``).

    ``VAULT_ADDR`` and ``VAULT_TOKEN`` say where and as whom; ``client`` serves tests against another server.
    """

    def __init__(self, key: str, client: Any = None) -> None:
        self.key = key
        if client is None:
            try:
                import hvac
            except ImportError:
                raise ConfigurationError(
                    "The transit back end needs the package hvac.",
                    "PATTERNLAKE_VAULT_TRANSIT names a key of a HashiCorp Vault.",
                    "Install the extra: pip install 'patternlake[transit]'.",
                ) from None
            client = hvac.Client()
        self.engine = client.secrets.transit

    @property
    def version(self) -> int:
        """Newest version as the server says."""
        return int(self.engine.read_key(name=self.key)["data"]["latest_version"])

    def wrap(self, keys: Sequence[bytes], about: Sequence[bytes]) -> list[bytes]:
        """Wrap in one request. The key on the server must be ``derived``, so that ``about`` counts."""
        batch = [
            {"plaintext": encoded(key), "context": encoded(each)}
            for key, each in zip(keys, about, strict=True)
        ]
        answer = self.engine.encrypt_data(name=self.key, plaintext="", batch_input=batch)
        return [each["ciphertext"].encode() for each in answer["data"]["batch_results"]]

    def unwrap(self, wrapped: Sequence[bytes], about: Sequence[bytes]) -> list[bytes]:
        """Unwrap in one request."""
        batch = [
            {"ciphertext": blob.decode(), "context": encoded(each)}
            for blob, each in zip(wrapped, about, strict=True)
        ]
        answer = self.engine.decrypt_data(name=self.key, ciphertext="", batch_input=batch)
        return [base64.b64decode(each["plaintext"]) for each in answer["data"]["batch_results"]]

    def advance(self) -> int:
        """Ask the server for the next version."""
        self.engine.rotate_key(name=self.key)
        return self.version

    def retire(self, version: int) -> None:
        """Ask the server to decrypt nothing older any more."""
        self.engine.update_key_configuration(name=self.key, min_decryption_version=version)


def encoded(raw: bytes) -> str:
    """Base64 as text."""
    return base64.b64encode(raw).decode()


def wrapper_of(settings: Settings, *, create: bool) -> KeyWrapper:
    """The back end of a lake's vault: transit when ``PATTERNLAKE_VAULT_TRANSIT`` names a key, else key files."""
    if name := os.environ.get("PATTERNLAKE_VAULT_TRANSIT"):
        return TransitWrapper(name)
    return FileWrapper(settings.vault, create=create)
