"""Pseudonyms at the door: keys that never leave their file, and tokens made from identifiers under them."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.cpr import TEST_SERIES, BadNumber, is_date, parse
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
    if pending_key(path) is not None:
        raise ConfigurationError(
            f"A change of the root key of {settings.home} is unfinished.",
            "Until every table carries the new tokens, rows read now would not meet the earlier ones.",
            "Finish it with 'patternlake vault rotate-root'.",
        )
    return path


def successor(path: Path, number: int) -> Path:
    """Where the key of a generation lies: ``root.key``, then ``root.2.key``, ``root.3.key``, …"""
    return path if number == 1 else path.with_name(f"{path.stem}.{number}{path.suffix}")


def pending_key(path: Path) -> Path | None:
    """The next generation's key while tables are being moved to it."""
    return next(iter(sorted(path.parent.glob(f"{path.stem}.*{path.suffix}.pending"))), None)


def generation(path: str) -> int:
    """How many keys there have been: the first one and its successors."""
    number = 1
    while successor(Path(path), number + 1).is_file():
        number += 1
    return number


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


Keyed = tuple["hashlib._Hash", "hashlib._Hash"]


def keyed_states(key: bytes) -> Keyed:
    """The two SHA-256 states of HMAC under a key, computed once and copied: half the time of a token."""
    padded = key.ljust(BLOCK, b"\0")
    return (
        hashlib.sha256(bytes(byte ^ 0x36 for byte in padded)),
        hashlib.sha256(bytes(byte ^ 0x5C for byte in padded)),
    )


def tokeniser(path: str, domain: str, number: int = 0) -> Callable[[bytes], str]:
    """HMAC-SHA-256 under a domain key: version byte and 128 bits, 34 hex digits.

    After a change of the root key a token is made under the first key and then carried through every later
    one, as :func:`advancer` carries the tokens already in the lake; ``number`` asks for an earlier generation.
    """
    return _tokeniser(path, domain, number or generation(path))


@cache
def _tokeniser(path: str, domain: str, newest: int) -> Callable[[bytes], str]:
    inner, outer = keyed_states(domain_key(path, domain))
    prefix = f"{KEY_VERSION:02x}"

    def token(message: bytes) -> str:
        first, second = inner.copy(), outer.copy()
        first.update(message)
        second.update(first.digest())
        return prefix + second.hexdigest()[:32]

    if newest == 1:
        return token
    onward = advancer(path, newest)
    return lambda message: onward(token(message))


@cache
def advancer(path: str, newest: int, pending: str = "") -> Callable[[str], str]:
    """Carries a token of any earlier generation to the newest: HMAC of the token under each later root key.

    Nobody needs the identifiers for it, so record keys move like persons; and whoever holds only the earlier
    keys can link no old token to a new one. ``pending`` is the newest key's path before it has its name.
    """
    states = {}
    for number in range(2, newest + 1):
        where = pending if pending and number == newest else str(successor(Path(path), number))
        states[number] = keyed_states(domain_key(where, "rotation", number))

    def onward(token: str) -> str:
        for number in range(int(token[:2], 16) + 1, newest + 1):
            inner, outer = states[number]
            first, second = inner.copy(), outer.copy()
            first.update(token.encode())
            second.update(first.digest())
            token = f"{number:02x}{second.hexdigest()[:32]}"
        return token

    return onward


@cache
def plain_date(six: str) -> bytes:
    """How numbers of that date are hashed, up to the number itself; empty when it takes a closer look."""
    if not six.isdigit() or not is_date(six) or six[:4] in ("2902", "8902"):
        return b""
    return canonical("replacement" if int(six[:2]) > 60 else "cpr", "", "0" * 10)[:-10]


def plain_head(six: str, four: str) -> bytes:
    """The quick way for nearly every number: ten digits, a date, no test patient; empty for :func:`parse` to decide.

    A date is looked at once, which makes a token four times cheaper than the full parse.
    """
    return plain_date(six) if four.isdigit() and four not in TEST_SERIES else b""


def person_identities(values: Iterable[str], issuers: Iterable[str]) -> tuple[list[bytes | None], list[str]]:
    """What Danish person numbers are hashed as, and for each the reason why it is nobody (empty when it is).

    A decentral replacement number is a person only together with its issuer; the others are national.
    """
    identities: list[bytes | None] = []
    reasons: list[str] = []
    for value, issuer in zip(values, issuers, strict=True):
        if len(value) == 10 and value.isascii() and (head := plain_head(value[:6], value[6:])):
            identities.append(head + value.encode())
            reasons.append("")
            continue
        try:
            number = parse(value)
        except BadNumber as bad:
            identities.append(None)
            reasons.append(bad.reason)
            continue
        if "test_person" in number.flags:
            identities.append(None)
            reasons.append("test_person")
            continue
        identities.append(canonical(number.kind, issuer if number.kind == "d-ecpr" else "", number.value))
        reasons.append("")
    return identities, reasons


def person_tokens(
    path: str, values: Iterable[str], issuers: Iterable[str]
) -> tuple[list[str | None], list[str]]:
    """Tokens of Danish person numbers, and for each the reason why it has none (empty when it has one)."""
    make = tokeniser(path, "person")
    identities, reasons = person_identities(values, issuers)
    return [None if each is None else make(each) for each in identities], reasons


def key_identities(kind: str, issuer: str, values: Iterable[str]) -> list[bytes]:
    """What record keys or foreign person ids are hashed as: equal values of one issuer are equal."""
    head = canonical(kind, issuer, "")[:-2]
    return [b"%b%d:%b" % (head, len(raw), raw) for raw in (value.encode() for value in values)]


def key_tokens(path: str, domain: str, kind: str, issuer: str, values: Iterable[str]) -> list[str]:
    """Tokens of record keys or foreign person ids: equal values of one issuer give equal tokens."""
    make = tokeniser(path, domain)
    return [make(each) for each in key_identities(kind, issuer, values)]
