"""Courses of care by the definition read literally: one person's contact days walked in order."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise


def courses(contacts: Iterable[tuple[str, int, int]]) -> list[tuple[int, int, str, str, str, int, int]]:
    """(start, end, sectors, first, last, contacts, hand-overs) of each course of one person's (sector, day, until)."""
    until: dict[tuple[int, str], int] = {}
    for sector, day, end in contacts:
        until[day, sector] = max(until.get((day, sector), day), end)
    found: list[list[tuple[int, str]]] = []
    reached = 0
    for key in sorted(until):
        if not found or key[0] > reached + 30:
            found.append([])
            reached = until[key]
        found[-1].append(key)
        reached = max(reached, until[key])
    return [
        (
            course[0][0],
            max(until[key] for key in course),
            ",".join(sorted({sector for _, sector in course})),
            course[0][1],
            course[-1][1],
            len(course),
            sum(one[1] != other[1] for one, other in pairwise(course)),
        )
        for course in found
    ]
