"""The pair scan's part of the report: a table to sort and search, the trajectory browser, and pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from experiments.presentation.trajectory_browser import browser_section, rounded
from experiments.presentation.wording import HIDDEN, days, ratio, small_number
from experiments.products.base import Calibration, Interactive, Section
from experiments.products.pattern_kinds import MOST_ROWS, View, picture_sections

FIRST_ROWS = 25
"""Rows written into the page for reading without scripts; the script has ``MOST_ROWS``."""

ORDER = {"forward": "as listed", "backward": "reversed", "none": "unclear"}
"""The scan's words for which code tends to come first, as a reader of the table would say it."""

CAPTIONS = {
    "volcano.png": (
        "Effect against evidence",
        "Every tested pair whose numbers may be shown. To the right: the second code follows more often "
        "than expected; "
        "to the left: less often. Higher: less likely to be chance (the scale is compressed towards the "
        "top).",
    ),
    "network.png": (
        "Network of the strongest patterns",
        "The strongest pairs put together: an arrow leads from the first code to the one that follows "
        "more often.",
    ),
    "calibration.png": (
        "Histogram of z",
        "Is the comparison fair? Most pairs have nothing to do with each other, so the grey bars should "
        "fill the dashed "
        "curve. If they reach wider, ordinary differences between persons look like findings.",
    ),
}

COLUMNS = (
    ("text_a", "After", "First code", False),
    ("text_b", "comes", "Second code", False),
    ("rr", "Relative risk", "How many times as often as in comparable persons", True),
    ("strength", "95 % interval", "Values the data do not speak against; the line in the middle is 1", False),
    ("q", "q-value", "Share of false findings among all that are at least this strong", True),
    ("O", "Persons", "In whom the second followed the first", True),
    ("order", "Order", "Which one tends to come first", False),
    ("lag", "Median lag", "Days until half of the second codes had come", True),
    (
        "replicated",
        "Replicated",
        "Found again in the locked half; where looked for, later and elsewhere",
        False,
    ),
)


KEYS = (
    "code_a", "text_a", "code_b", "text_b", "flags", "rr", "strength", "q", "O", "lag", "order", "replicated",
    "rr_text", "interval", "left", "width", "point", "q_text", "persons_text", "lag_text", "replicated_text",
)  # fmt: skip
"""Of a row, what the page's script needs."""


def pair_sections(view: View) -> tuple[Section, ...]:
    """The strongest pairs to sort and search, what comes before and after a code, and the pictures."""
    rows = table_rows(view.significant.slice(0, MOST_ROWS), view.calibration)
    content = {
        "columns": [
            {"key": k, "label": label, "about": about, "number": n} for k, label, about, n in COLUMNS
        ],
        "first": rows[:FIRST_ROWS],
        "total": view.significant.num_rows,
        "kept": len(rows),
        "threshold": view.threshold,
        "window": view.window,
    }
    table = Interactive("pairs", content, {key: [row[key] for row in rows] for key in KEYS})
    strongest = Section("patterns", "The strongest patterns", (table,))
    return (strongest, *browser_section(view), *picture_sections(view))


def table_rows(significant: pa.Table, calibration: Calibration | None) -> list[dict[str, Any]]:
    """Rows of the page's table: numbers to sort by and the words to show."""
    picked = significant.to_pylist()
    reach = max(
        (abs(math.log(_inside(row[name]))) for row in picked for name in ("rr_low", "rr_high")), default=1
    )
    reach = max(reach, math.log(2))
    rows = []
    for row in picked:
        low, high, rr = (_inside(row[name]) for name in ("rr_low", "rr_high", "rr"))
        place = {
            name: 50 + 48 * math.log(value) / reach
            for name, value in (("low", low), ("high", high), ("rr", rr))
        }
        fair = calibration is None or calibration.calibrated
        q = row["q_bh"] if fair or row["q_empirical"] is None else row["q_empirical"]
        rows.append(
            {
                **{name: row[name] or "" for name in ("code_a", "text_a", "code_b", "text_b")},
                "flags": flags(row),
                "rr": rounded(row["rr"]),
                "O": row["O"],
                "q": rounded(q),
                "replicated": row["replicated_person"],
                "strength": rounded(low if rr > 1 else 1 / high),
                "lag": rounded(row["lag_q50"]),
                "order": ORDER.get(row["direction"], HIDDEN),
                "rr_text": ratio(row["rr"]),
                "interval": f"{ratio(row['rr_low'])} to {ratio(row['rr_high'])}",
                "left": round(place["low"], 1),
                "width": round(place["high"] - place["low"], 1),
                "point": round(place["rr"], 1),
                "q_text": small_number(q),
                "persons_text": HIDDEN if row["O"] is None else f"{row['O']:,}",
                "lag_text": HIDDEN if row["lag_q50"] is None else days(row["lag_q50"]),
                "replicated_text": replicated(row),
            }
        )
    return rows


FOUND_AGAIN = {True: "yes", False: "no", None: "not tested"}


def replicated(row: Mapping[str, Any]) -> str:
    """Whether a pair was found again: among other persons and, where that was looked for, later and elsewhere."""
    more = {"later": row["replicated_time"], "elsewhere": row["replicated_site"]}
    asked = [f"{where}: {FOUND_AGAIN[found]}" for where, found in more.items() if found is not None]
    return "; ".join([FOUND_AGAIN[row["replicated_person"]], *asked])


def flags(row: Mapping[str, Any]) -> str:
    """The warnings of a row, among them that it is significant with a wash-out alone."""
    alone = "not significant without wash-out" if row["called_without_washout"] is False else ""
    return ", ".join(each for each in (row["flags"], alone) if each)


def _inside(value: float | None) -> float:
    """A ratio kept within what the interval bars can show."""
    return min(max(value if value is not None and math.isfinite(value) else 1.0, 0.02), 50.0)
