"""Numbers that were met before: sorted runs that are merged as they grow, so that no number moves often."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Numbers = np.ndarray[Any, np.dtype[np.uint64]]
    Flags = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass
class Seen:
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
