"""A small share of what ``make prove`` does with every kill: two kills, and that a difference would be seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.kill_ingest import Outcome, kill_and_compare


@pytest.mark.slow
def test_a_killed_ingest_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    outcome = kill_and_compare(2, 20_250_115, tmp_path)
    assert outcome.differing == ()
    assert outcome.kills == 2
    assert outcome.tables >= 18


def test_the_figure_names_what_differs() -> None:
    assert Outcome(3, 20, 4000, (), ()).line.endswith("20 tables, 4000 rows, equal")
    assert "DIFFERENT: gold/event" in Outcome(3, 20, 4000, ("gold/event",), ()).line
