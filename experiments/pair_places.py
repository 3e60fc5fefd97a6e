"""Breaks in coding place by place: a hospital that begins, ends or changes a code makes order where none was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.statistics.change_points import find_breaks

MATERIAL = 0.10
"""Share of a code's events at the places where it breaks from which on the code itself is held to be affected."""
FEWEST_EVENTS = 24
"""A code written less often at a place is not looked at there: no break of so few could be told from chance."""


class PlaceCounts(NamedTuple):
    """Parallel arrays: ``events`` of a code at a place (-1 unknown) in a month; codes and places by number."""

    code: NDArray[np.int64]
    place: NDArray[np.int64]
    month: NDArray[np.int64]
    events: NDArray[np.int64]


class BrokenAtPlaces(NamedTuple):
    """A code that breaks at so many places, which hold this share of its events."""

    code: int
    places: int
    share: float


def broken_at_places(
    counts: PlaceCounts, systems: Sequence[str], level: float = 0.01, material: float = MATERIAL
) -> list[BrokenAtPlaces]:
    """Codes that break at places holding a ``material`` share of all their events.

    Each code × place is one series of months, held against everything written there in the code's system (of
    ``systems``, by code), so that a place which opens, closes, or changes its register as a whole is no break of
    its codes. Family-wise error ``level`` over all months of all series looked at; which are, their sums decide.
    """
    known = counts.place >= 0
    if not known.any():
        return []
    code, place, month, events = (each[known] for each in counts)
    first, places = int(month.min()), int(place.max()) + 1
    months = int(month.max()) - first + 1
    _, system = np.unique(np.asarray(systems), return_inverse=True)
    series, row = np.unique(code * places + place, return_inverse=True)
    sums = np.bincount(row, events)
    looked = np.flatnonzero(sums >= FEWEST_EVENTS)
    at = np.full(len(series), -1, np.int64)
    at[looked] = np.arange(len(looked))
    written = _by_month(at[row], month - first, events, len(looked), months)
    groups, group = np.unique(system[code] * places + place, return_inverse=True)
    everything = _by_month(group, month - first, events, len(groups), months)
    code_of, place_of = np.divmod(series[looked], places)
    totals = everything[np.searchsorted(groups, system[code_of] * places + place_of)]
    breaks = find_breaks(written, totals, level).month >= 0
    held = np.bincount(code_of[breaks], sums[looked][breaks], len(systems))
    broken_places = np.bincount(code_of[breaks], minlength=len(systems))
    share = held / np.maximum(np.bincount(counts.code, counts.events, len(systems)), 1)
    return [
        BrokenAtPlaces(int(each), int(broken_places[each]), float(share[each]))
        for each in np.flatnonzero((broken_places > 0) & (share >= material))
    ]


def _by_month(
    row: NDArray[np.int64], month: NDArray[np.int64], events: NDArray[np.int64], rows: int, months: int
) -> NDArray[np.int64]:
    """Events by [row, month]; rows of -1 are left out."""
    kept = row >= 0
    flat = np.bincount(row[kept] * months + month[kept], events[kept], rows * months)
    return flat.reshape(rows, months).astype(np.int64)
