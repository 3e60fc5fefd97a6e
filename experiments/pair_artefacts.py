"""What a reader is told of breaks in coding: which codes, as far as enough persons have them, and never where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.pair_extras import BrokenCode
from experiments.pair_places import MATERIAL, BrokenAtPlaces

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
