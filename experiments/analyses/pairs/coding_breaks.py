"""Breaks in coding place by place: a hospital that begins, ends or changes a code makes order where none was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.kernels.pairs.months import FIRST_YEAR, MonthCounts
from experiments.statistics.over_time.change_points import KINDS, find_breaks

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


ARTEFACT = "artefact"


class BrokenCode(NamedTuple):
    """A code whose writing down breaks off, begins or steps: its number, kind, month (2019-03), ratio."""

    code: int
    kind: str
    month: str
    ratio: float


def broken_codes(counts: MonthCounts, systems: Sequence[str], level: float = 0.01) -> list[BrokenCode]:
    """Codes with a break against all that is written in their code ``systems`` (a source that begins late or
    ends is no break of its codes)."""
    events = counts.events
    used = np.flatnonzero(events.any(axis=0))
    if not len(used):
        return []
    first, last = int(used[0]), int(used[-1]) + 1
    series = events[:, first:last]
    names, place = np.unique(np.asarray(systems), return_inverse=True)
    totals = np.zeros((len(names), last - first), np.int64)
    np.add.at(totals, place, series)
    found = find_breaks(series, totals[place], level)
    broken = []
    for code in np.flatnonzero(found.month >= 0):
        year, month = divmod(first + int(found.month[code]), 12)
        when = f"{FIRST_YEAR + year}-{month + 1:02d}"
        broken.append(BrokenCode(int(code), KINDS[found.kind[code]], when, float(found.ratio[code])))
    return broken


def flag_artefacts(table: pa.Table, broken: Sequence[BrokenCode | BrokenAtPlaces], n_codes: int) -> pa.Table:
    """Pairs of a code with a break carry the flag: an order or a gap may be the registration's."""
    affected = np.zeros(n_codes, bool)
    affected[[each.code for each in broken]] = True
    a, b = (np.asarray(table.column(name)) for name in ("code_a", "code_b"))
    hit = affected[a] | affected[b]
    flags = table.column("flags").combine_chunks()
    words = [word or "" for word in flags.dictionary.to_pylist()]
    both = [*words, *(f"{word} {ARTEFACT}".strip() for word in words)]
    place = np.asarray(flags.indices.fill_null(0)).astype(np.int32) + hit * np.int32(len(words))
    column = pa.DictionaryArray.from_arrays(pa.array(place.astype(np.int32)), pa.array(both, pa.string()))
    return table.set_column(table.column_names.index("flags"), "flags", column)


SHOWN = 6
"""Codes named in a remark."""


def broken_in_words(
    broken: Sequence[BrokenCode], table: pa.Table, names: Sequence[str], floor: int
) -> tuple[str, ...]:
    """What a reader must know of breaks over all places; codes of fewer than ``floor`` persons are not named."""
    if not broken:
        return ()
    enough = _frequent(table, len(names), floor)
    shown = [f"{names[each.code]} ({each.kind} {each.month})" for each in broken if enough[each.code]]
    return (
        f"{len(broken)} codes begin, end or step within the data against everything else of their kind; pairs of "
        f"them are flagged, as an order may be the registration's{_listed(shown, len(broken))}.",
    )


def broken_places_in_words(
    broken: Sequence[BrokenAtPlaces], table: pa.Table, names: Sequence[str], floor: int
) -> tuple[str, ...]:
    """The same of breaks at single places: how many of these is told coarsely, which they are and when not at all."""
    if not broken:
        return ()
    enough = _frequent(table, len(names), floor)
    shown = [
        f"{names[each.code]} ({_roughly(each.places, floor)} places)" for each in broken if enough[each.code]
    ]
    return (
        f"{len(broken)} codes begin, end or step at places of treatment that hold {MATERIAL:.0%} or more of their "
        "events, against everything else of their kind written there; pairs of them are flagged"
        f"{_listed(shown, len(broken))}.",
    )


def _frequent(table: pa.Table, n_codes: int, floor: int) -> NDArray[np.bool_]:
    """Which codes at least ``floor`` persons have."""
    persons = np.zeros(n_codes, np.int64)
    for side in ("a", "b"):
        persons[np.asarray(table.column(f"code_{side}"))] = np.asarray(table.column(f"n_{side}"))
    enough: NDArray[np.bool_] = persons >= floor
    return enough


def _roughly(places: int, floor: int) -> str:
    return f"fewer than {floor}" if places < floor else f"{floor} or more"


def _listed(shown: Iterable[str], all_of_them: int) -> str:
    few = list(shown)[:SHOWN]
    return f": {', '.join(few)}{', …' if all_of_them > len(few) else ''}" if few else ""
