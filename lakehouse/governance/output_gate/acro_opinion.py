"""A second opinion on small tables by ACRO, where it is installed: a checker by others, for tables as they make them.

ACRO judges persons, so the counts are told out again, one row a person. What it was not made for (margins, rounded
or hidden numbers, zeros, more dimensions) it is not asked about.
"""

from __future__ import annotations

import importlib.util
import logging
import math
from typing import Any

from lakehouse.governance.output_gate.limits_and_verdict import Finding, Limits, gathered
from lakehouse.governance.output_gate.reasons import Rule
from lakehouse.governance.output_gate.tables import ALL, CountTable

MOST_PERSONS = 50_000
"""Persons of a table that ACRO is asked about; it holds a row for each."""


def installed() -> bool:
    """Whether ACRO is here (``pip install 'patternlake[acro]'``)."""
    return importlib.util.find_spec("acro") is not None


def second_opinion(table: CountTable, limits: Limits) -> list[Finding]:
    """What ACRO has against a table; nothing where it is not installed or was not made for the table."""
    cells = _cells(table)
    if not installed() or cells is None or sum(cells.values()) > MOST_PERSONS:
        return []
    status, summary = _asked(cells, limits)
    told = [summary] if status == "fail" else []
    return gathered(Rule.SECOND_OPINION, table.name, told, limits.persons)


def _cells(table: CountTable) -> dict[tuple[str, str], int] | None:
    """Finest cells of a two-way table without hidden numbers and zeros (ACRO takes them for small); else None."""
    if len(table.dimensions) != 2 or table.rounding > 1:
        return None
    cells: dict[tuple[str, str], int] = {}
    first, second = table.dimensions.values()
    for a, b, count in zip(first, second, table.counts, strict=True):
        if ALL in (a, b):
            continue
        if count is None or math.isnan(count) or count == 0:
            return None
        cells[str(a), str(b)] = int(count)
    return cells


def _asked(cells: dict[tuple[str, str], int], limits: Limits) -> tuple[str, str]:
    """ACRO's status and words on a table told out person by person."""
    import pandas as pd
    from acro import ACRO

    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        session: Any = ACRO(suppress=False)
        session.config |= {"safe_threshold": limits.persons, "zeros_are_disclosive": False}
        rows = [pair for pair, count in cells.items() for _ in range(count)]
        frame = pd.DataFrame(rows, columns=["first", "second"])
        session.crosstab(frame["first"], frame["second"])
        result = session.results.get_index(0)
        return str(result.status), " ".join(str(result.summary).split())
    finally:
        logging.disable(level)
