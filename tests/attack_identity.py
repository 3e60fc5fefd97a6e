"""Attack group B on tokens: every number there can be, tried without the key; pairs known; studies; order.

``python -m tests.attack_identity`` tries the whole space of 365,250,000 numbers; tests try a sample of it.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import itertools
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from lakehouse.identity.identity_keys import canonical
from lakehouse.identity.pseudonyms import keyed_states, person_tokens, root_key_file
from lakehouse.settings import load_settings

SPACE = 365_250_000
FIRST = datetime.date(2000, 1, 1)
Guess = Callable[[bytes], bytes]


def dates() -> list[str]:
    """The 36,525 dates that six digits can say, a century of them."""
    return [(FIRST + datetime.timedelta(days=number)).strftime("%d%m%y") for number in range(36525)]


def guesses() -> dict[str, Guess]:
    """What somebody without the key can try: plain hashes of what is hashed, and keys that are none."""
    tried: dict[str, Guess] = {
        "sha256 of the number": lambda number: hashlib.sha256(number).digest()[:16],
        "sha256 of the canonical form": lambda number: hashlib.sha256(b"3:cpr0:10:" + number).digest()[:16],
    }
    inner, outer = keyed_states(b"\0" * 32)

    def zero_key(number: bytes) -> bytes:
        first, second = inner.copy(), outer.copy()
        first.update(b"3:cpr0:10:" + number)
        second.update(first.digest())
        return second.digest()[:16]

    tried["hmac under a key of zeros"] = zero_key
    return tried


def try_dates(some: list[str], tokens: frozenset[bytes], serials: int) -> tuple[int, int]:
    """Hits and numbers tried: every one of so many serials on each date, by every guess."""
    ends = [f"{number:04d}".encode() for number in range(serials)]
    hits = 0
    for day in some:
        head = day.encode()
        for guess in guesses().values():
            hits += sum(guess(head + end) in tokens for end in ends)
    return hits, len(some) * serials


def tokens_of(path: Path, count: int) -> tuple[list[str], list[str]]:
    """Numbers of made-up persons (all of them in the space) and their lake tokens."""
    days = dates()
    numbers = sorted({f"{secrets.choice(days)}{secrets.randbelow(10_000):04d}" for _ in range(count)})
    made, _ = person_tokens(str(path), numbers, [""] * len(numbers))
    known = [(number, token) for number, token in zip(numbers, made, strict=True) if token]
    return [number for number, _ in known], [token for _, token in known]


def pieces(items: list[str], size: int) -> Iterator[list[str]]:
    """Items in pieces."""
    return iter([items[at : at + size] for at in range(0, len(items), size)])


def search(days: list[str], tokens: frozenset[bytes], serials: int = 10_000) -> tuple[int, int]:
    """The search over many dates, on every core."""
    hits = tried = 0
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(try_dates, piece, tokens, serials) for piece in pieces(days, 50)]
        for job in jobs:
            found, looked = job.result()
            hits, tried = hits + found, tried + looked
    return hits, tried


def with_the_key(path: Path, numbers: list[str], tokens: list[str]) -> int:
    """The control: with the key each number leads to its token."""
    made, _ = person_tokens(str(path), numbers, [""] * len(numbers))
    return sum(one == other for one, other in zip(made, tokens, strict=True))


def bit_bias(numbers: list[str], tokens: list[str]) -> float:
    """Largest correlation, in standard errors, between any bit of a number and any bit of its token."""
    import numpy as np

    given = np.array([[int(n) >> bit & 1 for bit in range(34)] for n in numbers], np.float32)
    seen = np.array([np.frombuffer(bytes.fromhex(t[2:]), np.uint8) for t in tokens])
    bits = np.unpackbits(seen, axis=1).astype(np.float32)
    varied = given[:, given.std(axis=0) > 0]
    one, other = ((x - x.mean(axis=0)) / x.std(axis=0) for x in (varied, bits))
    return float(np.abs(one.T @ other / len(numbers)).max() * len(numbers) ** 0.5)


def main() -> int:
    """The whole space, once; 1 when anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dates", type=int, default=36525)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        path = root_key_file(load_settings(home, "test"), create=True)
        numbers, tokens = tokens_of(path, 20_000)
        raw = frozenset(bytes.fromhex(token)[1:] for token in tokens)
        began = time.perf_counter()
        hits, tried = search(list(itertools.islice(dates(), given.dates)), raw)
        print(
            f"{tried:,} numbers by {len(guesses())} guesses against {len(raw):,} tokens: {hits} hits", end=""
        )
        print(f" ({time.perf_counter() - began:.0f} s); with the key {with_the_key(path, numbers, tokens):,}")
    assert canonical("cpr", "", "0101900000") == b"3:cpr0:10:0101900000"
    return 1 if hits or (given.dates == 36525 and tried != SPACE) else 0


if __name__ == "__main__":
    raise SystemExit(main())
