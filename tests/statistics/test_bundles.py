"""Codes that always come together, more than a set may have: they are found, and nothing else is lost for them."""

from __future__ import annotations

import secrets
from itertools import combinations
from math import comb

import numpy as np
import pytest

from experiments.analyses.itemsets.significance import (
    SearchSettings,
    SignificantSets,
    significant_itemsets,
    significant_sequences,
)
from experiments.kernels.histories import Histories
from experiments.kernels.sequences import Limits

PERSONS, WITH_BUNDLE, WITH_SINGLE, CODES = 3_000, 300, 200, 20
BUNDLE_RATE, RATE = 0.4, 0.1


def bundle_histories(seed: int, bundle: int) -> Histories:
    """Codes 0 to ``bundle`` - 1 always together, one a day, in 300 persons with four times the outcome; the next code
    stands in 200 other persons with the same; 20 more codes mean nothing.
    """
    rng = np.random.default_rng(seed)
    having = np.zeros((PERSONS, bundle + 1 + CODES), bool)
    having[:WITH_BUNDLE, :bundle] = True
    having[WITH_BUNDLE : WITH_BUNDLE + WITH_SINGLE, bundle] = True
    having[:, bundle + 1 :] = rng.random((PERSONS, CODES)) < 0.03
    rate = np.where(np.arange(PERSONS) < WITH_BUNDLE + WITH_SINGLE, BUNDLE_RATE, RATE)
    label = (rng.random(PERSONS) < rate).astype(np.int8)
    codes = np.nonzero(having)[1].astype(np.int32)
    return Histories(
        offsets=np.concatenate([[0], np.cumsum(having.sum(axis=1))]).astype(np.int64),
        codes=codes,
        days=codes.copy(),
        label=label,
        stratum=np.zeros(PERSONS, np.int32),
        half=rng.integers(0, 2, PERSONS).astype(np.int8),
        use=having.sum(axis=1).astype(np.int32),
        capped=np.zeros(1, np.int64),
    )


def searched(
    histories: Histories, codes: int, kind: str, top: int = 20_000, closed: bool = True
) -> SignificantSets:
    wanted = SearchSettings(support=60, longest=4, top=top, closed=closed, draws=200)
    if kind == "itemset":
        return significant_itemsets(histories, codes, wanted, seed=5, window="w")
    return significant_sequences(histories, codes, wanted, Limits(longest=4), seed=5, window="w")


def significant(found: SignificantSets) -> dict[tuple[int, ...], tuple[int, int]]:
    """Persons and outcomes by the codes of each significant row."""
    rows = found.table.select(["items", "n_person", "O", "called"]).to_pylist()
    return {tuple(row["items"]): (row["n_person"], row["O"]) for row in rows if row["called"]}


@pytest.mark.parametrize("kind", ["itemset", "sequence"])
def test_six_codes_always_together__are_found_in_their_sets_of_four(kind: str) -> None:
    histories = bundle_histories(secrets.randbits(32), 6)
    found = searched(histories, 7 + CODES, kind)
    outcomes = int(histories.label[:WITH_BUNDLE].sum())
    bundled = {items: figures for items, figures in significant(found).items() if set(items) <= set(range(6))}
    assert bundled == dict.fromkeys(combinations(range(6), 4), (WITH_BUNDLE, outcomes))
    assert found.alike == comb(6, 4) - 1 and found.left_out == 0


def test_whatever_is_significant_among_all_sets__is_so_for_the_same_persons_among_the_closed() -> None:
    histories = bundle_histories(secrets.randbits(32), 6)
    every = significant(searched(histories, 7 + CODES, "itemset", closed=False))
    closed = significant(searched(histories, 7 + CODES, "itemset"))
    assert len(every) > len(closed) and set(every.values()) == set(closed.values())


@pytest.mark.parametrize("kind", ["itemset", "sequence"])
def test_many_codes_always_together__take_no_room_from_a_smaller_set(kind: str) -> None:
    bundle = 16
    histories = bundle_histories(secrets.randbits(32), bundle)
    found = searched(histories, bundle + 1 + CODES, kind, top=50)
    assert found.table.num_rows == 50
    assert significant(found)[(bundle,)][0] == WITH_SINGLE
    assert found.alike + found.left_out == comb(bundle, 4) - 1
