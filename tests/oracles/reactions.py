"""Counts around a medicine's first day, read literally; symmetry and its null-effect ratio pair by pair."""

from __future__ import annotations

from tests.oracles.pair_scan import Person
from tests.oracles.trajectories import first_days

Pair = tuple[int, int]


def order(people: list[Person], pair: Pair, days: int) -> tuple[int, int, int]:
    """Persons with the medicine first, the event first, both the same day, at most so many days apart."""
    lags = [first[pair[1]] - first[pair[0]] for first in map(first_days, people) if set(pair) <= set(first)]
    return (
        sum(0 < lag <= days for lag in lags),
        sum(-days <= lag < 0 for lag in lags),
        sum(lag == 0 for lag in lags),
    )


def near(people: list[Person], pair: Pair, window: tuple[int, int]) -> int:
    """Persons whose first event falls into a window around the first dispensing."""
    lags = [first[pair[1]] - first[pair[0]] for first in map(first_days, people) if set(pair) <= set(first)]
    return sum(window[0] <= lag <= window[1] for lag in lags)


def starters_seen(
    people: list[Person], medicine: int, window: tuple[int, int], span: tuple[int, int], terminal: int
) -> int:
    """Starters who were there throughout the window."""
    seen = 0
    for first in map(first_days, people):
        if medicine in first:
            until = min(span[1], first.get(terminal, span[1]))
            seen += span[0] <= first[medicine] + window[0] and first[medicine] + window[1] <= until
    return seen


def null_ratio(index: list[int], marker: list[int], d: int) -> float:
    """Tsiropoulos et al. (2009): markers in the d days after against those before, summed over index starts."""
    after = sum(0 < m - i <= d for i in index for m in marker)
    before = sum(0 < i - m <= d for i in index for m in marker)
    return after / before if before else float("inf")
