"""One person under several numbers: chains lead to their end, circles nowhere, and the order of rows does not matter."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lakehouse.gold.person_links import resolved

LINK = st.tuples(
    st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh"), st.sampled_from(["", "2001", "2002", "2003"])
)


def test_a_chain_leads_to_its_last_number() -> None:
    assert resolved([("a", "b", "2001"), ("b", "c", "2002"), ("x", "y", "")]) == {
        "a": "c",
        "b": "c",
        "x": "y",
    }


def test_of_two_successors_the_later_counts() -> None:
    assert resolved([("a", "b", "2002"), ("a", "c", "2003"), ("a", "d", "2001")]) == {"a": "c"}


def test_a_circle_names_nobody() -> None:
    assert resolved([("a", "b", "2001"), ("b", "a", "2002"), ("c", "a", "2003"), ("d", "d", "")]) == {}


@given(st.lists(LINK, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_links_changes_nothing_and_ends_are_ends(
    links: list[tuple[str, str, str]], random: object
) -> None:
    found = resolved(links)
    shuffled = list(links)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert resolved(shuffled) == found
    assert not set(found.values()) & {old for old, new, _ in links if old != new}
