"""Breaks in coding place by place: found where totals hide them, flagged where they matter, quiet by chance."""

from __future__ import annotations

import secrets

import numpy as np
import pyarrow as pa

from experiments.analyses.pairs.coding_breaks import (
    FEWEST_EVENTS,
    BrokenAtPlaces,
    BrokenCode,
    PlaceCounts,
    broken_at_places,
    broken_in_words,
    broken_places_in_words,
)

MONTHS, START = 60, 1400


def counted(events: np.ndarray) -> PlaceCounts:
    """From [code, place, month], as a study's events would be: cells that occur, in any order."""
    code, place, month = np.nonzero(events)
    order = np.random.default_rng(secrets.randbits(64)).permutation(len(code))
    return PlaceCounts(code[order], place[order], month[order] + START, events[code, place, month][order])


def test_a_code_that_moves_from_place_to_place__breaks_though_its_total_does_not() -> None:
    rng = np.random.default_rng(secrets.randbits(64))
    mean = np.full((12, 5, MONTHS), 12.0)
    mean[4, 0, :30], mean[4, 1, 30:] = 0, 0
    mean[:, 3, :20] = 0
    mean[7, 4, :] = 300
    mean[7, 2, 40:] = 0
    events = rng.poisson(mean)
    found = broken_at_places(counted(events), ["ICD10"] * 12)
    assert [(each.code, each.places) for each in found] == [(4, 2)]
    assert 0.2 < found[0].share < 0.5
    minor = broken_at_places(counted(events), ["ICD10"] * 12, material=0.005)
    assert [(each.code, each.places) for each in minor] == [(4, 2), (7, 1)]
    alone = broken_at_places(counted(events), [f"S{code}" for code in range(12)])
    assert alone == [], "all that is written of a system is no break of its codes"


def test_chance__makes_no_breaks() -> None:
    rng = np.random.default_rng(secrets.randbits(64))
    false = 0
    for _ in range(12):
        activity = rng.gamma(20, 0.05, (1, 8, MONTHS)) * rng.uniform(1, 30, (40, 8, 1))
        false += len(broken_at_places(counted(rng.poisson(activity)), ["ICD10"] * 40, material=0.0))
    assert false <= 2


def test_unknown_places__are_no_series_but_count_as_events() -> None:
    events = np.full((6, 3, MONTHS), 10)
    events[2, 0, :30] = 0
    known = counted(events)
    found = broken_at_places(known, ["ICD10"] * 6)
    assert [each.code for each in found] == [2]
    unknown = PlaceCounts(
        *(np.append(each, more) for each, more in zip(known, (2, -1, START, 10**6), strict=True))
    )
    assert broken_at_places(unknown, ["ICD10"] * 6) == []
    nowhere = known._replace(place=np.full(len(known.place), -1))
    assert broken_at_places(nowhere, ["ICD10"] * 6) == []
    few = np.zeros((6, 3, MONTHS), int)
    few[:, :, : FEWEST_EVENTS - 1] = 1
    assert broken_at_places(counted(few), ["ICD10"] * 6, level=0.99) == []


def test_remarks__name_no_code_of_few_persons_and_no_place() -> None:
    table = pa.table({"code_a": [0, 1], "code_b": [1, 0], "n_a": [4, 90], "n_b": [90, 4]})
    names = ["ICD10//RARE", "ICD10//COMMON"]
    both = [BrokenCode(code, "new", "2019-03", 2.0) for code in (0, 1)]
    (told,) = broken_in_words(both, table, names, 5)
    assert told.startswith("2 codes") and "COMMON (new 2019-03), …" in told and "RARE" not in told
    placed = [BrokenAtPlaces(0, 1, 0.3), BrokenAtPlaces(1, 4, 0.3)]
    (told,) = broken_places_in_words(placed, table, names, 5)
    assert "COMMON (fewer than 5 places), …" in told and "RARE" not in told
    (told,) = broken_places_in_words([BrokenAtPlaces(1, 23, 0.3)], table, names, 5)
    assert told.endswith("COMMON (5 or more places).")
    (told,) = broken_in_words(both[:1], table, names, 5)
    assert told.endswith("registration's.")
    assert broken_in_words([], table, names, 5) == broken_places_in_words([], table, names, 5) == ()
