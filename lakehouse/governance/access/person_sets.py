"""Which persons a run read: an exact compressed set under a key, a commitment to it, and the answer to "was I in it?".

Every person of the lake has a number, given when first read and kept for good; a run's set is a roaring bitmap of
numbers, encrypted, outside the lake. The receipt carries only the commitment: a keyed hash over the numbers.
"""

from __future__ import annotations

import fcntl
import hmac
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.errors import ConfigurationError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from pyroaring import BitMap

    from lakehouse.settings import Settings

TOKEN_BYTES = 17
"""A token is 34 hex digits: version byte and 128 bits."""


class PersonSets:
    """The numbers of a lake's persons, and the sets of persons that runs read."""

    def __init__(self, settings: Settings) -> None:
        self.folder = settings.keys / "persons"
        self.key_file = settings.keys / "persons.key"

    @property
    def index(self) -> Path:
        """Tokens in the order of their numbers, 17 bytes each."""
        return self.folder / "index"

    def numbers(self, tokens: pa.ChunkedArray | Iterable[str], *, enter: bool = True) -> np.ndarray:
        """Numbers [token] of tokens; unknown ones get the next numbers, or -1 without ``enter``."""
        import numpy as np

        wanted = packed(tokens)
        with self._locked():
            known = self._known()
            found = positions(known, wanted)
            new = np.unique(wanted[found < 0])
            if enter and len(new):
                with self.index.open("ab") as file:
                    file.truncate(len(known) * TOKEN_BYTES)
                    file.write(new.tobytes())
                    file.flush()
                    os.fsync(file.fileno())
                found = positions(np.concatenate([known, new]), wanted)
        return found

    def forget(self, tokens: Iterable[str]) -> int:
        """Take tokens out of the index for good, as an erasure demands; how many were there.

        Their numbers stay in the sets, so that commitments still fit, and stand for nobody: what lies in a token's
        place is random.
        """
        wanted = packed(list(tokens))
        with self._locked():
            places = positions(self._known(), wanted)
            found = [int(place) for place in places if place >= 0]
            if found:
                with self.index.open("r+b") as file:
                    for place in found:
                        file.seek(place * TOKEN_BYTES)
                        file.write(b"\xff" + secrets.token_bytes(TOKEN_BYTES - 1))
                    file.flush()
                    os.fsync(file.fileno())
        return len(found)

    def store(self, run: str, persons: BitMap) -> str:
        """Keep a run's set and return the commitment to it."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        path = self._set_file(run)
        nonce = secrets.token_bytes(12)
        persons.run_optimize()
        sealed = nonce + AESGCM(self._key()).encrypt(nonce, persons.serialize(), run.encode())
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_suffix(".tmp")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        return self.commitment(run, persons)

    def load(self, run: str) -> BitMap:
        """A run's set; raises :class:`ConfigurationError` when it is missing or was changed."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from pyroaring import BitMap

        try:
            content = self._set_file(run).read_bytes()
            return BitMap.deserialize(AESGCM(self._key()).decrypt(content[:12], content[12:], run.encode()))
        except (OSError, InvalidTag, ValueError) as error:
            raise ConfigurationError(
                f"The set of persons of run {run} cannot be read.",
                "It is missing, was changed, or another key made it.",
                "Restore the keys' folder from its copy.",
            ) from error

    def commitment(self, run: str, persons: BitMap) -> str:
        """Keyed hash over a run's persons: tells nothing without the key, fits one set alone."""
        import numpy as np

        numbers = np.asarray(persons.to_array(), dtype="<u4").tobytes()
        return hmac.new(self._key(), run.encode() + b"\0" + numbers, "sha256").hexdigest()

    def runs_with(self, token: str, runs: Iterable[str]) -> list[str]:
        """Those of the runs whose set holds a person; exact, and nobody else is looked at."""
        number = int(self.numbers([token], enter=False)[0])
        return [] if number < 0 else [run for run in runs if number in self.load(run)]

    def _set_file(self, run: str) -> Path:
        return self.folder / "sets" / f"{run}.set"

    def _known(self) -> np.ndarray:
        import numpy as np

        if not self.index.is_file():
            return np.empty(0, dtype=f"S{TOKEN_BYTES}")
        whole = self.index.stat().st_size // TOKEN_BYTES
        return np.fromfile(self.index, dtype=f"S{TOKEN_BYTES}", count=whole)

    def _key(self) -> bytes:
        if not self.key_file.is_file():
            self.key_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary = self.key_file.with_name(f"persons.{os.getpid()}")
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(secrets.token_bytes(32))
            try:
                os.link(temporary, self.key_file)
            except FileExistsError:
                pass
            finally:
                temporary.unlink()
        return self.key_file.read_bytes()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def packed(tokens: Any) -> np.ndarray:
    """Tokens of 34 hex digits as an array [token] of 17 bytes each; :class:`ValueError` for any other text."""
    import numpy as np
    import pyarrow as pa

    array = (
        tokens
        if isinstance(tokens, pa.ChunkedArray)
        else pa.chunked_array([pa.array(list(tokens), pa.string())])
    )
    content = b"".join(_hex(chunk) for chunk in array.cast(pa.string()).chunks)
    packed_bytes = bytes.fromhex(content.decode("ascii", errors="replace"))
    if len(content) != 2 * TOKEN_BYTES * len(array):
        raise ValueError("a person token has 34 hex digits")
    return np.frombuffer(packed_bytes, dtype=f"S{TOKEN_BYTES}")


def _hex(chunk: Any) -> bytes:
    """The letters of a chunk of strings, one after the other, straight from its buffer."""
    import numpy as np

    if not len(chunk):
        return b""
    ends = np.frombuffer(chunk.buffers()[1], np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
    return bytes(chunk.buffers()[2])[ends[0] : ends[-1]]


def positions(known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Places [wanted] of each wanted token [wanted] among the known ones [known], -1 where it is not."""
    import numpy as np

    if not len(known):
        return np.full(len(wanted), -1)
    order = np.argsort(known, kind="stable")
    place = np.minimum(np.searchsorted(known, wanted, sorter=order), len(known) - 1)
    found = order[place]
    return np.where(known[found] == wanted, found, -1)
