"""Beside the door, in the worker: whom a token stands for goes sealed to the vault, and the erased stay out.

The worker holds the vault's public key only: it can put records in and never take one out. Everything it
needs lies beside the root key (``vault.pub``, ``erased``), so a door carries nothing further.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.private_files import write_private
from lakehouse.pseudonym import generation, tokeniser
from lakehouse.sealed import seal

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

ERASED = "erased"
"""Fault of a row whose person is erased: barred, and blank but for where it stood."""

DROP_RECORDS = 200_000
"""Records a sealed drop holds at most: bounds the worker's memory."""


@dataclass
class Doorstep:
    """One part's way past the door. ``name`` names its drops, so that a repeated task writes the same ones."""

    key_file: str
    name: str
    fresh: list[tuple[list[str], list[bytes]]] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    waiting: int = 0
    drops: int = 0

    def __post_init__(self) -> None:
        keys = Path(self.key_file).parent
        self.vault = vault_of(keys / "vault.pub")
        self.known = known_tokens(keys / "vault.known") if self.vault else None
        self.erased = {
            number: listed
            for number in range(1, generation(self.key_file) + 1)
            if (listed := erased_tokens(erased_file(keys, number)))
        }

    def admitted(self, domain: str, identities: Sequence[bytes | None]) -> list[bool]:
        """Which identities may enter: False for erased persons and their records.

        Each generation of the root key has a list of its own, held against the tokens of that generation.
        """
        may = [True] * len(identities)
        for number, listed in self.erased.items():
            make, commit = (
                tokeniser(self.key_file, domain, number),
                tokeniser(self.key_file, "erased", number),
            )
            for at, identity in enumerate(identities):
                if identity is not None and commit(make(identity).encode()) in listed:
                    may[at] = False
        return may

    def hand_over(self, tokens: Sequence[str | None], identities: Sequence[bytes | None]) -> None:
        """Note who these tokens stand for; what the vault has, or this part gave already, is left out."""
        if self.vault is None:
            return
        pairs = [
            (token, each)
            for token, each in zip(tokens, identities, strict=True)
            if token is not None and each is not None
        ]
        if not pairs:
            return
        import numpy as np

        prefixes = token_prefixes([token for token, _ in pairs])
        new = np.ones(len(prefixes), bool)
        if self.known is not None and len(self.known):
            at = np.minimum(np.searchsorted(self.known, prefixes), len(self.known) - 1)
            new = self.known[at] != prefixes
        unknown = zip(np.flatnonzero(new).tolist(), prefixes[new].tolist(), strict=True)
        chosen = [pairs[number] for number, prefix in unknown if prefix not in self.seen]
        if not chosen:
            return
        self.seen.update(prefixes[new].tolist())
        self.fresh.append(([token for token, _ in chosen], [each for _, each in chosen]))
        self.waiting += len(chosen)
        if self.waiting >= DROP_RECORDS:
            self.leave()

    def leave(self) -> None:
        """Seal what was noted and put it into the vault's inbox, in one step."""
        if self.vault is None or not self.fresh:
            return
        public, inbox = self.vault
        tokens = [token for some, _ in self.fresh for token in some]
        identities = [each for _, some in self.fresh for each in some]
        name = f"{self.name}-{self.drops}.sealed"
        write_private(inbox / name, seal(public, packed(tokens, identities), name.encode()))
        self.fresh, self.waiting, self.drops = [], 0, self.drops + 1


def packed(tokens: list[str], identities: list[bytes]) -> bytes:
    """Records of a drop as an Arrow stream."""
    import pyarrow as pa

    table = pa.table({"token": pa.array(tokens, pa.string()), "identity": pa.array(identities, pa.binary())})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def unpacked(content: bytes) -> pa.Table:
    """The records of a drop."""
    import pyarrow as pa

    return pa.ipc.open_stream(content).read_all()


def token_prefixes(tokens: Sequence[str]) -> np.ndarray[Any, Any]:
    """First 64 bits of each token, (n,) uint64: enough to know a token again."""
    import numpy as np

    return np.fromiter((int(token[2:18], 16) for token in tokens), np.uint64, len(tokens))


def vault_of(path: Path) -> tuple[bytes, Path] | None:
    """The vault's public key and inbox; None where a lake has no vault."""
    if not path.is_file():
        return None
    public, inbox = path.read_text(encoding="utf-8").splitlines()[:2]
    return bytes.fromhex(public), Path(inbox)


def known_tokens(path: Path) -> np.ndarray[Any, Any] | None:
    """Sorted prefixes of the tokens the vault holds, mapped into memory."""
    import numpy as np

    return np.load(path, mmap_mode="r") if path.is_file() else None


def erased_file(keys: Path, number: int) -> Path:
    """Where commitments to the erased lie, by generation of the root key they were made under."""
    return keys / ("erased" if number == 1 else f"erased.{number}")


def erased_tokens(path: Path) -> frozenset[str]:
    """Commitments to what must not come in again; read anew when the list has changed."""
    if not path.is_file():
        return frozenset()
    return _erased(str(path), path.stat().st_mtime_ns)


@cache
def _erased(path: str, changed: int) -> frozenset[str]:
    return frozenset(Path(path).read_text(encoding="utf-8").split())
