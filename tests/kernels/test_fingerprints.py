"""Fingerprints of persons: the same for the same timeline wherever it lies, another for any other; the chosen come back."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.kernels.pairs.fingerprints import (
    ChosenPass,
    ChosenPersons,
    FingerprintPass,
    Fingerprints,
    fingerprints,
)
from experiments.kernels.passes import OverPersons
from experiments.kernels.persons import Persons, join_persons
from tests.support.small_worlds import as_persons, small_world

KEY = random.getrandbits(64)
WORDS = np.random.default_rng().integers(0, 2**64, 100, np.uint64)


def rows(persons: Persons) -> list[tuple[object, ...]]:
    """Everything of every person, as plain values."""
    found: list[tuple[object, ...]] = []
    for at in range(persons.count):
        span = slice(persons.offsets[at], persons.offsets[at + 1])
        events = [column[span].tolist() for column in (persons.codes, persons.days, persons.settings)]
        facts = [column[at].item() for column in (persons.sex, persons.birth_year, persons.half)]
        found.append((*facts, *map(tuple, events)))
    return found


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**40), st.integers(1, 5))
def test_equal_timelines__have_equal_prints_and_others_have_others(seed: int, pieces: int) -> None:
    persons = as_persons(*small_world(seed))
    told = rows(persons)
    prints = fingerprints(persons, WORDS, np.uint64(KEY))
    assert len(set(zip(told, prints.tolist(), strict=True))) == len(set(told)) == len(set(prints.tolist()))
    shuffled = persons.take(np.random.default_rng(seed).permutation(persons.count))
    merged = OverPersons(shuffled, pieces)(FingerprintPass, {"words": WORDS, "key": KEY})
    np.testing.assert_array_equal(merged.values, np.sort(prints))


def test_one_changed_fact__changes_the_print() -> None:
    persons = as_persons(*small_world(11))
    before = fingerprints(persons, WORDS, np.uint64(KEY))
    for field in Persons._fields[1:]:
        column = getattr(persons, field).copy()
        column[-1] ^= 1
        after = fingerprints(persons._replace(**{field: column}), WORDS, np.uint64(KEY))
        assert after[-1] != before[-1] and (after != before).sum() <= 1, field
    assert not set(before.tolist()) & set(fingerprints(persons, WORDS, np.uint64(KEY ^ 1)).tolist())


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**40), st.integers(0, 2**20))
def test_what_came_and_left__is_the_difference_of_both_crowds(seed: int, choice: int) -> None:
    people, n_codes = small_world(seed)
    rng = random.Random(choice)
    crowds = [[rng.choice(people) for _ in range(rng.randrange(1, 30))] for _ in range(2)]
    before, after = (as_persons(crowd, n_codes) for crowd in crowds)
    run = {"before": OverPersons(before, 2), "after": OverPersons(after, 3)}
    shared = {"words": WORDS, "key": KEY}
    old, new = (run[name](FingerprintPass, shared) for name in ("before", "after"))
    for here, there, name in ((new, old, "after"), (old, new, "before")):
        wanted, times = here.less(there)
        chosen = run[name](ChosenPass, {**shared, "wanted": wanted})
        got = chosen.limited(wanted, times)
        assert got is not None
        mine, theirs = (
            Counter(rows(each)) for each in ((after, before) if name == "after" else (before, after))
        )
        assert Counter(rows(got)) == mine - theirs
        assert chosen.limited(wanted, times + 100) is None or not len(wanted)
        sent = ChosenPersons.from_arrays(chosen.to_arrays())
        assert rows(sent.persons) == rows(chosen.persons)
    joined = Fingerprints.merge([old, new])
    np.testing.assert_array_equal(
        joined.values, np.sort(fingerprints(join_persons([before, after]), WORDS, np.uint64(KEY)))
    )
