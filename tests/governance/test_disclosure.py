"""Small cells: every count of 1 to k−1 persons is hidden, and nothing that is left lets a reader work it out."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.products.pattern_kinds import kind_of
from experiments.products.patterns import PERSON_COUNTS
from lakehouse.errors import ConfigurationError
from lakehouse.governance.suppression.disclosure import Fact, Thresholds, check_pairs
from lakehouse.governance.suppression.totals import small_counts
from tests.support.pattern_tables import patterns

FACTS = kind_of("pair").facts

K = Thresholds()


def worlds(rows: list[tuple[int, int, int, int, int]]) -> pa.Table:
    """Both rows of unrelated pairs; each of ``rows`` is n_a, n_b, before, same day, after of one pair.

    ``rr`` is a function of O alone and ``direction_p`` of before and after, as for any reader who can
    compute.
    """
    a, b, counts = [], [], []
    for index, (n_a, n_b, before, same, after) in enumerate(rows):
        a += [2 * index, 2 * index + 1]
        b += [2 * index + 1, 2 * index]
        counts += [(n_a, n_b, before, same, after), (n_b, n_a, after, same, before)]
    n_a, n_b, before, same, after = (np.array(column) for column in zip(*counts, strict=True))
    names = pa.array([f"X//{code}" for code in range(2 * len(rows))])
    return pa.table(
        {
            "code_a": pa.DictionaryArray.from_arrays(pa.array(a, pa.int32()), names),
            "code_b": pa.DictionaryArray.from_arrays(pa.array(b, pa.int32()), names),
            "n_a": n_a, "n_b": n_b, "n_person": before + same + after, "n_before": before, "n_same_day": same,
            "n_after": after, "O": before, "E": np.full(len(a), 7.5), "rr": before / 7.5,
            "direction_p": before / (before + after + 0.5), "lag_q05": np.full(len(a), 3.0),
            "lag_q25": np.full(len(a), 3.0), "lag_q50": np.full(len(a), 3.0),
            "tested": np.ones(len(a), bool), "called": before > 7,
        }
    )  # fmt: skip


def first_row(row: tuple[int, int, int, int, int]) -> dict[str, object]:
    checked, _ = check_pairs(worlds([row]), FACTS, K)
    return dict(checked.to_pylist()[0])


def test_a_clean_row_comes_through_whole() -> None:
    row = first_row((500, 400, 120, 10, 60))
    assert row["O"] == 120 and row["n_after"] == 60 and row["n_same_day"] == 10 and row["n_person"] == 190
    assert row["rr"] == pytest.approx(16) and row["small_cell"] == ""


@pytest.mark.parametrize(
    ("row", "gone", "kept"),
    [
        pytest.param(
            (500, 400, 3, 0, 60), ("O", "E", "rr", "n_before", "n_person", "direction_p", "called", "lag_q50"),
            ("n_a", "n_b", "n_after", "n_same_day"), id="outcome",
        ),
        pytest.param(
            (500, 400, 60, 10, 3), ("n_after", "n_person", "direction_p"), ("O", "rr", "n_before", "n_same_day"),
            id="order",
        ),
        pytest.param((500, 400, 60, 3, 40), ("n_same_day", "n_person"), ("O", "rr", "n_before", "n_after"), id="day"),
        pytest.param((60, 400, 58, 0, 0), ("O", "rr", "n_before", "n_after", "n_person"), ("n_a",), id="complement"),
        pytest.param((60, 400, 60, 0, 0), ("O", "rr", "n_before"), ("n_a",), id="whole class"),
    ],
)  # fmt: skip
def test_a_small_cell_takes_with_it_what_gives_it_away(
    row: tuple[int, int, int, int, int], gone: tuple[str, ...], kept: tuple[str, ...]
) -> None:
    shown = first_row(row)
    assert [name for name in gone if shown[name] is not None] == []
    assert [name for name in kept if shown[name] is None] == []
    assert shown["small_cell"]


def test_a_relative_risk_as_high_as_it_can_be_says_that_everybody_had_the_outcome() -> None:
    table = worlds([(500, 400, 18, 0, 60)])
    for high, shown in ((2.4, None), (3.1, 18)):
        with_interval = table.append_column("rr_high", pa.array([high, high * 9]))
        assert with_interval["rr"][0].as_py() == pytest.approx(2.4)
        checked, _ = check_pairs(with_interval, FACTS, K)
        assert checked["O"][0].as_py() == shown and checked["n_after"][1].as_py() == shown


def test_the_reversed_row_hides_the_same_persons() -> None:
    checked, _ = check_pairs(worlds([(500, 400, 3, 0, 60)]), FACTS, K)
    forth, back = checked.to_pylist()
    assert forth["O"] is None and forth["n_before"] is None
    assert back["n_after"] is None and back["direction_p"] is None and back["O"] == 60


def test_a_count_that_nearly_equals_another_does_not_leave_beside_it() -> None:
    table = worlds([(500, 400, 60, 10, 40)])
    table = table.set_column(table.schema.get_field_index("O"), "O", pa.array([58, 40]))
    checked, record = check_pairs(table, FACTS, K)
    assert checked["O"][0].as_py() is None and checked["n_before"][0].as_py() is None
    assert "difference" in {hidden.rule for hidden in record.hidden}


@pytest.mark.parametrize(("n_a", "n_b"), [(11, 13), (9, 200), (14, 14), (300, 400)])
def test_no_reader_who_knows_the_rules_can_pin_down_a_small_count(n_a: int, n_b: int) -> None:
    """All small worlds at once: worlds that look alike after the check never agree on a count of 1 to 4.

    The reader knows the margins, the check itself, and every formula; counts are those of the row, their
    sums, and what they leave over of the margins.
    """
    span = range(8)
    rows = [
        (n_a, n_b, before, same, after)
        for before, same, after in product(span, span, span)
        if before + same + after <= min(n_a, n_b)
    ]
    checked, _ = check_pairs(worlds(rows), FACTS, K)
    hidden = [name for name in checked.column_names if name not in ("code_a", "code_b")]
    views = list(zip(*(checked.column(name).to_pylist() for name in hidden), strict=True))
    looks: dict[object, list[tuple[int, ...]]] = {}
    for index, (_, _, before, same, after) in enumerate(rows):
        sums = (before, same, after, before + same, before + after, same + after, before + same + after)
        secrets = (*sums, *(n_a - part for part in sums), *(n_b - part for part in sums))
        looks.setdefault((views[2 * index], views[2 * index + 1]), []).append(secrets)
    pinned = [
        values
        for worlds_alike in looks.values()
        for values in map(set, zip(*worlds_alike, strict=True))
        if len(values) == 1 and 0 < next(iter(values)) < K.persons
    ]
    assert pinned == []


def test_the_only_hidden_row_of_a_known_sum_does_not_stay_alone() -> None:
    """Σ_a O = Σ_a E over all first codes: with one O missing it is the difference."""
    codes = 5
    a, b = np.nonzero(~np.eye(codes, dtype=bool))
    observed = np.full(len(a), 40)
    observed[(a == 1) & (b == 0)] = 3
    observed[(a == 2) & (b == 0)] = 21
    after = np.array([observed[(a == y) & (b == x)][0] for x, y in zip(a, b, strict=True)])
    names = pa.array([f"X//{code}" for code in range(codes)])
    table = pa.table(
        {
            "code_a": pa.DictionaryArray.from_arrays(pa.array(a.astype(np.int32)), names),
            "code_b": pa.DictionaryArray.from_arrays(pa.array(b.astype(np.int32)), names),
            "n_a": np.full(len(a), 500), "n_b": np.full(len(a), 500), "n_person": observed + after + 20,
            "n_before": observed, "n_same_day": np.full(len(a), 20), "n_after": after, "O": observed,
            "E": observed + 0.0, "tested": np.ones(len(a), bool),
        }
    )  # fmt: skip
    checked, record = check_pairs(table, FACTS, K)
    missing = [(x, y) for x, y, o in zip(a, b, checked["O"].to_pylist(), strict=True) if o is None]
    assert missing == [(1, 0), (2, 0)], "the small one and, of the rest, the smallest"
    assert {hidden.rule: hidden.pairs for hidden in record.hidden}["remainder"] == 1


@pytest.mark.parametrize(("share", "needed"), [(0.05, 100), (0.25, 20), (0.5, 10), (0.75, 20), (0.95, 100)])
def test_a_quantile_needs_persons_beyond_it(share: float, needed: int) -> None:
    assert K.quantile_needs(share) == needed
    name = f"lag_q{round(share * 100):02d}"
    table = worlds([(900, 900, needed - 1, 0, 200), (900, 900, needed, 0, 200)])
    if name in table.column_names:
        checked, _ = check_pairs(table, FACTS, K)
        assert checked[name][0].as_py() is None and checked[name][2].as_py() == 3.0


def test_a_threshold_may_be_raised_and_never_lowered() -> None:
    assert K.raised(10) == Thresholds(10) and Thresholds(10).raised(5) == Thresholds(10)
    with pytest.raises(ConfigurationError, match="never lowered"):
        Thresholds(4)
    table = worlds([(500, 400, 8, 12, 60)])
    assert check_pairs(table, FACTS, K)[0]["O"][0].as_py() == 8
    assert check_pairs(table, FACTS, Thresholds(10))[0]["O"][0].as_py() is None


def test_untested_pairs_do_not_leave() -> None:
    table = worlds([(500, 400, 60, 10, 40)])
    table = table.set_column(table.schema.get_field_index("tested"), "tested", pa.array([True, False]))
    checked, record = check_pairs(table, FACTS, K)
    assert checked.num_rows == record.pairs == 1


def test_a_code_of_few_persons_leaves_no_row_and_no_name(tmp_path: Path) -> None:
    table = worlds([(900, 900, 200, 20, 150), (4, 400, 0, 0, 0)])
    checked, record = check_pairs(table, FACTS, K)
    assert checked.num_rows == 2 and (record.pairs, record.pairs_whole) == (4, 2)
    assert {hidden.rule: hidden.pairs for hidden in record.hidden}["margin"] == 2
    pq.write_table(checked, tmp_path / "checked.parquet", compression="none")
    content = (tmp_path / "checked.parquet").read_bytes()
    assert b"X//0" in content and b"X//2" not in content and b"X//3" not in content


def test_numbers_that_were_never_there_are_not_counted_as_hidden() -> None:
    table = worlds([(900, 900, 200, 3, 150)])
    empty = pa.nulls(2, pa.float64())
    table = table.set_column(table.schema.get_field_index("lag_q05"), "lag_q05", empty)
    _, record = check_pairs(table, FACTS, K)
    assert record.cells_hidden == 4, "the same day and the total, in both rows"


def test_the_record_holds_evidence_and_verdict() -> None:
    _, record = check_pairs(worlds([(900, 900, 200, 3, 150), (900, 900, 200, 20, 150)]), FACTS, K)
    assert (record.threshold, record.pairs, record.pairs_whole, record.cells_hidden) == (5, 4, 2, 4)
    assert record.verdict == "released without small cells"
    assert {hidden.rule: hidden.pairs for hidden in record.hidden}["same day"] == 2
    assert "fewer than 5 persons had both on one day" in {hidden.why for hidden in record.hidden}
    _, clean = check_pairs(worlds([(900, 900, 200, 20, 150)]), FACTS, K)
    assert clean.verdict == "clean" and clean.hidden == () and clean.cells_hidden == 0


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), threshold=st.sampled_from([5, 8, 10]))
def test_no_small_count_survives_in_a_realistic_table(seed: int, threshold: int) -> None:
    raw = patterns(14, persons=3_000, seed=seed, planted=6)
    checked, _ = raw.cleaned(Thresholds(threshold))
    assert small_counts(checked.table, PERSON_COUNTS, Thresholds(threshold)) == []
    frame = checked.table.to_pandas()
    dark = frame["O"].isna()
    estimates = [name for name, fact in FACTS.items() if fact in (Fact.OUTCOME, Fact.LAG)]
    assert frame.loc[dark, estimates].isna().all().all(), "an estimate outlived the count it is made of"
    assert frame.loc[frame["n_after"].isna(), ["direction", "direction_p", "n_person"]].isna().all().all()


def test_an_empty_table_passes() -> None:
    raw = patterns(14, persons=3_000, planted=1)
    checked, record = check_pairs(raw.table.slice(0, 0), FACTS, K)
    assert checked.num_rows == 0 and record.verdict == "clean"
