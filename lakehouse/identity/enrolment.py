"""Beside pseudonymisation, in the worker: whom a token stands for goes sealed to the vault, and the erased stay out.

The worker holds the vault's public key only: it can put records in and never take one out. Everything it
needs lies beside the root key (``vault.pub``, ``erased``), so a pseudonymiser carries nothing further.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.identity.pseudonyms import generation, token_batch, token_prefixes
from lakehouse.identity.sealed_box import seal
from lakehouse.private_files import write_private

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Numbers = np.ndarray[Any, np.dtype[np.uint64]]
    Flags = np.ndarray[Any, np.dtype[np.bool_]]

ERASED = "erased"
"""Fault of a row whose person is erased: refused, and blank but for where it stood."""

DROP_RECORDS = 200_000
"""Records a sealed drop holds at most: bounds the worker's memory."""


@dataclass
class NumberSet:
    """A growing set of numbers. Runs at least halve in length, so there are few and each number is merged rarely."""

    runs: list[Numbers] = field(default_factory=list)

    def add(self, numbers: Numbers) -> Flags:
        """Take in sorted numbers without repetition, (n,); which of them are new, (n,)."""
        import numpy as np

        new = np.ones(len(numbers), bool)
        for run in self.runs:
            new &= ~among(run, numbers)
        fresh = numbers[new]
        if len(fresh):
            while self.runs and len(self.runs[-1]) < 2 * len(fresh):
                fresh = np.sort(np.concatenate((self.runs.pop(), fresh)), kind="stable")
            self.runs.append(fresh)
        return new


def among(known: Numbers, numbers: Numbers) -> Flags:
    """Which numbers are known, (n,); both are sorted, which keeps the search in few pages of a large list."""
    import numpy as np

    if not len(known):
        return np.zeros(len(numbers), bool)
    places = np.searchsorted(known, numbers)
    places[places == len(known)] = 0
    return np.asarray(known[places] == numbers)


@dataclass
class Enrolment:
    """Who the tokens of one part stand for, on the way to the vault.

    ``name`` names the part's drops, so that a repeated task writes the same ones.
    """

    key_file: str
    name: str
    fresh: list[pa.Table] = field(default_factory=list)
    seen: NumberSet = field(default_factory=NumberSet)
    drops: int = 0

    def __post_init__(self) -> None:
        import pyarrow as pa

        keys = Path(self.key_file).parent
        self.vault = vault_of(keys / "vault.pub")
        self.known = known_tokens(keys / "vault.known") if self.vault else None
        self.erased = {
            number: pa.array(sorted(listed), pa.string())
            for number in range(1, generation(self.key_file) + 1)
            if (listed := erased_tokens(erased_file(keys, number)))
        }

    def admitted(self, domain: str, identities: pa.Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which identities (binary, null for nobody) may enter, (n,): False for erased persons and their records.

        Each generation of the root key has a list of its own, held against the tokens of that generation.
        The result is [identity].
        """
        import numpy as np
        import pyarrow.compute as pc

        may = np.ones(len(identities), bool)
        for number, listed in self.erased.items():
            tokens = token_batch(self.key_file, domain, identities, number)
            commitments = token_batch(self.key_file, "erased", tokens, number)
            may &= ~pc.is_in(commitments, value_set=listed).to_numpy(zero_copy_only=False)
        return may

    def hand_over(self, tokens: pa.Array, identities: pa.Array) -> None:
        """Note who these tokens stand for; what the vault has, or this part gave already, is left out."""
        if self.vault is None:
            return
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        pairs = pa.table({"token": tokens, "identity": identities})
        if tokens.null_count or identities.null_count:
            pairs = pairs.filter(pc.and_(tokens.is_valid(), identities.is_valid()))
        if not len(pairs):
            return
        prefixes = token_prefixes(pairs["token"].combine_chunks())
        order = np.argsort(prefixes)
        ordered = prefixes[order]
        new = np.ones(len(ordered), bool)
        new[1:] = ordered[1:] != ordered[:-1]
        if self.known is not None:
            new &= ~among(self.known, ordered)
        new[new] = self.seen.add(ordered[new])
        if not new.any():
            return
        chosen = np.zeros(len(new), bool)
        chosen[order[new]] = True
        self.fresh.append(pairs.filter(pa.array(chosen)))
        if sum(map(len, self.fresh)) >= DROP_RECORDS:
            self.leave()

    def leave(self) -> None:
        """Seal what was noted and put it into the vault's inbox, in one step."""
        import pyarrow as pa

        if self.vault is None or not self.fresh:
            return
        public, inbox = self.vault
        name = f"{self.name}-{self.drops}.sealed"
        write_private(inbox / name, seal(public, packed(pa.concat_tables(self.fresh)), name.encode()))
        self.fresh, self.drops = [], self.drops + 1


def packed(records: pa.Table) -> bytes:
    """Records of a drop (token, identity) as an Arrow stream."""
    import pyarrow as pa

    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, records.schema) as writer:
        writer.write_table(records)
    return sink.getvalue()


def unpacked(content: bytes) -> pa.Table:
    """The records of a drop."""
    import pyarrow as pa

    return pa.ipc.open_stream(content).read_all()


def vault_of(path: Path) -> tuple[bytes, Path] | None:
    """The vault's public key and inbox; None where a lake has no vault."""
    if not path.is_file():
        return None
    public, inbox = path.read_text(encoding="utf-8").splitlines()[:2]
    return bytes.fromhex(public), Path(inbox)


def known_tokens(path: Path) -> np.ndarray[Any, Any] | None:
    """Sorted prefixes of the tokens the vault holds, mapped into memory.

    The array is [token], of the first 64 bits of each; None where there is no vault.
    """
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
