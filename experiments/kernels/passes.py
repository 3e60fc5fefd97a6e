"""What every counting pass has in common, so that one runner can run any of them over partitions.

A pass takes batches of whole persons by ``add`` and gives additive counts by ``result``; its class attribute
``COUNTS`` is the class of those counts, which merge and turn into arrays and back. Nothing needs to be listed
anywhere: whoever runs a pass is given its class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from experiments.kernels.persons import Persons

Arrays = dict[str, NDArray[Any]]


@runtime_checkable
class Counts(Protocol):
    """What a pass counted: additive over disjoint sets of persons."""

    @staticmethod
    def merge(counts: list[Any]) -> Any:
        """Sum of counts over disjoint sets of persons."""

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Arrays by field name, of the axes the class tells, which ``from_arrays`` turns back into these counts."""

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """Counts from what ``to_arrays`` gave: arrays by field name, each of the axes its class tells."""


class CountingPass(Protocol):
    """A pass over batches of persons."""

    COUNTS: ClassVar[type[Any]]

    def add(self, persons: Persons) -> None:
        """Count a batch of whole persons."""

    def result(self) -> Any:
        """Everything counted so far."""


RunPass = Callable[[type[Any], Mapping[str, Any]], Any]
"""Runs a pass of that class, made with these arguments, over all persons and merges what it counts.

One with a true attribute ``weighs`` has the pair scan's reference already and is given no baseline of it.
"""


class OverPersons:
    """Runs passes over persons in memory: any job without Spark.

    ``pieces`` cuts the persons into so many parts, counted apart and merged, as a cluster would.
    """

    def __init__(self, persons: Persons, pieces: int = 1) -> None:
        self._persons, self._pieces = persons, pieces

    def __call__(self, counting: type[CountingPass], arguments: Mapping[str, Any]) -> Any:
        """Merged counts of the pass."""
        cuts = np.linspace(0, self._persons.count, self._pieces + 1).astype(int)
        parts = []
        for start, stop in pairwise(cuts.tolist()):
            counter = counting(**arguments)
            counter.add(self._persons.part(start, stop))
            parts.append(counter.result())
        return counting.COUNTS.merge(parts)


class SummedCounts:
    """Base of counts whose arrays simply add up; subclasses are dataclasses of arrays alone."""

    def to_arrays(self) -> Arrays:
        """Every field as an array of the axes the class tells; a single number has none, ()."""
        return {name: np.asarray(value) for name, value in vars(self).items()}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Counts from what ``to_arrays`` gave: arrays by field name, each of the axes its class tells."""
        return cls(**arrays)

    @classmethod
    def merge(cls, counts: Iterable[Self]) -> Self:
        """Field by field."""
        parts = [each.to_arrays() for each in counts]
        return cls(
            **{
                name: np.sum([part[name] for part in parts], axis=0, dtype=parts[0][name].dtype)
                for name in parts[0]
            }
        )
