"""Pathways read off a log case by case."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from statistics import median

Log = list[tuple[str, str, float, int]]
"""Rows of case, activity, time, tie."""


def steps(log: Log) -> dict[str, list[tuple[float, list[str]]]]:
    """Each case's steps: the time and the activities that happen together."""
    cases: dict[str, dict[tuple[float, int], set[str]]] = defaultdict(lambda: defaultdict(set))
    for case, activity, time, tie in log:
        cases[case][time, tie].add(activity)
    return {
        case: [(at[0], sorted(what)) for at, what in sorted(found.items())] for case, found in cases.items()
    }


def directly_follows(log: Log) -> dict[tuple[str, str], tuple[int, int, float]]:
    """Cases, times and median wait by pair of activities."""
    waits: dict[tuple[str, str], list[float]] = defaultdict(list)
    cases: dict[tuple[str, str], set[str]] = defaultdict(set)
    for case, way in steps(log).items():
        for (when, now), (later, then) in pairwise(way):
            for first in now:
                for following in then:
                    waits[first, following].append(later - when)
                    cases[first, following].add(case)
    return {pair: (len(cases[pair]), len(times), median(times)) for pair, times in waits.items()}


def activities(log: Log) -> dict[str, tuple[int, int, int, int, int, int]]:
    """Cases, times, cases that begin and end with it, cases that come back to it, times beyond the first."""
    found: dict[str, list[int]] = defaultdict(lambda: [0] * 6)
    for way in steps(log).values():
        counted: dict[str, int] = defaultdict(int)
        for _, what in way:
            for activity in what:
                counted[activity] += 1
        for activity, n in counted.items():
            row = found[activity]
            row[0] += 1
            row[1] += n
            row[2] += activity in way[0][1]
            row[3] += activity in way[-1][1]
            row[4] += n > 1
            row[5] += n - 1
    return {activity: tuple(row) for activity, row in found.items()}  # type: ignore[misc]


def variants(log: Log) -> dict[str, int]:
    """Cases by course."""
    found: dict[str, int] = defaultdict(int)
    for way in steps(log).values():
        found[" > ".join(" + ".join(what) for _, what in way)] += 1
    return dict(found)
