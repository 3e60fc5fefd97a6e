"""Trajectories: codes in order, each persons' first of them after the one before, the last more often than expected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from experiments.analyses.trajectories.model import INPUT, OUTPUT, USED
from experiments.presentation.trajectory_browser import browser_section
from experiments.presentation.wording import (
    count,
    days,
    days_or_hidden,
    number,
    ratio,
    share,
    small_number,
    steps,
    verdict,
)
from experiments.products.base import ModelSpec, Section
from experiments.products.columns import column
from experiments.products.pattern_kinds import (
    PAIR_LIMITS,
    Kind,
    ReportColumn,
    View,
    picture_sections,
    table_section,
)
from lakehouse.governance.suppression.disclosure import DisclosureRecord, Fact, Thresholds
from lakehouse.governance.suppression.row_cells import check_rows

_I, _F, _D = pa.int32(), pa.float64(), pa.float32()

COLUMNS = (
    column("steps", _I, "", "Codes in the path."),
    column(
        "n_walked",
        _I,
        "persons",
        "Persons who walked all but the last code, not having that one yet.",
        Fact.MARGIN,
    ),
    column("share", _F, "", "Share of them who took the last step within the window.", Fact.OUTCOME),
    column("share_low", _F, "", "Lower end of its 95 % interval.", Fact.OUTCOME),
    column("share_high", _F, "", "Upper end of its 95 % interval.", Fact.OUTCOME),
    column(
        "within_year",
        _F,
        "",
        "Share who took it within a year, those seen for less time allowed for.",
        Fact.OUTCOME,
    ),
    column("within_year_low", _F, "", "Lower end of its 95 % interval.", Fact.OUTCOME),
    column("within_year_high", _F, "", "Upper end of its 95 % interval.", Fact.OUTCOME),
    column(
        "step_days", pa.list_(_D), "days", "Median days of every step, among those who made it.", Fact.OUTCOME
    ),
    column(
        "cluster", _I, "", "Number of the group of significant trajectories that share codes, 0 the largest."
    ),
)


def sentence(row: Mapping[str, Any]) -> str:
    """A trajectory in words."""
    before = {"items": row["items"][:-1], "texts": row["texts"][:-1]}
    last = {"items": row["items"][-1:], "texts": row["texts"][-1:]}
    lag = f", half of them within {days(row['lag_q50'])}" if row["lag_q50"] is not None else ""
    return (
        f"of {count(row['n_walked'])} persons who went {steps(before)}, {share(row['share'])} "
        f"({share(row['share_low'])} to {share(row['share_high'])}) went on to {steps(last)}{lag}: "
        f"{ratio(row['rr'])} times as many as expected ({ratio(row['rr_low'])} to {ratio(row['rr_high'])})"
    )


def tests(codes: int) -> str:
    """How many is known once the links are."""
    return f"all paths of up to 5 codes made of links among {codes * (codes - 1):,} ordered pairs of {codes:,} codes"


def longest_first(significant: pa.Table) -> NDArray[np.int64]:
    """Longer paths first, then by the lower end of the interval: a path of two codes is a pair of the pair scan.

    Returns numbers of rows [row] of ``significant``.
    """
    low = np.nan_to_num(np.asarray(significant.column("rr_low"), dtype=float))
    return np.lexsort((-low, -np.asarray(significant.column("steps"))))


def check(
    table: pa.Table, facts: Mapping[str, Fact], thresholds: Thresholds
) -> tuple[pa.Table, DisclosureRecord]:
    """The general check; besides, a path whose walkers differ by few from those of its beginning does not leave.

    The difference are persons who had the last code too early.
    """
    walked = np.asarray(pc.fill_null(table.column("n_walked"), 0))
    persons = np.asarray(pc.fill_null(table.column("n_person"), 0))
    first = np.asarray(pc.fill_null(table.column("n_a"), 0))
    paths = [tuple(each) for each in table.column("items").to_pylist()]
    reached = dict(zip(paths, persons.tolist(), strict=True))
    before = np.array(
        [reached.get(path[:-1], int(n)) for path, n in zip(paths, first, strict=True)], np.int64
    )
    near = before.reshape(len(paths)) - walked
    return check_rows(table, facts, thresholds, also=(near > 0) & (near < thresholds.persons))


def draw(checked: pa.Table, significant: pa.Table, *given: Any) -> dict[str, bytes]:
    """All steps of the significant trajectories put together, and the calibration of the links."""
    from experiments.presentation.figures import calibration, png
    from experiments.presentation.network import chart

    edges: dict[tuple[str, str], dict[str, Any]] = {}
    for row in significant.to_pylist():
        ends = zip(row["items"][-2:], row["texts"][-2:], strict=True)
        (a, text_a), (b, text_b) = ends
        facts = {"code_a": a, "text_a": text_a, "code_b": b, "text_b": text_b, "rr": row["rr"]}
        if row["rr"] is not None:
            edges.setdefault((a, b), facts)
    names = {
        "code_a": pa.string(),
        "text_a": pa.string(),
        "code_b": pa.string(),
        "text_b": pa.string(),
        "rr": _F,
    }
    pictures = {"network.png": png(chart(pa.Table.from_pylist(list(edges.values()), pa.schema(names))))}
    if len(given) == 2 and given[1] is not None:
        pictures["calibration.png"] = png(calibration(*given))
    return pictures


def example(significant: pa.Table) -> dict[str, list[Any]]:
    """An invented person who walked the strongest path but for its last step."""
    codes = significant.column("items")[0].as_py()[:-1]
    return {
        "person": ["an invented person"] * len(codes),
        "code": codes,
        "day": [30 * n for n in range(len(codes))],
    }


def _with_interval(row: Mapping[str, Any], name: str, words: Callable[[float | None], str]) -> str:
    return f"{words(row[name])} ({words(row[name + '_low'])} to {words(row[name + '_high'])})"


SHOWN = (
    ReportColumn("items", "Trajectory", "First events in order", steps),
    ReportColumn(
        "n_walked", "Came this far", "All but the last step", lambda row: count(row["n_walked"]), True
    ),
    ReportColumn("n_person", "Went on", "Took the last step too", lambda row: count(row["n_person"]), True),
    ReportColumn(
        "share", "Share going on", "95 % interval", lambda row: _with_interval(row, "share", share), True
    ),
    ReportColumn(
        "within_year",
        "Within a year",
        "Those seen for less allowed for",
        lambda row: share(row["within_year"]),
        True,
    ),
    ReportColumn(
        "rr",
        "Relative risk of the last step",
        "95 % interval",
        lambda row: _with_interval(row, "rr", ratio),
        True,
    ),
    ReportColumn("q", "q-value", "Share of false findings", lambda row: small_number(row["q_bh"]), True),
    ReportColumn("lag", "Median lag", "Of the last step", lambda row: days_or_hidden(row["lag_q50"]), True),
    ReportColumn(
        "replicated", "Replicated", "In the locked half", lambda row: verdict(row["replicated_person"])
    ),
    ReportColumn("cluster", "Group", "Trajectories that share codes", lambda row: number(row["cluster"])),
)

CAPTIONS = {
    "network.png": (
        "Network of the trajectories' steps",
        "All steps of the significant trajectories put together: an arrow leads from a code to the one that follows it.",
    ),
    "calibration.png": (
        "Histogram of z of all ordered pairs",
        "Is the comparison fair that the steps were chosen by? Most pairs have nothing to do with each other, so the "
        "grey bars should fill the dashed curve. If they reach wider, ordinary differences between persons look like "
        "findings.",
    ),
}


def trajectory_sections(view: View) -> tuple[Section, ...]:
    """Table, browser from step to step, and pictures."""
    return (table_section(view), *browser_section(view), *picture_sections(view))


KIND = Kind(
    name="trajectory",
    one="trajectory",
    many="trajectories",
    asked="those who walked all but the last step take it more often than comparable persons on comparable days",
    required=frozenset({"items", "window", "steps", "n_a", "n_walked", "n_person", "O", "E"}),
    sentence=sentence,
    tests=tests,
    about=(
        "Each row is a chain of first events, each after the one before and within the window. The share says how "
        "many of those who came as far as the last step but one went on; the relative risk compares that with "
        "comparable persons on comparable days (same sex, five-year age group, calendar year, number of earlier "
        "events, kind of place). The longest come first."
    ),
    shown=SHOWN,
    columns=COLUMNS,
    check=check,
    order=longest_first,
    draw=draw,
    captions=CAPTIONS,
    sections=trajectory_sections,
    limits=(
        "A trajectory counts first events only, and only persons who had every step. That many walk it does not say "
        "that one step brings about the next.",
        *PAIR_LIMITS,
    ),
    model=ModelSpec(
        module="analyses/trajectories/model.py",
        name="trajectory_set",
        about="What came next for those who walked a way",
        inputs=INPUT,
        outputs=OUTPUT,
        columns=USED,
        needs=("share", "n_person", "n_walked"),
        example=example,
    ),
)
