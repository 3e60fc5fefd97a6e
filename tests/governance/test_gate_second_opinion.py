"""The second opinion: asked where ACRO is installed, silent elsewhere, never about what it was not made for."""

from __future__ import annotations

import numpy as np
import pytest

from lakehouse.governance.output_gate import acro_opinion as second
from lakehouse.governance.output_gate.limits_and_verdict import Limits
from lakehouse.governance.output_gate.reasons import Rule
from lakehouse.governance.output_gate.tables import CountTable
from tests.support.leaks import table


def test_it_is_not_asked_about_hidden_rounded_or_other_tables() -> None:
    cells = np.array([[40, 3], [50, 60]])
    hidden = np.array([[False, True], [False, False]])
    assert second._cells(table(cells)) == {
        ("r0", "c0"): 40,
        ("r0", "c1"): 3,
        ("r1", "c0"): 50,
        ("r1", "c1"): 60,
    }
    assert second._cells(table(cells, hidden)) is None
    assert second._cells(table(cells, rounding=5)) is None
    assert second._cells(table(np.array([[40, 0], [50, 60]]))) is None
    assert second._cells(CountTable("t", {"g": ["a"]}, [3])) is None


def test_without_it_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second, "installed", lambda: False)
    assert second.second_opinion(table(np.array([[3, 40], [50, 60]])), Limits()) == []


@pytest.mark.skipif(not second.installed(), reason="ACRO is not installed (pip install 'patternlake[acro]')")
def test_it_agrees_on_small_cells() -> None:
    found = second.second_opinion(table(np.array([[3, 40], [50, 60]])), Limits())
    assert [one.rule for one in found] == [Rule.SECOND_OPINION] and "MinimumThresholdCheck" in found[
        0
    ].evidence
    assert second.second_opinion(table(np.array([[30, 9], [50, 60]])), Limits()) == []
    assert second.second_opinion(table(np.array([[7, 40], [50, 60]])), Limits().tightened(persons=10))
