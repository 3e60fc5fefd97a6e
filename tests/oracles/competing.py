"""Follow-up of one pair read literally: every exposed person's end of follow-up, then Aalen-Johansen day by day."""

from __future__ import annotations

from typing import NamedTuple

Events = list[tuple[int, int]]


class Course(NamedTuple):
    """Day since exposure on which follow-up ended, and by what: outcome, death, end or horizon."""

    day: int
    by: str


def courses(
    persons: list[Events], a: int, b: int, horizon: int, deaths: set[int], end: int, washout: int = 0
) -> list[Course]:
    """One course for each exposed person at risk; ``persons`` are lists of (day, code)."""
    found = []
    for events in persons:
        first = {}
        for day, code in sorted(events):
            first.setdefault(code, day)
        last = max((day for day, code in events if code == end), default=None)
        if a not in first or (last is not None and last < first[a]):
            continue
        if first[a] - min(first.values()) < washout:
            continue
        start = first[a]
        if b in first and first[b] <= start:
            continue
        ends = [(horizon + 1, 3, "horizon")]
        if b in first:
            ends.append((first[b] - start, 0, "outcome"))
        died = [first[code] - start for code in deaths if code in first and code != b]
        died = [day for day in died if day >= 0]
        if died:
            ends.append((min(died), 1, "death"))
        if last is not None:
            ends.append((last - start, 2, "end"))
        day, _, by = min(ends)
        found.append(Course(day, by if day <= horizon else "horizon"))
    return found


def aalen_johansen(found: list[Course]) -> tuple[float, float]:
    """Cumulative incidence of the outcome and of death before it."""
    survival, outcome, died = 1.0, 0.0, 0.0
    for day in sorted({course.day for course in found if course.by in ("outcome", "death")}):
        at_risk = sum(course.day >= day for course in found)
        d1 = sum(course == Course(day, "outcome") for course in found)
        d2 = sum(course == Course(day, "death") for course in found)
        outcome += survival * d1 / at_risk
        died += survival * d2 / at_risk
        survival *= 1 - (d1 + d2) / at_risk
    return outcome, died
