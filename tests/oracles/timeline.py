"""A timeline by its definition: one person's coded records put in order, one of each day and code."""

from __future__ import annotations

from collections.abc import Iterable


def timeline(records: Iterable[tuple[int, str, int]]) -> list[tuple[int, str, int]]:
    """(day, code, setting) of one person from its (day, code, setting) records: the smallest known setting counts."""
    found: dict[tuple[int, str], int] = {}
    for day, code, setting in records:
        before = found.get((day, code), -1)
        found[day, code] = min(filter(lambda each: each >= 0, (before, setting)), default=-1)
    return sorted((day, code, setting) for (day, code), setting in found.items())
