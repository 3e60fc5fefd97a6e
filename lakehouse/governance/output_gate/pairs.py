"""Tables of ordered pairs at the output gate: the check of the hiding, made anew and in another way.

``disclosure.check_pairs`` decides what to hide by rules; this module knows nothing of them. It takes the table as
a reader would, writes down what every reader knows (the parts of a row add up to its total; the reversed row
counts the same persons), and asks for each hidden number how closely it is then known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import sparse

from lakehouse.governance.output_gate.bounds import exposed, propagate
from lakehouse.governance.output_gate.limits_and_verdict import Finding, Limits, gathered
from lakehouse.governance.output_gate.reasons import Rule

PARTS = ("n_before", "n_same_day", "n_after", "n_person")


@dataclass(frozen=True)
class PairTable:
    """A checked table of ordered pairs with ``code_a code_b n_a n_b O`` and the parts of the pair's persons.

    ``counts`` names every column that counts persons; a row is one pair of one window.
    """

    name: str
    table: pa.Table
    counts: tuple[str, ...]

    def judge(self, limits: Limits) -> list[Finding]:
        """Small counts, small complements, and hidden numbers that the others give away."""
        k = limits.persons
        found: list[Finding] = []
        for name in self.counts:
            if name in self.table.column_names:
                values = self._numbers(name)
                few = np.flatnonzero((values > 0) & (values < k))
                found += gathered(Rule.SMALL_CELL, self.name, (f"{name}: {values[i]:g}" for i in few), k)
        have = set(self.table.column_names)
        if not self.table.num_rows or not {"code_a", "code_b", "n_a", "n_b", *PARTS} <= have:
            return found
        if self.table.column("code_a").null_count or self.table.column("code_b").null_count:
            return found
        parts = np.stack([self._numbers(name) for name in PARTS], axis=1)
        found += gathered(Rule.MISSING_CATEGORY, self.name, self._left_over(parts, k), k)
        return found + gathered(Rule.RECOVERABLE, self.name, self._recovered(parts, k), k)

    def _numbers(self, name: str) -> NDArray[np.float64]:
        return np.asarray(
            self.table.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=float
        )

    def _left_over(self, parts: NDArray[np.float64], k: int) -> list[str]:
        """Pairs in which fewer than k persons have one code and not the part of the other that is shown."""
        told = []
        for margin in ("n_a", "n_b"):
            left = self._numbers(margin)[:, None] - parts
            rows, columns = np.nonzero((left > 0) & (left < k))
            told += [f"{margin} less {PARTS[c]}: {left[r, c]:g}" for r, c in zip(rows, columns, strict=True)]
        return told

    def _recovered(self, parts: NDArray[np.float64], k: int) -> list[str]:
        """Hidden numbers whose range is too narrow, from rows and reversed rows together."""
        a, b = self._codes()
        first, second = np.minimum(a, b), np.maximum(a, b)
        window = self._window()
        _, pair = np.unique(np.stack([first, second, window]), axis=1, return_inverse=True)
        pair = np.asarray(pair).ravel()
        size = int(pair.max()) + 1
        known = np.full((size, 4), np.nan)
        forward = a <= b
        for source, straight, turned in ((0, 0, 2), (1, 1, 1), (2, 2, 0), (3, 3, 3)):
            for mask, target in ((forward, straight), (~forward, turned)):
                seen = mask & np.isfinite(parts[:, source])
                known[pair[seen], target] = parts[seen, source]
        hidden = np.isnan(known)
        rows = np.flatnonzero(hidden.any(axis=1))
        if not len(rows):
            return []
        place = np.full((len(rows), 4), -1)
        shown = known[rows]
        place[hidden[rows]] = np.arange(int(hidden[rows].sum()))
        sign = np.array([1.0, 1.0, 1.0, -1.0])
        at, which = np.nonzero(place >= 0)
        matrix = sparse.csr_array(
            (sign[which], (at, place[at, which])), shape=(len(rows), int(place.max()) + 1)
        )
        low, high = propagate(matrix, -np.nansum(shown * sign, axis=1))
        told = np.flatnonzero(exposed(low, high, k))
        where = dict(
            zip(place[at, which].tolist(), zip(at.tolist(), which.tolist(), strict=True), strict=True)
        )
        return [f"{PARTS[where[i][1]]}: between {low[i]:g} and {high[i]:g}" for i in told.tolist()]

    def _codes(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        columns = [
            self.table.column(name).cast(pa.string()).combine_chunks() for name in ("code_a", "code_b")
        ]
        names = pa.array(sorted(set(columns[0].unique().to_pylist()) | set(columns[1].unique().to_pylist())))
        a, b = (np.asarray(pc.index_in(column, names)).astype(np.int64) for column in columns)
        return a, b

    def _window(self) -> NDArray[np.int64]:
        if "window" not in self.table.column_names:
            return np.zeros(self.table.num_rows, np.int64)
        column = self.table.column("window").cast(pa.string()).combine_chunks().dictionary_encode()
        return np.asarray(pc.fill_null(column.indices, -1)).astype(np.int64)
