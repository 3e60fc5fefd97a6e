"""Rows of a pair table in which a count is small, in itself or by what a reader could subtract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass
class Masks:
    """Which facts of which rows are hidden; arrays of one flag a row."""

    outcome: Mask
    order: Mask
    same_day: Mask
    total: Mask
    margin: Mask

    def close(self, twin: np.ndarray) -> Mask:
        """Carry hiding over to the reversed rows and to totals; the rows that changed.

        ``twin`` holds the row of the reversed pair, −1 where there is none.
        """
        self._within()
        before = self._hidden()
        has, other = twin >= 0, np.maximum(twin, 0)
        outcome, order = self.outcome | (has & self.order[other]), self.order | (has & self.outcome[other])
        self.outcome, self.order = outcome, order
        self.same_day = self.same_day | (has & self.same_day[other])
        self.total = self.total | (has & self.total[other])
        self._within()
        return np.asarray(self._hidden() != before)

    def _within(self) -> None:
        """Hide what follows inside a row: everything beside a small margin, the total of a hidden part."""
        self.outcome |= self.margin
        self.order |= self.margin
        self.same_day |= self.margin
        self.total |= self.outcome | self.order | self.same_day

    def _hidden(self) -> NDArray[np.int8]:
        """How many facts of each row are hidden."""
        number: NDArray[np.int8] = self.outcome.astype(np.int8)
        for mask in (self.order, self.same_day, self.total):
            number += mask
        return number


def small_rows(counts: Mapping[str, np.ndarray], k: int) -> tuple[Masks, dict[str, Mask]]:
    """Rows whose counts are small in themselves, through a complement or through a difference.

    A complement is judged as if a hidden part were as large as it may be, so that the verdict itself tells
    nothing about that part.
    """

    def small(values: np.ndarray) -> Mask:
        return np.asarray((values > 0) & (values < k))

    parts = [counts["n_before"], counts["n_same_day"], counts["n_after"]]
    complement = np.zeros(len(parts[0]), bool)
    whole_class = np.zeros(len(parts[0]), bool)
    is_small = [small(part) for part in parts]
    most = [np.where(hidden, k - 1, part) for part, hidden in zip(parts, is_small, strict=True)]
    for margin in (counts["n_a"], counts["n_b"]):
        for chosen in (which for size in (1, 2, 3) for which in combinations(range(3), size)):
            left = margin - sum(most[part] for part in chosen)
            unknown = np.logical_or.reduce([is_small[part] for part in chosen])
            complement |= (left < k) & (unknown | (left > 0))
        complement |= small(margin - counts["O"])
        for part in (counts["n_before"], counts["n_after"]):
            whole_class |= (part > 0) & (part == margin)
    difference = small(np.abs(counts["O"] - counts["n_before"]))
    reasons = {
        "margin": small(counts["n_a"]) | small(counts["n_b"]),
        "outcome": small(counts["O"]) | small(counts["n_before"]),
        "order": small(counts["n_after"]),
        "same day": small(counts["n_same_day"]),
        "total": small(counts["n_person"]),
        "complement": complement,
        "class": whole_class,
        "difference": difference,
    }
    left_over = complement | whole_class | difference
    masks = Masks(
        outcome=reasons["outcome"] | left_over,
        order=reasons["order"] | left_over,
        same_day=reasons["same day"] | left_over,
        total=reasons["total"] | left_over,
        margin=reasons["margin"].copy(),
    )
    return masks, reasons


def twins(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """For each row the row of the reversed pair, −1 where it is not in the table."""
    width = int(max(a.max(initial=0), b.max(initial=0))) + 1
    key, reverse = a.astype(np.int64) * width + b, b.astype(np.int64) * width + a
    order = np.argsort(key, kind="stable")
    position = np.searchsorted(key, reverse, sorter=order)
    found = order[np.minimum(position, len(key) - 1)] if len(key) else order
    return np.where(key[found] == reverse, found, -1) if len(key) else order


def remainders(masks: Masks, observed: np.ndarray, b: np.ndarray, released: Mask) -> Mask:
    """Hide a second row where only one is missing from Σ_a O = Σ_a E, which every reader knows."""
    visible = released & ~masks.outcome
    size = int(b.max(initial=-1)) + 1
    missing = np.bincount(b[~visible], minlength=size)
    rows = np.flatnonzero(visible & (missing[b] == 1)) if size else np.empty(0, np.int64)
    chosen = np.zeros(len(b), bool)
    if len(rows):
        rows = rows[np.lexsort((observed[rows], b[rows]))]
        first = np.r_[True, b[rows][1:] != b[rows][:-1]]
        chosen[rows[first]] = True
        masks.outcome |= chosen
    return chosen
