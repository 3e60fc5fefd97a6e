"""Side effects: an event after a medicine more often than expected, by at least two designs that err differently."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from experiments.presentation.wording import (
    HIDDEN,
    count,
    days_or_hidden,
    named,
    ratio,
    small_number,
    verdict,
)
from experiments.products.columns import WORD, column
from experiments.products.pattern_kinds import RECORDED, REPLICATION, Kind, ReportColumn
from lakehouse.governance.suppression.disclosure import DisclosureRecord, Fact, Thresholds
from lakehouse.governance.suppression.row_cells import check_rows

_I, _F = pa.int32(), pa.float64()
_O = Fact.OUTCOME

COLUMNS = (
    column(
        "designs",
        pa.float32(),
        "",
        "Designs (matched cohort, symmetry, self-controlled cohort) that see the effect alone.",
        _O,
    ),
    column("ssa_first", _I, "persons", "Medicine first, at most w days before the event.", _O),
    column("ssa_second", _I, "persons", "Event first, at most w days before the medicine.", _O),
    column("ssa_same_day", _I, "persons", "Both first on the same day.", _O),
    column("ssa_low", _F, "", "Lower end of the adjusted sequence ratio's 95 % interval.", _O),
    column("ssa_high", _F, "", "Upper end of it.", _O),
    column("scc", _F, "", "Self-controlled cohort: rate after the start over the rate before.", _O),
    column("scc_low", _F, "", "Lower end of its 95 % interval.", _O),
    column("scc_high", _F, "", "Upper end of it.", _O),
    column("scc_after", _I, "persons", "First events in the days after the start that are compared.", _O),
    column("scc_before", _I, "persons", "First events in as many days before it.", _O),
    column(
        "sccs",
        _F,
        "",
        "Case series: incidence ratio of the risk window, age allowed for; shortlist alone.",
        _O,
    ),
    column("sccs_low", _F, "", "Lower end of its 95 % interval.", _O),
    column("sccs_high", _F, "", "Upper end of it.", _O),
    column("ictpd", _F, "bits", "Temporal information component of the best risk window.", _O),
    column("ictpd025", _F, "bits", "Lower end of its 95 % interval.", _O),
    column("ictpd_window", WORD, "days", "The risk window with the largest lower end.", _O),
    column("ictpd_p", _F, "", "p of the best window, corrected for having chosen it.", _O),
    column("ebgm", _F, "", "Empirical-Bayes geometric mean of O/E.", _O),
    column("eb05", _F, "", "Lower end of its 90 % interval.", _O),
    column("eb95", _F, "", "Upper end of it.", _O),
    column("tree_ratio", _F, "", "Log-likelihood ratio of a branch pair; branches alone.", _O),
    column("tree_p", _F, "", "p of it, one error rate over all branches of both trees.", _O),
)


def sentence(row: Mapping[str, Any]) -> str:
    """A side effect in words, by its designs."""
    return (
        f"after {named(row, 'a')}, {named(row, 'b')} came {_interval(row, 'rr')} times as often as in comparable "
        f"persons ({count(row['O'])} persons); among those who had both, the medicine came first "
        f"{ratio(row['asr'])} times as often as trends would have it ({ratio(row['ssa_low'])} to "
        f"{ratio(row['ssa_high'])}); in the weeks after the start it was {_interval(row, 'scc')} times as frequent as before"
    )


def tests(codes: int) -> str:
    """How many pairs."""
    return f"every medicine with every event of {codes:,} codes, by three designs and three measures"


def by_agreement(significant: pa.Table) -> NDArray[np.int64]:
    """Pairs that more designs see first, then the smallest p.

    Returns numbers of rows [row] of ``significant``.
    """
    p = np.nan_to_num(np.asarray(significant.column("log10_p"), dtype=float))
    return np.lexsort((p, -np.asarray(pc.fill_null(significant.column("designs"), 0))))


def check(
    table: pa.Table, facts: Mapping[str, Fact], thresholds: Thresholds
) -> tuple[pa.Table, DisclosureRecord]:
    """The general check; windows lie within one another, so a row hides when two counts of it differ by few."""
    k = thresholds.persons
    return check_rows(table, facts, thresholds, also=_near(table, k))


def _near(table: pa.Table, k: int) -> NDArray[np.bool_]:
    """Rows in which a count of a shorter window is 1 to k−1 less than that of a longer one around it."""
    of = {
        name: np.asarray(pc.fill_null(table.column(name), 0)).astype(np.int64)
        for name in ("O", "ssa_first", "ssa_second", "scc_after", "scc_before", "n_before", "n_after")
    }
    nested = (("scc_after", "ssa_first"), ("scc_before", "ssa_second"), ("ssa_first", "O"), ("ssa_first", "n_before"),
              ("ssa_second", "n_after"), ("scc_after", "O"))  # fmt: skip
    near = np.zeros(table.num_rows, bool)
    for inner, outer in nested:
        difference = of[outer] - of[inner]
        near |= (of[inner] > 0) & (difference > 0) & (difference < k)
    return near


def _interval(row: Mapping[str, Any], name: str) -> str:
    return f"{ratio(row[name])} ({ratio(row[name + '_low'])} to {ratio(row[name + '_high'])})"


def _sequence(row: Mapping[str, Any]) -> str:
    return f"{ratio(row['asr'])} ({ratio(row['ssa_low'])} to {ratio(row['ssa_high'])})"


def _of_three(value: float | None) -> str:
    return HIDDEN if value is None else f"{value:.0f}"


def _bits(value: float | None) -> str:
    return HIDDEN if value is None else f"{value:.2f}"


def _code(side: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda row: named(row, side)


SHOWN = (
    ReportColumn("text_a", "After", "Medicine", _code("a")),
    ReportColumn("text_b", "comes", "Event", _code("b")),
    ReportColumn(
        "designs", "Designs", "Of three, how many see it alone", lambda row: _of_three(row["designs"]), True
    ),
    ReportColumn(
        "rr", "Matched cohort", "Relative risk, 95 % interval", lambda row: _interval(row, "rr"), True
    ),
    ReportColumn("asr", "Symmetry", "Adjusted sequence ratio, 95 % interval", _sequence, True),
    ReportColumn(
        "scc",
        "Self-controlled",
        "Rate ratio after/before, 95 % interval",
        lambda row: _interval(row, "scc"),
        True,
    ),
    ReportColumn(
        "sccs", "Case series", "Incidence ratio, 95 % interval", lambda row: _interval(row, "sccs"), True
    ),
    ReportColumn("ictpd", "Temporal IC025", "Lower end, bits", lambda row: _bits(row["ictpd025"]), True),
    ReportColumn("eb05", "EB05", "Empirical Bayes, lower end", lambda row: ratio(row["eb05"]), True),
    ReportColumn("O", "Persons", "With the event after the medicine", lambda row: count(row["O"]), True),
    ReportColumn("q", "q-value", "That two designs see it", lambda row: small_number(row["q_bh"]), True),
    ReportColumn(
        "calibrated",
        "Calibrated p",
        "Against negative controls",
        lambda row: small_number(row["calibrated_p"]),
        True,
    ),
    ReportColumn(
        "lag", "Median lag", "Days until half had come", lambda row: days_or_hidden(row["lag_q50"]), True
    ),
    ReportColumn(
        "replicated", "Replicated", "In the locked half", lambda row: verdict(row["replicated_person"])
    ),
    ReportColumn("flags", "Warnings", "", lambda row: row["flags"] or "none"),
)

KIND = Kind(
    name="side_effect",
    one="medicine-event pair",
    many="medicine-event pairs",
    asked="at least two of three designs that err differently see the event more often after the medicine",
    required=frozenset(
        {"code_a", "code_b", "n_a", "n_b", "O", "E", "asr", "nsr", "scc", "ssa_first", "ssa_second"}
    ),
    sentence=sentence,
    tests=tests,
    needs=("rr", "asr", "scc"),
    shown=SHOWN,
    about=(
        "Each row is a medicine and an event after it. The matched cohort compares with comparable persons on "
        "comparable days; symmetry asks which of the two comes first, beyond calendar trends; the self-controlled "
        "cohort and the case series compare a person's days after the start with their other days. A finding needs "
        "two of the first three (the q-value is of that). Rows flagged 'branch' are groups of codes that are hit "
        "together (scan over the ATC and ICD-10 trees, one error rate for all; no numbers of persons are given)."
    ),
    columns=COLUMNS,
    check=check,
    order=by_agreement,
    limits=(
        "A medicine is given for a reason, and the reason may bring the event (indication); events that bring the "
        "medicine are flagged 'protopathic', not left out.",
        "Only first dispensings and first events count; what a person took and for how long is not known here.",
        "The matched cohort compares with persons of the same sex, age group, calendar time, number of earlier events and "
        "kind of place of treatment; the other designs compare a person with themselves, so what does not change in a "
        "person cannot mislead them, and what changes can.",
        RECORDED,
        REPLICATION,
    ),
)
