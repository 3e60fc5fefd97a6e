"""Paths read literally from their definition: first days in order, each within the horizon of the one before."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from tests.oracles.pair_scan import Person


@dataclass
class PathFacts:
    """What is counted of one path, by half."""

    at_risk: list[int] = field(default_factory=lambda: [0, 0])
    stepped: list[int] = field(default_factory=lambda: [0, 0])
    lags: list[int] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)


def first_days(person: Person) -> dict[int, int]:
    """First day of every code."""
    days: dict[int, int] = {}
    for day, code, _ in person.records:
        days[code] = min(days.get(code, day), day)
    return days


def walked(days: dict[int, int], path: tuple[int, ...], horizon: int) -> bool:
    """Whether the codes came in this order, each after the one before and at most the horizon later."""
    return all(code in days for code in path) and all(
        0 < days[later] - days[earlier] <= horizon for earlier, later in pairwise(path)
    )


def count_paths(
    people: list[Person],
    paths: list[tuple[int, ...]],
    horizon: int,
    last_day: int,
    terminal: tuple[int, ...] = (),
) -> dict[tuple[int, ...], PathFacts]:
    """Everything about each path but what is expected."""
    facts = {path: PathFacts() for path in paths}
    for person in people:
        days = first_days(person)
        end = min([last_day, *(days[code] for code in terminal if code in days)])
        for path, fact in facts.items():
            before, last = path[:-1], path[-1]
            if not walked(days, before, horizon) or days.get(last, 10**9) <= days[before[-1]]:
                continue
            fact.at_risk[person.half] += 1
            if walked(days, path, horizon):
                fact.stepped[person.half] += 1
                fact.lags.append(days[last] - days[before[-1]])
            else:
                fact.seen.append(min(max(end - days[before[-1]], 0), horizon))
    return facts
