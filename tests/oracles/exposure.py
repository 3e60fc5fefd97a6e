"""Exposure periods by their definition, one person and medicine at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable


def periods(dispensings: Iterable[tuple[int, float]]) -> list[tuple[int, int, int, float]]:
    """(first day, last day, dispensings, doses) of each period of one person's (day, doses) of one medicine."""
    found: list[list[float]] = []
    for day, doses in sorted(dispensings, key=lambda each: (each[0], min(max(math.ceil(each[1]), 1), 365))):
        last = day + min(max(math.ceil(doses), 1), 365) - 1
        if found and day <= found[-1][1] + 1 + 30:
            found[-1][1] = max(found[-1][1], last)
            found[-1][2] += 1
            found[-1][3] += doses
        else:
            found.append([day, last, 1, doses])
    return [(int(a), int(b), int(n), d) for a, b, n, d in found]
