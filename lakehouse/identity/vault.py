"""The vault: whom a lake token stands for, sealed person by person, apart from the lake and under other keys.

Two SQLite files. ``people.db`` holds each identifier under a data key of its own; ``keys.db`` holds those data
keys, wrapped. Forgetting a person deletes one wrapped key, after which no copy of ``people.db`` ever opens for
that person (crypto-shredding); rotating the wrapping key does the same to every older copy of ``keys.db``.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lakehouse.errors import ConfigurationError, DataError
from lakehouse.identity.key_wrapping import KeyWrapper, wrapper_of
from lakehouse.private_files import private_folder, write_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from lakehouse.settings import Settings

Item = TypeVar("Item")
TABLES = """
CREATE TABLE IF NOT EXISTS people (token BLOB PRIMARY KEY, person BLOB NOT NULL, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS delivered (request TEXT PRIMARY KEY, permit TEXT NOT NULL, persons INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS keys.keys (person BLOB PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID;
"""
STEP = 50_000
"""Persons a batch: bounds memory, and keeps a transaction short."""


@dataclass(frozen=True)
class Identity:
    """Who a token stands for: the kind of number, who issued it where that matters, and the number itself."""

    kind: str
    issuer: str
    value: str

    @classmethod
    def parse(cls, text: bytes) -> Identity:
        """From the form it was hashed in: each part with its length in front."""
        parts = []
        while text:
            length, _, rest = text.partition(b":")
            parts.append(rest[: int(length)].decode())
            text = rest[int(length) :]
        return cls(*parts)


@dataclass(frozen=True)
class Vault:
    """An open vault. Needs the vault's account: its folder, and what wraps its keys."""

    folder: Path
    keys: Path
    wrapper: KeyWrapper

    @property
    def inbox(self) -> Path:
        """Where workers leave sealed records."""
        return self.folder / "inbox"

    @contextmanager
    def database(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        """Both files as one database; a write is one transaction over both, or nothing.

        Raises :class:`DataError` where the files are damaged or the disk is full.
        """
        private_folder(self.folder)
        for name in ("people.db", "keys.db"):
            if not (self.folder / name).exists():
                os.close(os.open(self.folder / name, os.O_WRONLY | os.O_CREAT, 0o600))
        with closing(
            sqlite3.connect(self.folder / "people.db", timeout=120, isolation_level=None)
        ) as connection:
            try:
                connection.execute("ATTACH DATABASE ? AS keys", (str(self.folder / "keys.db"),))
                for name in ("main", "keys"):
                    connection.execute(f"PRAGMA {name}.journal_mode = TRUNCATE")
                    connection.execute(f"PRAGMA {name}.secure_delete = ON")
                connection.executescript(TABLES)
                if write:
                    connection.execute("BEGIN IMMEDIATE")
                yield connection
                if write:
                    connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise DataError(
                    f"The vault at {self.folder} could not be used: {error}.",
                    "The disk is full, or the files are damaged; what was there before is unchanged.",
                    "Make room and repeat the command, or restore the vault from its copy.",
                ) from error

    def collect(self) -> int:
        """Take in what workers left in the inbox; returns how many persons are new.

        A drop is removed when its records are on disk, so a killed collect is simply repeated.
        """
        from lakehouse.identity.enrolment import unpacked
        from lakehouse.identity.sealed_box import unseal

        drops = sorted(self.inbox.glob("*.sealed"))
        if not drops:
            return 0
        private = self.inbox_key()
        new = 0
        for drop in drops:
            table = unpacked(unseal(private, drop.read_bytes(), drop.name.encode()))
            new += self.add(table.column("token").to_pylist(), table.column("identity").to_pylist())
            drop.unlink()
        self.note_known()
        return new

    def add(self, tokens: Sequence[str], identities: Sequence[bytes]) -> int:
        """Seal persons the vault does not have yet, each under a key of its own; returns how many."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        with self.database(write=True) as store:
            raw = [bytes.fromhex(token) for token in tokens]
            known = present(store, raw)
            new = {token: each for token, each in zip(raw, identities, strict=True) if token not in known}
            noise = os.urandom(44 * len(new))
            persons = sorted(os.urandom(16) for _ in new)
            people, data_keys = [], []
            for number, token in enumerate(sorted(new)):
                key, nonce = noise[number * 44 : number * 44 + 32], noise[number * 44 + 32 : number * 44 + 44]
                sealed = AESGCM(key).encrypt(nonce, new[token], persons[number])
                people.append((token, persons[number], nonce + sealed))
                data_keys.append(key)
            wrapped = self.wrapper.wrap(data_keys, persons)
            store.executemany("INSERT INTO people VALUES (?, ?, ?)", people)
            store.executemany("INSERT INTO keys.keys VALUES (?, ?)", zip(persons, wrapped, strict=True))
        return len(new)

    def identify(self, tokens: Iterable[str]) -> dict[str, Identity]:
        """Who tokens stand for; the unknown and the forgotten are not in the answer.

        For the re-identification desk alone (:mod:`lakehouse.governance.persons.reidentification`).
        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        found: dict[str, Identity] = {}
        with self.database() as store:
            for some in batches([bytes.fromhex(token) for token in tokens], 500):
                rows = store.execute(
                    "SELECT token, people.person, sealed, wrapped FROM people JOIN keys.keys AS k"
                    f" ON k.person = people.person WHERE token IN ({', '.join('?' * len(some))})",
                    some,
                ).fetchall()
                keys = self.wrapper.unwrap([row[3] for row in rows], [row[1] for row in rows])
                for (token, person, sealed, _), key in zip(rows, keys, strict=True):
                    text = AESGCM(key).decrypt(sealed[:12], sealed[12:], person)
                    found[token.hex()] = Identity.parse(text)
        return found

    def tokens(self) -> list[str]:
        """Every token the vault knows."""
        with self.database() as store:
            return [row[0].hex() for row in store.execute("SELECT token FROM people")]

    def shred(self, tokens: Iterable[str]) -> int:
        """Forget persons: their data keys are overwritten and gone, and so are their rows; returns how many."""
        raw = [(bytes.fromhex(token),) for token in tokens]
        with self.database(write=True) as store:
            store.executemany(
                "DELETE FROM keys.keys WHERE person IN (SELECT person FROM people WHERE token = ?)", raw
            )
            before = store.total_changes
            store.executemany("DELETE FROM people WHERE token = ?", raw)
            gone = store.total_changes - before
        with self.database() as store:
            store.execute("VACUUM main")
            store.execute("VACUUM keys")
        self.note_known()
        return gone

    def rotate(self) -> int:
        """Wrap every data key anew and give up the old wrapping key; returns how many. Repeat it when killed.

        Raises :class:`DataError` where a row would be lost; nothing is changed then.
        """
        box = (self.folder / "inbox.key").read_bytes()
        (private,) = self.wrapper.unwrap([box], [b"inbox"])
        version = self.wrapper.advance()
        write_private(self.folder / "inbox.key", self.wrapper.wrap([private], [b"inbox"])[0])
        with self.database(write=True) as store:
            rows = store.execute("SELECT person, wrapped FROM keys.keys").fetchall()
            for some in batches(rows, STEP):
                persons = [row[0] for row in some]
                keys = self.wrapper.unwrap([row[1] for row in some], persons)
                fresh = zip(self.wrapper.wrap(keys, persons), persons, strict=True)
                store.executemany("UPDATE keys.keys SET wrapped = ? WHERE person = ?", fresh)
            kept = store.execute("SELECT count(*) FROM keys.keys").fetchone()[0]
            if kept != len(rows):
                raise DataError("A rotation would lose rows of the vault.", "", "Nothing was changed.")
        self.wrapper.retire(version)
        return len(rows)

    def advance(self, onward: Callable[[Sequence[str]], Sequence[str]]) -> int:
        """Give every person the token of the next root key; returns how many."""
        with self.database(write=True) as store:
            tokens = [row[0].hex() for row in store.execute("SELECT token FROM people")]
            moved = [
                (bytes.fromhex(new), bytes.fromhex(old))
                for new, old in zip(onward(tokens), tokens, strict=True)
            ]
            store.executemany("UPDATE people SET token = ? WHERE token = ?", moved)
        self.note_known()
        return len(moved)

    def count(self) -> int:
        """Persons the vault can name."""
        with self.database() as store:
            return int(store.execute("SELECT count(*) FROM keys.keys").fetchone()[0])

    def note_known(self) -> None:
        """Tell workers, in 64 bits each, whom the vault has, so that they leave nobody twice."""
        import io

        import numpy as np
        import pyarrow as pa

        from lakehouse.identity.pseudonyms import token_prefixes

        sink = io.BytesIO()
        np.save(sink, np.sort(token_prefixes(pa.array(self.tokens(), pa.string()))))
        write_private(self.keys / "vault.known", sink.getvalue())

    def inbox_key(self) -> X25519PrivateKey:
        """The private half of the key workers seal under."""
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        (raw,) = self.wrapper.unwrap([(self.folder / "inbox.key").read_bytes()], [b"inbox"])
        return X25519PrivateKey.from_private_bytes(raw)


def present(store: sqlite3.Connection, tokens: Sequence[bytes]) -> set[bytes]:
    """Which tokens the vault has."""
    found: set[bytes] = set()
    for some in batches(tokens, 500):
        marks = ", ".join("?" * len(some))
        found.update(
            row[0] for row in store.execute(f"SELECT token FROM people WHERE token IN ({marks})", some)
        )
    return found


def batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Pieces of a sequence."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def open_vault(settings: Settings) -> Vault:
    """The lake's vault; raises :class:`ConfigurationError` when it was never set up."""
    if not (settings.vault / "inbox.key").is_file():
        raise ConfigurationError(
            f"There is no vault at {settings.vault}.",
            "Without one nobody can be found again, neither for care nor to be forgotten.",
            "Run 'patternlake vault init' under the vault's account.",
        )
    return Vault(settings.vault, settings.keys, wrapper_of(settings, create=False))


def init_vault(settings: Settings) -> Vault:
    """Set up a vault and publish its public key beside the root key; a vault that is there is left as it is."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    private_folder(settings.vault)
    private_folder(settings.vault / "inbox")
    vault = Vault(settings.vault, settings.keys, wrapper_of(settings, create=True))
    if not (settings.vault / "inbox.key").is_file():
        made = X25519PrivateKey.generate()
        write_private(
            settings.vault / "inbox.key", vault.wrapper.wrap([made.private_bytes_raw()], [b"inbox"])[0]
        )
    public = vault.inbox_key().public_key().public_bytes_raw().hex()
    published = settings.keys / "vault.pub"
    line = f"{public}\n{vault.inbox.resolve()}\n".encode()
    if not published.is_file() or published.read_bytes() != line:
        write_private(published, line)
    return vault


def vault_at_ingest(settings: Settings, kind: str) -> None:
    """Before rows come in: a vault for whoever they are about.

    A lake without real persons gets one by itself. A real lake's is set up by the data unit, under another account.
    Raises :class:`ConfigurationError` where a real lake has none.
    """
    if (settings.keys / "vault.pub").is_file():
        return
    if kind == "real":
        raise ConfigurationError(
            f"The lake at {settings.home} has no vault.",
            "Whom a token stands for would be lost with the delivery: nobody could be found again or forgotten.",
            "Run 'patternlake vault init' under the vault's account, then repeat the ingest.",
        )
    init_vault(settings)


def collect_after_ingest(settings: Settings) -> int:
    """After rows came in: take the inbox into the vault, where this account may; else the vault's account does."""
    if not (settings.vault / "inbox.key").is_file() or not os.access(settings.vault / "inbox.key", os.R_OK):
        return 0
    return open_vault(settings).collect()
