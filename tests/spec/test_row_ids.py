"""What a re-delivery changes, held against counting rows by hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.delivery.row_ids import (
    EarlierRows,
    compare,
    forget_rows,
    hashed,
    ids_file,
    keep,
    kept,
    row_ids,
    without,
)
from lakehouse.identity.pseudonyms import root_key_file
from lakehouse.settings import load_settings
from tests.spec.test_readers import INCOME, write_income
from tests.support.forms import look

ROWS = st.lists(st.sampled_from("abcdef"), max_size=12)


@settings(deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=5))
def test_a_chain_of_deliveries_always_stands_for_the_newest_one(deliveries: list[list[str]]) -> None:
    """Rows read minus rows gone, over all deliveries, are the rows of the last: as a multiset, and by place."""
    before: EarlierRows | None = None
    read: dict[tuple[str, int], str] = {}
    for number, rows in enumerate(deliveries):
        file_id = f"f{number}"
        ids = np.array([ord(row) for row in rows], np.uint64)
        changes = compare(ids, file_id, before)
        earlier = Counter(deliveries[number - 1]) if number else Counter()
        assert changes.kept == sum((Counter(rows) & earlier).values())
        assert Counter(read[gone] for gone in changes.gone) == earlier - Counter(rows)
        for gone in changes.gone:
            del read[gone]
        for place in np.flatnonzero(changes.fresh).tolist():
            read[file_id, place + 1] = rows[place]
        known = changes.known
        called = [(known.files[at], int(row)) for at, row in zip(known.file, known.row, strict=True)]
        assert [read[each] for each in called] == rows
        assert len(set(called)) == len(rows) == len(read)
        for row, first in changes.repeats.items():
            assert rows[row - 1] == rows[first - 1]
            assert first < row
            assert changes.fresh[row - 1]
        before = known


def test_ids_are_keyed_and_hang_on_the_declaration(tmp_path: Path) -> None:
    assert hashed([b"a", b"b"], "0" * 16).tolist() != hashed([b"a", b"b"], "1" * 16).tolist()
    assert len(set(hashed([b"a", b"b", b"a"], "0" * 16).tolist())) == 2
    key = root_key_file(load_settings(tmp_path / "home", "test"), create=True)
    path = write_income(tmp_path / "income2020.csv")
    ids = row_ids(look(INCOME, path), key)
    assert len(ids) == 3
    text = path.read_text(encoding="cp1252")
    path.write_text(text.replace("\n", "\r\n"), encoding="cp1252", newline="")
    assert row_ids(look(INCOME, path), key).tolist() == ids.tolist()
    path.write_text(text.replace("tekst", "other"), encoding="cp1252")
    assert not set(row_ids(look(INCOME, path), key).tolist()) & set(ids.tolist())


def test_ids_are_kept_whole(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, "test")
    path = ids_file(settings, "income", "f1")
    assert kept(path) is None
    known = compare(np.array([3, 1, 3], np.uint64), "f1", None).known
    keep(path, known)
    again = kept(path)
    assert again is not None
    assert again.files == ("f1",)
    assert (again.ids.tolist(), again.row.tolist(), again.file.tolist()) == ([3, 1, 3], [1, 2, 3], [0, 0, 0])
    later = compare(np.array([1, 9, 3], np.uint64), "f2", again).known
    keep(path, later)
    again = kept(path)
    assert again is not None
    assert (again.files, again.file.tolist(), again.row.tolist()) == (("f2", "f1"), [1, 0, 1], [2, 2, 1])


@given(ROWS, ROWS, st.data())
def test_forgotten_rows_are_new_when_they_come_again(
    first: list[str], then: list[str], data: st.DataObject
) -> None:
    """What is forgotten is neither kept nor said to be gone; everything else is told as before."""
    whole = compare(np.array([ord(row) for row in first], np.uint64), "f0", None).known
    lost = data.draw(st.sets(st.integers(1, len(first)))) if first else set()
    left = without(whole, [("f0", row) for row in lost] + [("f9", 1)])
    stays = Counter(row for at, row in enumerate(first, 1) if at not in lost)
    changes = compare(np.array([ord(row) for row in then], np.uint64), "f1", left)
    assert changes.kept == sum((Counter(then) & stays).values())
    assert not {row for _, row in changes.gone} & lost
    assert Counter(first[row - 1] for _, row in changes.gone) == stays - Counter(then)


def test_rows_are_forgotten_in_every_record_of_a_table(tmp_path: Path) -> None:
    at = load_settings(tmp_path / "home", "test")
    one = compare(np.array([7, 8, 9], np.uint64), "f0", None).known
    two = compare(np.array([8, 9, 10], np.uint64), "f1", one).known
    for name, known in (("f0", one), ("f1", two)):
        keep(ids_file(at, "income", name), known)
    forget_rows(at, "income", [("f0", 2)])
    left = [kept(ids_file(at, "income", name)) for name in ("f0", "f1")]
    assert [each.ids.tolist() for each in left if each] == [[7, 9], [9, 10]]
    again = compare(np.array([8, 9, 10], np.uint64), "f2", left[1])
    assert again.fresh.tolist() == [True, False, False]
    assert again.gone == ()
