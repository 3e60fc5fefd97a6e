"""Frequent sets and sequences by counting every candidate in every person."""

from __future__ import annotations

from itertools import chain, combinations

Steps = tuple[tuple[int, ...], ...]


def frequent_sets(baskets: list[set[int]], least: int, longest: int) -> dict[tuple[int, ...], int]:
    """Every set of at most ``longest`` items that at least ``least`` baskets hold."""
    items = sorted(set(chain.from_iterable(baskets)))
    found = {}
    for size in range(1, longest + 1):
        for candidate in combinations(items, size):
            support = sum(set(candidate) <= basket for basket in baskets)
            if support >= max(least, 1):
                found[candidate] = support
    return found


def closed_sets(baskets: list[set[int]], least: int, longest: int) -> dict[tuple[int, ...], int]:
    """Frequent sets of which no larger set of at most ``longest`` items is held by as many baskets."""
    found = frequent_sets(baskets, least, longest)
    return {
        candidate: support
        for candidate, support in found.items()
        if not any(set(candidate) < set(larger) and support == others for larger, others in found.items())
    }


def matches(
    history: list[tuple[int, int]], steps: Steps, least_gap: int, most_gap: int, most_span: int
) -> bool:
    """Whether a history of (day, code) holds the steps within the limits, by trying every placing."""
    by_day: dict[int, set[int]] = {}
    for day, code in history:
        by_day.setdefault(day, set()).add(code)

    def fits(at: int, first: int, last: int) -> bool:
        if at == len(steps):
            return True
        return any(
            set(steps[at]) <= codes
            and (at == 0 or (least_gap <= day - last <= most_gap and day - first <= most_span))
            and fits(at + 1, day if at == 0 else first, day)
            for day, codes in by_day.items()
        )

    return fits(0, 0, 0)


def frequent_sequences(
    histories: list[list[tuple[int, int]]],
    codes: int,
    least: int,
    longest: int,
    limits: tuple[int, int, int],
    together: bool,
) -> dict[Steps, int]:
    """Every sequence of at most ``longest`` codes that at least ``least`` histories hold, grown one code at a time."""
    found: dict[Steps, int] = {}
    pending: list[Steps] = [((code,),) for code in range(codes)]
    while pending:
        steps = pending.pop()
        support = sum(matches(history, steps, *limits) for history in histories)
        if support < max(least, 1):
            continue
        found[steps] = support
        if sum(map(len, steps)) < longest:
            pending += [(*steps, (code,)) for code in range(codes)]
            if together:
                pending += [(*steps[:-1], (*steps[-1], code)) for code in range(steps[-1][-1] + 1, codes)]
    return found
