"""Care that goes otherwise: a treatment, in persons with an earlier diagnosis, and an outcome nobody would expect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.presentation.wording import count, named, ratio, small_number, steps
from experiments.products.pattern_kinds import (
    COMPARABLE,
    FIRST_TIMES,
    RECORDED,
    REPLICATION,
    Kind,
    ReportColumn,
)


def sentence(row: Mapping[str, Any]) -> str:
    """A treatment in a group and its outcome."""
    return (
        f"after {named(row, 'a')}, persons with {steps(row)} met {named(row, 'b')} {ratio(row['rr'])} times as often "
        f"as the treatment and the illness alone let expect (95 % interval {ratio(row['rr_low'])} to "
        f"{ratio(row['rr_high'])}; {count(row['n_person'])} persons)"
    )


KIND = Kind(
    name="care",
    one="treatment in a group of persons",
    many="treatments in groups of persons",
    asked="the outcome follows otherwise than the treatment and the group alone let expect",
    required=frozenset({"code_a", "code_b", "items", "n_a", "n_person", "O", "E", "rr", "tested", "called"}),
    sentence=sentence,
    tests=lambda codes: "frequent treatments by frequent earlier diagnoses by outcomes",
    needs=("rr", "n_person"),
    shown=(
        ReportColumn("code_a", "Treatment", "First time a person had it.", lambda row: named(row, "a")),
        ReportColumn("items", "In persons with", "Diagnosed on an earlier day.", steps),
        ReportColumn("code_b", "Outcome", "What followed.", lambda row: named(row, "b")),
        ReportColumn(
            "n_person", "Persons", "At risk of the outcome.", lambda row: count(row["n_person"]), True
        ),
        ReportColumn(
            "rr",
            "Ratio",
            "Outcomes seen over those both margins let expect, with 95 % interval.",
            lambda row: f"{ratio(row['rr'])} ({ratio(row['rr_low'])}–{ratio(row['rr_high'])})",
            True,
        ),
        ReportColumn(
            "q_bh", "q", "Share of false findings at this level.", lambda row: small_number(row["q_bh"]), True
        ),
    ),
    limits=(
        "Expected is what would follow if the effects of treatment and illness multiplied; a ratio is a place to "
        "look, since an illness may also be the reason why the treatment was chosen late or early.",
        COMPARABLE,
        FIRST_TIMES,
        RECORDED,
        REPLICATION,
    ),
)
