"""Pseudonyms: keys that never leave their file, and tokens made from identities under them, one or many."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.arrow_text import letters_of, text_buffers, texts_of
from lakehouse.errors import ConfigurationError
from lakehouse.identity.identity_keys import key_identities, person_identities

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from lakehouse.arrow_text import Bytes
    from lakehouse.settings import Settings

KEY_VERSION = 1
BLOCK = 64
TOKEN_LETTERS = 34
ONE_BY_ONE = 300_000
"""Tokens a process makes one by one before it loads what makes many at once."""
_made = {"one by one": 0}


def root_key_file(settings: Settings, *, create: bool) -> Path:
    """Path of the lake's root key: 32 random bytes that only their owner may read.

    It is made on first use of a lake without real persons. A real lake's key is put there by the data unit,
    because whoever makes it must also keep a copy: without it no later delivery links to the earlier ones.
    Raises :class:`ConfigurationError` where there is none and none may be made, others can read it, or it is not whole.
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


Keyed = tuple["hashlib._Hash", "hashlib._Hash"]


def keyed_states(key: bytes) -> Keyed:
    """The two SHA-256 states of HMAC under a key, computed once and copied: half the time of a token."""
    padded = key.ljust(BLOCK, b"\0")
    return (
        hashlib.sha256(bytes(byte ^ 0x36 for byte in padded)),
        hashlib.sha256(bytes(byte ^ 0x5C for byte in padded)),
    )


def one_token(states: Keyed, version: int, message: bytes) -> str:
    """A token of one message: version byte and the first 128 bits of its HMAC, 34 hex digits."""
    first, second = states[0].copy(), states[1].copy()
    first.update(message)
    second.update(first.digest())
    return f"{version:02x}{second.hexdigest()[:32]}"


def tokeniser(path: str, domain: str, number: int = 0) -> Callable[[bytes], str]:
    """HMAC-SHA-256 under a domain key, one message at a time; :func:`token_batch` makes many.

    After a change of the root key a token is made under the first key and then carried through every later
    one, as :func:`advancer` carries the tokens already in the lake; ``number`` asks for an earlier generation.
    """
    return _tokeniser(path, domain, number or generation(path))


@cache
def _tokeniser(path: str, domain: str, newest: int) -> Callable[[bytes], str]:
    states = keyed_states(domain_key(path, domain))
    onward = advancer(path, newest)
    return lambda message: onward(one_token(states, KEY_VERSION, message))


@cache
def advancer(path: str, newest: int, pending: str = "") -> Callable[[str], str]:
    """Carries a token of any earlier generation to the newest: HMAC of the token under each later root key.

    Nobody needs the identifiers for it, so record keys move like persons; and whoever holds only the earlier
    keys can link no old token to a new one. ``pending`` is the newest key's path before it has its name.
    """
    states = {number: keyed_states(key) for number, key in later_keys(path, newest, pending).items()}

    def onward(token: str) -> str:
        for number in range(int(token[:2], 16) + 1, newest + 1):
            token = one_token(states[number], number, token.encode())
        return token

    return onward


def later_keys(path: str, newest: int, pending: str) -> dict[int, bytes]:
    """The key that leads into each generation after the first."""
    where = {number: str(successor(Path(path), number)) for number in range(2, newest + 1)}
    if pending and newest > 1:
        where[newest] = pending
    return {number: domain_key(each, "rotation", number) for number, each in where.items()}


def token_batch(path: str, domain: str, messages: pa.Array, number: int = 0) -> pa.Array:
    """Tokens of many messages (binary, or text): what :func:`tokeniser` makes of each. Null stays null."""
    newest = number or generation(path)
    made = hashed(domain_key(path, domain), KEY_VERSION, messages.drop_null())
    return with_nulls(carried(path, newest, made), messages)


