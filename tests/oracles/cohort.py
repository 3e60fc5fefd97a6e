"""New users read off their events one person at a time."""

from __future__ import annotations

from tests.oracles.pair_scan import Person, year_of

Row = tuple[int, int, int, int, int, int, int, tuple[int, ...]]


def cohort(people: list[Person], treated: int, control: int, outcomes: set[int], horizon: int) -> list[Row]:
    """Treated, outcome, sex, age, year, earlier events, half, and the codes had on earlier days; sorted."""
    rows = []
    for person in people:
        events = {(day, code) for day, code, _ in person.records}
        starts = {arm: [day for day, code in events if code == arm] for arm in (treated, control)}
        begun = {arm: min(days) for arm, days in starts.items() if days}
        if not begun or (len(begun) == 2 and begun[treated] == begun[control]):
            continue
        arm = min(begun, key=lambda each: begun[each])
        first = begun[arm]
        when = [day for day, code in events if code in outcomes]
        if any(day <= first for day in when):
            continue
        earlier = [(day, code) for day, code in events if day < first]
        rows.append(
            (
                int(arm == treated),
                int(any(first < day <= first + horizon for day in when)),
                person.sex,
                max(year_of(first) - person.birth_year, 0),
                year_of(first),
                len(earlier),
                person.half,
                tuple(sorted({code for _, code in earlier})),
            )
        )
    return sorted(rows)
