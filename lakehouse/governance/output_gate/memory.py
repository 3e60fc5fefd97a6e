"""What was released before, so that a new output can be set against it: keyed commitments, no clear value.

Two outputs that are harmless alone may differ by a person. The memory keeps, for every release, which persons a
number was about (each person as a keyed 64-bit hash) and which definition had which count (a keyed tag and a
padded number). Without the key, which lies with the pseudonym keys, neither can be read; with it, differences
come out exactly.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lakehouse.errors import ConfigurationError
from lakehouse.governance.output_gate.limits_and_verdict import Finding, Limits, gathered
from lakehouse.governance.output_gate.reasons import Rule
from lakehouse.settings import Settings

Persons = NDArray[np.uint64]
"""Sorted keyed hashes of persons, each once."""

Counts = Mapping[str, int]
"""Count by definition, as written in what is released."""

MOST_REGIONS = 4_000
"""Regions (who is in exactly these released groups) looked at together."""


EVERYBODY = "everybody"
"""The words of a population that every other one is part of."""


@dataclass(frozen=True)
class Release:
    """What the memory keeps of one release; ``population`` is None when its persons were not known.

    ``whom`` stands for the words that define the population (a keyed tag; :data:`EVERYBODY` as it is). ``sized`` says
    that the population's own number left too, as that of a set does.
    """

    study: str
    tags: NDArray[np.uint64]
    padded: NDArray[np.uint64]
    population: Persons | None = None
    whom: str = ""
    sets: Mapping[str, Persons] = field(default_factory=dict)
    sized: bool = True


class Memory:
    """The releases of one lake. ``folder`` and ``key`` are made when missing, for their owner alone."""

    def __init__(self, folder: Path, key: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._key = _key(key)

    @classmethod
    def of(cls, settings: Settings) -> Memory:
        """The lake's memory."""
        return cls(settings.home / "releases" / "memory", settings.keys / "release-memory.key")

    def commit(self, persons: Iterable[str]) -> Persons:
        """Persons as the memory keeps them: commitments [person], sorted."""
        hashes = (int.from_bytes(self._hash(b"person", one), "big") for one in persons)
        return np.unique(np.fromiter(hashes, np.uint64))

    def commit_numbers(self, numbers: NDArray[np.integer[Any]]) -> Persons:
        """Persons as the memory keeps them, by the numbers [person] that :class:`PersonSets` gives them.

        A keyed permutation of blocks, half of each kept: a region's persons take a second, not a minute.
        """
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        blocks = np.zeros((len(numbers), 2), np.uint64)
        blocks[:, 0] = numbers
        cipher = Cipher(algorithms.AES256(self._hash(b"numbers", "", 32)), modes.ECB())
        hidden = cipher.encryptor().update(blocks.tobytes())
        return np.unique(np.frombuffer(hidden, np.uint64)[::2])

    def releases(self) -> Iterator[tuple[str, Release]]:
        """Everything released so far, oldest first."""
        for path in sorted(self._folder.glob("*.npz"), key=lambda one: one.stat().st_mtime):
            with np.load(path, allow_pickle=False) as stored:
                population = stored["population"] if bool(stored["known"]) else None
                names = [str(name) for name in stored["set_names"]]
                sets = {name: stored[f"set_{number}"] for number, name in enumerate(names)}
                whom = str(stored["whom"]) if "whom" in stored else ""
                sized = bool(stored["sized"]) if "sized" in stored else True
                study, tags, padded = str(stored["study"]), stored["tags"], stored["padded"]
                yield path.stem, Release(study, tags, padded, population, whom, sets, sized)

    def remember(
        self, release: str, study: str, counts: Counts, population: Persons | None = None,
        sets: Mapping[str, Persons] | None = None, whom: str = "", *, sized: bool = True,
    ) -> None:  # fmt: skip
        """Keep what a release says, its groups as commitments [person]; on disk before anything leaves."""
        tags, pads = self._tagged(counts)
        padded = np.array(list(counts.values()), np.uint64) + pads
        order = np.argsort(tags)
        names = sorted(sets or {})
        stored: dict[str, Any] = {f"set_{number}": (sets or {})[name] for number, name in enumerate(names)}
        named = [hashlib.blake2b(name.encode(), key=self._key, digest_size=8).hexdigest() for name in names]
        path = self._folder / f"{release}.npz"
        temporary = path.with_suffix(".tmp")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            np.savez_compressed(
                file, study=np.array(study), whom=np.array(self._whom(whom)), tags=tags[order], padded=padded[order],
                known=np.array(population is not None), sized=np.array(sized),
                population=np.empty(0, np.uint64) if population is None else population,
                set_names=np.array(named, dtype=str), **stored,
            )  # fmt: skip
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)

    def judge(
        self, output: str, study: str, counts: Counts, limits: Limits, population: Persons | None = None,
        sets: Mapping[str, Persons] | None = None, whom: str = "", *, sized: bool = True,
    ) -> list[Finding]:  # fmt: skip
        """Everything that this output, set against what was released before, would give away.

        Counts of one definition are compared where one population lies (nearly) within the other, since their
        difference then counts the rest. Where a population's persons are not known, its words decide (``whom``: the
        same words, or :data:`EVERYBODY` on one side), and within one study everything is compared. Groups of persons
        are compared by every adding and subtracting of all released groups; a population whose own number does not
        leave (not ``sized``) is none of them. ``population`` and each of ``sets`` are commitments [person].
        """
        k = limits.persons
        mine, pads = self._tagged(counts)
        values = np.array(list(counts.values()), dtype=np.int64)
        names = list(counts)
        places: list[str] = []
        groups = dict(sets or {})
        if population is not None and sized:
            groups["population"] = population
        before: list[Persons] = []
        for release, old in self.releases():
            before += old.sets.values()
            if old.population is not None and old.sized:
                before.append(old.population)
            alike = study == old.study or _nested_words(self._whom(whom), old.whom)
            if not _related(population, old.population, alike, k) or not len(old.tags):
                continue
            at = np.minimum(np.searchsorted(old.tags, mine), len(old.tags) - 1)
            known = old.tags[at] == mine
            then = (old.padded[at] - pads).astype(np.int64)
            close = known & (values != then) & (np.abs(values - then) < k)
            places += [
                f"{names[i]}: differs by {abs(int(values[i] - then[i]))} from release {release}"
                for i in np.flatnonzero(close)
            ]
        places += group_differences(groups, before, k)
        return gathered(Rule.DIFFERENCING, output, places, k)

    def _whom(self, words: str) -> str:
        return words if words in ("", EVERYBODY) else self._hash(b"whom", words).hex()

    def _tagged(self, counts: Counts) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Tag and pad of each definition."""
        both = b"".join(self._hash(b"count", name, 16) for name in counts)
        pairs = np.frombuffer(both, np.uint64).reshape(-1, 2)
        return pairs[:, 0].copy(), pairs[:, 1].copy()

    def _hash(self, domain: bytes, text: str, size: int = 8) -> bytes:
        return hashlib.blake2b(text.encode(), key=self._key, person=domain, digest_size=size).digest()


def _nested_words(mine: str, old: str) -> bool:
    """Whether two populations are one, or one of them is everybody, by their words."""
    return bool(mine and old) and (mine == old or EVERYBODY in (mine, old))


def _related(mine: Persons | None, old: Persons | None, alike: bool, k: int) -> bool:
    """Whether a reader may take one count from the other: one population is part of the other, or nearly."""
    if mine is None or old is None:
        return alike
    both = len(np.intersect1d(mine, old, assume_unique=True))
    return both > 0 and min(len(mine), len(old)) - both < k


def group_differences(new: Mapping[str, Persons], before: Iterable[Persons], k: int) -> list[str]:
    """Groups of 1 to k−1 persons that released counts give by adding and subtracting.

    The released groups cut the population into regions; a small union of regions is given away when its
    indicator is a linear combination of the released groups' indicators. Each group is an array [person].
    """
    if not new:
        return []
    groups = [(name, one) for name, one in new.items() if len(one)]
    old = {one.tobytes(): one for one in before if len(one)}
    groups += [("an earlier release", one) for one in old.values()]
    if len(groups) < 2:
        return []
    everyone = np.unique(np.concatenate([one for _, one in groups]))
    inside = np.zeros((len(groups), len(everyone)), bool)
    for row, (_, one) in enumerate(groups):
        inside[row, np.searchsorted(everyone, one)] = True
    _, first, sizes = np.unique(np.packbits(inside, axis=0), axis=1, return_index=True, return_counts=True)
    if len(sizes) > MOST_REGIONS:
        return _nested(groups, len(new), k)
    regions = inside[:, first].astype(float)
    small = np.flatnonzero(sizes < k)
    if not len(small):
        return []
    _, values, right = np.linalg.svd(regions, full_matrices=False)
    basis = right[values > 1e-9 * max(values.max(initial=0), 1)]
    outside = np.eye(len(sizes))[:, small] - basis.T @ basis[:, small]
    told = []
    most = 4 if len(small) <= 40 else 2 if len(small) <= 1_000 else 1
    for size in range(1, most + 1):
        for chosen in combinations(range(len(small)), size):
            count = int(sizes[small[list(chosen)]].sum())
            if count < k and np.abs(outside[:, list(chosen)].sum(axis=1)).max() < 1e-7:
                involved = [name for (name, _), row in zip(groups, regions, strict=True)
                            if row[small[list(chosen)]].any()]  # fmt: skip
                if any(name in new for name in involved) or len(involved) < len(groups):
                    told.append(f"{count} persons, by {', '.join(dict.fromkeys(involved)) or 'subtraction'}")
    return told


def _nested(groups: list[tuple[str, Persons]], new: int, k: int) -> list[str]:
    """The cheap part alone, for very many groups: one group inside another, fewer than k persons larger."""
    told = []
    for name, one in groups[:new]:
        for other_name, other in groups:
            if other is one or abs(len(one) - len(other)) >= k:
                continue
            both = len(np.intersect1d(one, other, assume_unique=True))
            for outer, inner in ((len(one), len(other)), (len(other), len(one))):
                if both == inner and 0 < outer - inner < k:
                    told.append(f"{outer - inner} persons between {name} and {other_name}")
    return told


def _key(path: Path) -> bytes:
    """The memory's key: 32 random bytes that only their owner may read."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    key = path.read_bytes()
    if len(key) != 32 or path.stat().st_mode & 0o077:
        raise ConfigurationError(
            f"The key {path} is not 32 bytes for its owner alone.",
            "Without it, what was released before cannot be compared.",
            f"Restore it from its copy and run 'chmod 600 {path}'.",
        )
    return key