def carried(path: str, newest: int, tokens: pa.Array, pending: str = "") -> pa.Array:
    """Many tokens, none of them null, carried to the newest generation: what :func:`advancer` makes of each."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for number, key in later_keys(path, newest, pending).items():
        older = versions_of(tokens) < number
        if older.all():
            tokens = hashed(key, number, tokens)
        elif older.any():
            mask = pa.array(older)
            tokens = pc.replace_with_mask(tokens, mask, hashed(key, number, tokens.filter(mask)))
    return tokens


def hashed(key: bytes, version: int, messages: pa.Array) -> pa.Array:
    """Tokens of one generation under a key; ``messages`` are binary or text, none of them null."""
    import numpy as np
    import pyarrow as pa

    states = keyed_states(key)
    if not lanes_pay(len(messages)):
        plain = messages.cast(pa.binary()).to_pylist()
        return pa.array([one_token(states, version, each) for each in plain], pa.string())
    from lakehouse.identity.hmac_batch import half_digests

    offsets, text = text_buffers(messages)
    digests, long = half_digests(key, text, offsets)
    for place in np.flatnonzero(long).tolist():
        message = text[offsets[place] : offsets[place + 1]].tobytes()
        digests[place] = np.frombuffer(bytes.fromhex(one_token(states, version, message)), np.uint8)[1:]
    letters = np.empty((len(digests), TOKEN_LETTERS), np.uint8)
    letters[:, :2] = np.frombuffer(f"{version:02x}".encode(), np.uint8)
    letters[:, 2:] = hex_pairs()[digests].view(np.uint8)
    return texts_of(letters)


def lanes_pay(count: int) -> bool:
    """Whether so many tokens more are made in lanes: once this process has made :data:`ONE_BY_ONE` otherwise.

    Loading :mod:`lakehouse.identity.hmac_batch` costs a process a second; a small delivery never pays it, and a large one
    has by then spent about as much without.
    """
    _made["one by one"] += count
    return _made["one by one"] > ONE_BY_ONE


@cache
def hex_pairs() -> np.ndarray[Any, np.dtype[np.uint16]]:
    """The two hex digits of each byte, (256,), as they lie in memory.

    The array is [byte], two letters in each 16-bit entry.
    """
    import numpy as np

    return np.frombuffer(bytes(range(256)).hex().encode(), np.uint16)


def hex_values(letters: Bytes) -> Bytes:
    """Bytes (n, k) that hex letters (n, 2k) stand for."""
    import numpy as np

    values: Bytes = np.zeros(256, np.uint8)
    values[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)
    halves = values[letters]
    return (halves[:, 0::2] << np.uint8(4)) | halves[:, 1::2]


def versions_of(tokens: pa.Array) -> Bytes:
    """Generation each token belongs to, (n,)."""
    return hex_values(letters_of(tokens, TOKEN_LETTERS)[:, :2])[:, 0]


def token_prefixes(tokens: pa.Array) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """First 64 bits of each token behind its version, (n,): enough to know a token again. The array is [token]."""
    import numpy as np

    halves = hex_values(letters_of(tokens, TOKEN_LETTERS)[:, 2:18])
    return np.ascontiguousarray(halves).view(">u8")[:, 0].astype(np.uint64)


def with_nulls(made: pa.Array, messages: pa.Array) -> pa.Array:
    """What was made of the messages that are there, at their places; null where there is none."""
    import numpy as np
    import pyarrow as pa

    if not messages.null_count:
        return made
    there = messages.is_valid().to_numpy(zero_copy_only=False)
    return made.take(pa.array(np.cumsum(there) - 1, mask=~there))


def person_tokens(
    path: str, values: Iterable[str], issuers: Iterable[str]
) -> tuple[list[str | None], list[str]]:
    """Tokens of Danish person numbers, and for each the reason why it has none (empty when it has one)."""
    import pyarrow as pa

    identities, reasons = person_identities(pa.array(list(values), pa.string()), list(issuers))
    tokens: list[str | None] = token_batch(path, "person", identities).to_pylist()
    return tokens, [reasons.get(place, "") for place in range(len(tokens))]


def key_tokens(path: str, domain: str, kind: str, issuer: str, values: Iterable[str]) -> list[str]:
    """Tokens of record keys or foreign person ids: equal values of one issuer give equal tokens."""
    import pyarrow as pa

    identities = key_identities(kind, issuer, pa.array(list(values), pa.string()))
    made: list[str] = token_batch(path, domain, identities).to_pylist()
    return made
