"""Persons once read, held in the memory of one machine, so that later passes over them need not read them again.

What is held is what the first pass was given: the study's persons, rolled up. It lies in a folder only
this account can enter, and is removed with the object that asked for it. Where memory does not suffice nothing
is held, and every pass reads for itself.
"""

from __future__ import annotations

import mmap
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.execution.shared_memory import MEMORY, SharedMemory
from experiments.kernels.persons import Persons

SHARE = 0.5
"""At most this part of what is free is taken by one batch: counts and other runs need some too."""

LAYOUT: dict[str, tuple[Any, int]] = {
    "offsets": (np.int64, 0),
    "codes": (np.int32, 1),
    "days": (np.int32, 1),
    "birth_year": (np.int16, 2),
    "settings": (np.int8, 1),
    "sex": (np.int8, 2),
    "half": (np.int8, 2),
}
"""Arrays in the order they lie in, widest first, each of as many entries as: 0 persons and one, 1 events, 2 persons."""


class HeldPersons(NamedTuple):
    """Batches of persons by partition. Knows only its folder, so that workers can be given it."""

    memory: SharedMemory

    def holding(self, partition: int, batches: Iterable[Persons]) -> Iterator[Persons]:
        """The same batches, held on the way: all of the partition, or it does not count as held."""
        held = number = 0
        for number, persons in enumerate(batches, 1):
            held += self._put(f"{partition}-{number - 1}", persons)
            yield persons
        if held == number:
            self.memory.put(f"{partition}-all", [str(number).encode()])

    def _put(self, name: str, persons: Persons) -> bool:
        sizes = np.array([persons.count, len(persons.codes)], np.int64)
        pieces = [np.ascontiguousarray(getattr(persons, name), kind) for name, (kind, _) in LAYOUT.items()]
        if sum(piece.nbytes for piece in pieces) > SHARE * shutil.disk_usage(MEMORY).free:
            return False
        return self.memory.put(name, [sizes, *pieces]) is not None

    def whole(self, partitions: int) -> bool:
        """Whether all partitions are held."""
        return all(self._note(partition).is_file() for partition in range(partitions))

    def batches(self, partition: int) -> Iterator[Persons]:
        """The batches of a partition, in order, without a copy."""
        for batch in range(int(self._note(partition).read_bytes())):
            yield persons_at(self.memory.folder / f"{partition}-{batch}")

    def _note(self, partition: int) -> Path:
        return self.memory.folder / f"{partition}-all"


def persons_at(path: Path) -> Persons:
    """A batch of persons where it lies. Private pages: whoever writes into the arrays changes no one else's."""
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    persons, events = np.frombuffer(content, np.int64, 2).tolist()
    counts, start = (persons + 1, events, persons), 16
    arrays = {}
    for name, (kind, which) in LAYOUT.items():
        arrays[name] = np.frombuffer(content, kind, counts[which], start)
        start += arrays[name].nbytes
    return Persons(**arrays)
