"""Pseudonyms at the door: keys that never leave their file, and tokens made from identifiers under them."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.cpr import BadNumber, parse
from lakehouse.errors import ConfigurationError

if TYPE_CHECKING:
    from lakehouse.settings import Settings

KEY_VERSION = 1
BLOCK = 64


def root_key_file(settings: Settings, *, create: bool) -> Path:
    """Path of the lake's root key: 32 random bytes that only their owner may read.

    It is made on first use of a lake without real persons. A real lake's key is put there by the data unit,
    because whoever makes it must also keep a copy: without it no later delivery links to the earlier ones.
    """
    path = settings.keys / "root.key"
    if not path.is_file():
        if not create:
            raise ConfigurationError(
                f"The lake has no root key at {path}.",
                "Pseudonyms of real persons are made under a key that the data unit keeps.",
                "Put 32 random bytes there, readable by you alone: 'umask 077; head -c 32 /dev/urandom > root.key'.",
            )
        settings.keys.mkdir(parents=True, exist_ok=True)
        settings.keys.chmod(0o700)
        temporary = settings.keys / f"root.key.{os.getpid()}"
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
            handle.write(secrets.token_bytes(32))
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    state = path.stat()
    if state.st_mode & 0o077:
        raise ConfigurationError(
            f"The root key {path} can be read by others.",
            "Whoever holds it can find out whom a token stands for.",
            f"Run 'chmod 600 {path}'.",
        )
    if state.st_size != 32:
        raise ConfigurationError(
            f"The root key {path} is not 32 bytes long.", "", "Restore it from its copy."
        )
    return path


@cache
def domain_key(path: str, domain: str, version: int = KEY_VERSION) -> bytes:
    """Key of one domain, by HKDF-SHA256 from the root key file; read once a process, where it is used."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    info = f"patternlake/token/{domain}/{version}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(Path(path).read_bytes())


def canonical(kind: str, issuer: str, value: str) -> bytes:
    """What a token is computed from; lengths in front keep (a, bc) and (ab, c) apart."""
    return b"".join(f"{len(part.encode())}:{part}".encode() for part in (kind, issuer, value))


@cache
def tokeniser(path: str, domain: str) -> Callable[[bytes], str]:
    """HMAC-SHA-256 under a domain key: version byte and 128 bits, 34 hex digits.

    The two keyed SHA-256 states are computed once and copied, which halves the time of a token.
    """
    key = domain_key(path, domain).ljust(BLOCK, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key))
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key))
    prefix = f"{KEY_VERSION:02x}"

    def token(message: bytes) -> str:
        first, second = inner.copy(), outer.copy()
        first.update(message)
        second.update(first.digest())
        return prefix + second.hexdigest()[:32]

    return token


def person_tokens(
    path: str, values: Iterable[str], issuers: Iterable[str]
) -> tuple[list[str | None], list[str]]:
    """Tokens of Danish person numbers, and for each the reason why it has none (empty when it has one).

    A decentral replacement number is a person only together with its issuer; the others are national.
    """
    make = tokeniser(path, "person")
    tokens: list[str | None] = []
    reasons: list[str] = []
    for value, issuer in zip(values, issuers, strict=True):
        try:
            number = parse(value)
        except BadNumber as bad:
            tokens.append(None)
            reasons.append(bad.reason)
            continue
        if "test_person" in number.flags:
            tokens.append(None)
            reasons.append("test_person")
            continue
        tokens.append(make(canonical(number.kind, issuer if number.kind == "d-ecpr" else "", number.value)))
        reasons.append("")
    return tokens, reasons


def key_tokens(path: str, domain: str, kind: str, issuer: str, values: Iterable[str]) -> list[str]:
    """Tokens of record keys or foreign person ids: equal values of one issuer give equal tokens."""
    make = tokeniser(path, domain)
    head = canonical(kind, issuer, "")[:-2]
    return [make(b"%b%d:%b" % (head, len(raw), raw)) for raw in (value.encode() for value in values)]
