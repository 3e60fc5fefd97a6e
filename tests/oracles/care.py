"""Treatments in subpopulations read off the persons one by one, with p given by stratum."""

from __future__ import annotations

from collections import defaultdict

from tests.oracles.pair_scan import HORIZON, Person, exposures_of, first_days, scan

Cell = tuple[int, int, int]


def care(
    people: list[Person], treatments: list[int], groups: list[int], outcomes: list[int]
) -> dict[Cell, list[float]]:
    """At risk, O, E and V by treatment, group (-1: everybody) and outcome."""
    answer = scan(people)
    first = [first_days(person) for person in people]
    cells: dict[Cell, list[float]] = defaultdict(lambda: [0.0] * 4)
    for exposure in exposures_of(people):
        if exposure.code not in treatments:
            continue
        days = first[exposure.person]
        for b in outcomes:
            when = days.get(b)
            if when is not None and when <= exposure.day:
                continue
            at_risk = answer.at_risk.get((exposure.stratum, b), 0)
            p = answer.outcomes[exposure.stratum, b] / at_risk if at_risk else 0.0
            for group in [-1, *(g for g in groups if days.get(g, exposure.day) < exposure.day)]:
                cell = cells[exposure.code, group, b]
                cell[0] += 1
                cell[1] += when is not None and when <= exposure.day + HORIZON
                cell[2] += p
                cell[3] += p * (1 - p)
    return dict(cells)
