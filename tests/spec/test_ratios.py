"""The history of the benchmarks: lines are appended, and what became worse is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.ratios import COLUMNS, record


def test_figures_are_appended_with_their_commit_and_what_became_slower_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history = tmp_path / "benchmarks.csv"
    assert record("scan", "1000", {"scan / kernel": 2.0, "scan / join": 0.5}, history=history) == []
    assert record("scan", "9999", {"scan / kernel": 9.0}, history=history) == [], (
        "another size is another figure"
    )
    assert record("scan", "1000", {"scan / kernel": 2.5, "scan / join": 0.52}, history=history) == [
        "scan / kernel"
    ]
    assert "WORSE scan / kernel: 2.50, 2.00 at" in capsys.readouterr().out
    lines = history.read_text().splitlines()
    assert lines[0].split(",") == COLUMNS
    assert len(lines) == 6
    assert all(line.split(",")[1] for line in lines)


def test_a_figure_that_should_be_high_is_worse_when_lower(tmp_path: Path) -> None:
    history = tmp_path / "benchmarks.csv"
    record("mining", "", {"pyfim": 3.0}, "higher", history)
    assert record("mining", "", {"pyfim": 4.0}, "higher", history) == []
    assert record("mining", "", {"pyfim": 2.0}, "higher", history) == ["pyfim"]


def test_another_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="faster"):
        record("mining", "", {}, "faster", tmp_path / "benchmarks.csv")
