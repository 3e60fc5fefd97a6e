"""Sets and sequences equal those counted by brute force; on foreign data, those that other miners counted."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.kernels.bitsets import as_bits, as_flags, by_group, common_with_each
from experiments.kernels.itemsets import mine_itemsets, persons_by_item, persons_with
from experiments.kernels.sequences import ANY, Limits, closed_only, events_of, mine_sequences
from tests.oracles.itemsets import closed_sets, frequent_sequences, frequent_sets

baskets_of = st.lists(st.sets(st.integers(0, 6), max_size=6), min_size=1, max_size=14)
histories_of = st.lists(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=7).map(
        lambda events: sorted(set(events))
    ),
    min_size=1,
    max_size=6,
)


def flat(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return offsets, np.array([value for row in rows for value in row], np.int32)


def bits_of(baskets: list[set[int]], items: int = 7) -> np.ndarray:
    return persons_by_item(*flat([sorted(basket) for basket in baskets]), items)


@settings(deadline=None)
@given(baskets_of, st.integers(1, 5), st.integers(1, 7))
def test_frequent_sets__are_those_of_brute_force(baskets: list[set[int]], least: int, longest: int) -> None:
    found = mine_itemsets(bits_of(baskets), least, longest, closed=False)
    assert found.as_dict() == frequent_sets(baskets, least, longest)


@settings(deadline=None)
@given(baskets_of, st.integers(1, 5), st.integers(1, 7))
def test_closed_sets__are_those_of_brute_force(baskets: list[set[int]], least: int, longest: int) -> None:
    found = mine_itemsets(bits_of(baskets), least, longest)
    assert found.as_dict() == closed_sets(baskets, least, longest)
    holders = as_flags(persons_with(found, bits_of(baskets)), len(baskets))
    for items, row in zip(found.as_dict(), holders, strict=True):
        assert row.tolist() == [set(items) <= basket for basket in baskets]


bundled = st.tuples(baskets_of, st.sets(st.integers(0, 6), min_size=2), st.integers(1, 6)).map(
    lambda world: [
        basket | world[1] if k % world[2] == 0 else basket - world[1] for k, basket in enumerate(world[0])
    ]
)
"""Baskets of which some hold a bundle of items whole and the others nothing of it."""


@settings(deadline=None, max_examples=300)
@given(bundled, st.integers(1, 5), st.integers(1, 7))
def test_bundles_longer_than_a_set_may_be__are_given_in_their_parts(
    baskets: list[set[int]], least: int, longest: int
) -> None:
    found = mine_itemsets(bits_of(baskets), least, longest).as_dict()
    assert found == closed_sets(baskets, least, longest)
    every = frequent_sets(baskets, least, longest)
    persons = {items: frozenset(k for k, one in enumerate(baskets) if set(items) <= one) for items in every}
    assert {persons[items] for items in found} == set(persons.values()), "no group of persons goes missing"


@settings(deadline=None)
@given(
    histories_of,
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(0, 6),
    st.integers(0, 9),
    st.booleans(),
)
def test_sequences__are_those_of_brute_force(
    histories: list[list[tuple[int, int]]],
    least: int,
    longest: int,
    low: int,
    more: int,
    span: int,
    together: bool,
) -> None:
    limits = Limits(low, low + more, span, longest, together)
    offsets, codes = flat([[code for _, code in history] for history in histories])
    days = np.array([day for history in histories for day, _ in history], np.int32)
    found, bits = mine_sequences(events_of(offsets, codes, days), 4, least, limits)
    wanted = frequent_sequences(histories, 4, least, longest, (low, low + more, span), together)
    assert {each.steps: each.support for each in found} == wanted
    assert as_flags(bits, len(histories)).sum(axis=1).tolist() == [each.support for each in found]


def test_a_closed_sequence_has_no_longer_one_of_as_many() -> None:
    offsets, codes = flat([[0, 1, 2], [0, 1, 2], [0, 2]])
    days = np.array([0, 1, 2, 0, 1, 2, 0, 1], np.int32)
    found, bits = mine_sequences(events_of(offsets, codes, days), 3, 2, Limits())
    kept = closed_only(found, bits)
    assert {each.steps for each, one in zip(found, kept, strict=True) if one} == {
        ((0,), (2,)),
        ((0,), (1,), (2,)),
    }


def test_a_sequence_of_other_persons_is_kept_though_they_are_as_many() -> None:
    """Within two days one person has 0 then 2, another 0, 1, 2 but 0 and 2 too far apart."""
    offsets, codes = flat([[0, 2], [0, 1, 2]])
    days = np.array([0, 2, 0, 2, 4], np.int32)
    found, bits = mine_sequences(events_of(offsets, codes, days), 3, 1, Limits(1, 2))
    kept = closed_only(found, bits)
    assert {each.steps for each, one in zip(found, kept, strict=True) if one} >= {
        ((0,), (2,)),
        ((0,), (1,), (2,)),
    }


@settings(deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=130, max_size=130), min_size=1, max_size=3))
def test_bits__hold_flags_and_count_them(rows: list[list[bool]]) -> None:
    flags = np.array(rows, bool)
    bits = as_bits(flags)
    np.testing.assert_array_equal(as_flags(bits, 130), flags)
    np.testing.assert_array_equal(common_with_each(bits, bits), flags.astype(int) @ flags.T.astype(int))
    group, label = np.arange(130) % 3, (np.arange(130) % 2).astype(np.int8)
    having, hit = by_group(bits, group, label, 3)
    for k in range(3):
        np.testing.assert_array_equal(having[:, k], flags[:, group == k].sum(axis=1))
        np.testing.assert_array_equal(hit[:, k], (flags * label)[:, group == k].sum(axis=1))


def transactions(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with gzip.open(path, "rt") as lines:
        return flat([sorted({int(item) for item in line.split()}) for line in lines])


@pytest.mark.parametrize(
    ("file", "least", "frequent", "closed", "lengths"),
    [
        ("retail", 882, 159, 159, {1: 70, 2: 58, 3: 25, 4: 6}),
        ("retail", 441, 580, 580, {1: 221, 2: 237, 3: 102, 4: 19, 5: 1}),
        ("retail", 89, 7589, 7572, {1: 2117, 2: 3260, 3: 1794, 4: 382, 5: 36}),
        ("mushroom", 4062, 153, 45, {1: 13, 2: 41, 3: 56, 4: 35, 5: 8}),
        ("mushroom", 3250, 565, 140, {1: 21, 2: 97, 3: 185, 4: 170, 5: 76, 6: 15, 7: 1}),
        ("mushroom", 2438, 2735, 427, {1: 28, 2: 163, 3: 455, 4: 725, 5: 712, 6: 441, 7: 169, 8: 38, 9: 4}),
    ],
)
def test_foreign_sets__are_those_that_pyfim_and_mlxtend_counted(
    foreign_data: Path, file: str, least: int, frequent: int, closed: int, lengths: dict[int, int]
) -> None:
    offsets, codes = transactions(foreign_data / "itemsets" / f"{file}.dat.gz")
    bits = persons_by_item(offsets, codes, int(codes.max()) + 1)
    every = mine_itemsets(bits, least, closed=False)
    assert len(every.support) == frequent and dict(Counter(np.diff(every.offsets).tolist())) == lengths
    only = mine_itemsets(bits, least)
    assert len(only.support) == closed
    assert only.as_dict().items() <= every.as_dict().items()


def spmf(path: Path) -> list[list[tuple[int, int]]]:
    """Sequences of the SPMF format: -1 ends a step, -2 a sequence."""
    made = []
    for line in path.read_text().split("-2"):
        steps = [part.split() for part in line.split("-1")]
        made.append([(day, int(code)) for day, step in enumerate(steps) for code in sorted(step, key=int)])
    return [history for history in made if history]


def counted(histories: list[list[tuple[int, int]]], codes: int, least: int, limits: Limits) -> Counter[int]:
    offsets, flat_codes = flat([[code for _, code in history] for history in histories])
    days = np.array([day for history in histories for day, _ in history], np.int32)
    found, _ = mine_sequences(events_of(offsets, flat_codes, days), codes, least, limits)
    return Counter(len(each.items) for each in found)


def test_published_sequences__are_counted_alike(foreign_data: Path) -> None:
    folder = foreign_data / "sequences"
    histories: dict[str, list[tuple[int, int]]] = {}
    for line in (folder / "zaki.txt").read_text().splitlines():
        person, day, _, *items = line.split()
        histories.setdefault(person, []).extend((int(day), ord(item) - 65) for item in sorted(items))
    whole = Limits(1, ANY, ANY, 60, together=True)
    assert counted(list(histories.values()), 26, 2, whole).total() == 18
    assert counted(spmf(folder / "contextPrefixSpan.txt"), 10, 2, whole).total() == 53


@pytest.mark.parametrize(
    ("least", "lengths"),
    [
        (438, {1: 20, 2: 34, 3: 10}),
        (365, {1: 33, 2: 84, 3: 49, 4: 7}),
        (292, {1: 60, 2: 193, 3: 201, 4: 62, 5: 2}),
    ],
)
def test_sign_language__is_counted_as_prefixspan_does(
    foreign_data: Path, least: int, lengths: dict[int, int]
) -> None:
    lines = (foreign_data / "sequences" / "SIGN.txt").read_text().splitlines()
    histories = [[(day, int(code)) for day, code in enumerate(line.split())] for line in lines]
    assert dict(counted(histories, 400, least, Limits(1, ANY, ANY, 60))) == lengths
