"""The ledger of tests: each look at a study's data makes every later q-value dearer, and none is forgotten."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.products.base import Hypotheses
from experiments.products.patterns import Patterns
from experiments.run.hypothesis_ledger import enter, everything, over_everything
from lakehouse.errors import DataError
from tests.support.pattern_tables import code_names, meta, scan_table


def run(tmp_path: Path, **change: object) -> Patterns:
    """A run's patterns with q-values over the ledger."""
    codes, texts = code_names(40)
    raw = Patterns.from_scan(scan_table(40, seed=5), codes, texts, replace(meta(), **change))  # type: ignore[arg-type]
    made = over_everything(tmp_path, raw)
    assert isinstance(made, Patterns)
    return made


def column(patterns: Patterns, name: str) -> np.ndarray:
    tested = np.asarray(patterns.table.column("tested"))
    return np.asarray(patterns.table.column(name), dtype=float)[tested]


def test_the_first_run__pays_for_itself_alone(tmp_path: Path) -> None:
    patterns = run(tmp_path)
    log10_p = column(patterns, "log10_p")
    small = column(patterns, "q_study_bh") < 0.1
    m, order = len(log10_p), np.sort(log10_p)
    ranks = np.searchsorted(order, log10_p, side="right")
    assert np.all(
        column(patterns, "q_study_bh")[small] <= 10 ** log10_p[small] * m / ranks[small] * (1 + 1e-9)
    )
    assert everything(tmp_path).total == m


def test_the_same_run_again__tests_nothing_new_and_another_one_does(tmp_path: Path) -> None:
    first = run(tmp_path)
    again = run(tmp_path, run_id="another")
    assert np.array_equal(column(first, "q_study_bh"), column(again, "q_study_bh"))
    enter(tmp_path, Hypotheses(np.full(100_000, -0.5), ("mine_other",)))
    later = run(tmp_path)
    assert np.all(column(later, "q_study_bh") >= column(first, "q_study_bh"))
    assert column(later, "q_study_bh").min() > column(first, "q_study_bh").min()
    assert everything(tmp_path).total == len(column(first, "z")) + 100_000


def test_a_damaged_entry__is_refused_not_forgotten(tmp_path: Path) -> None:
    path = enter(tmp_path, Hypotheses(np.array([-3.0]), ("mine_pairs",)))
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(DataError, match="cannot be read"):
        everything(tmp_path)
