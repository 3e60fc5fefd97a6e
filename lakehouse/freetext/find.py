"""What in a text tells a person: every recogniser in turn, overlaps resolved, and the text without it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from lakehouse.freetext import names, numbers

Recogniser = Callable[[str], Iterable[tuple[int, int]]]
RECOGNISERS: tuple[tuple[str, Recogniser], ...] = (
    ("cpr", numbers.person_numbers),
    ("e-mail", numbers.mails),
    ("telefon", numbers.phones),
    ("adresse", numbers.addresses),
    ("navn", names.spans),
)
"""In the order in which they win where two see the same words."""


class Mention(NamedTuple):
    """Something that tells a person: what it is and where it stands."""

    kind: str
    start: int
    end: int


def find(text: str) -> list[Mention]:
    """Everything that tells a person, in order and without overlaps."""
    taken: list[Mention] = []
    for kind, recogniser in RECOGNISERS:
        for start, end in recogniser(text):
            taken += [Mention(kind, *piece) for piece in left_over(text, start, end, taken)]
    return sorted(taken, key=lambda each: each.start)


def left_over(text: str, start: int, end: int, taken: Iterable[Mention]) -> list[tuple[int, int]]:
    """Parts of a span that nothing before has taken, as far as they hold a letter or digit."""
    parts = [(start, end)]
    for each in taken:
        parts = [
            piece
            for one, other in parts
            for piece in ((one, min(other, each.start)), (max(one, each.end), other))
            if piece[0] < piece[1]
        ]
    return [(one, other) for one, other in parts if any(letter.isalnum() for letter in text[one:other])]


def scrub(text: str) -> str:
    """The text with a word in brackets for everything that tells a person."""
    return "".join(pieces(text, find(text)))


def pieces(text: str, found: Iterable[Mention]) -> Iterator[str]:
    """The text between what was found, and the brackets."""
    at = 0
    for each in found:
        yield text[at : each.start]
        yield f"[{each.kind}]"
        at = each.end
    yield text[at:]
