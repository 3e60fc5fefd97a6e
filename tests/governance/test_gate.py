"""Attack group C against the output gate: seeded disclosive outputs caught, clean ones passed, its parts against oracles."""

from __future__ import annotations

import secrets
import time
from dataclasses import fields
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lakehouse.errors import ConfigurationError, DisclosureRefused
from lakehouse.governance.output_gate.gate import judge, verdict
from lakehouse.governance.output_gate.limits_and_verdict import TIGHTER_WHEN_LOWER, Limits
from lakehouse.governance.output_gate.memory import Memory, group_differences
from lakehouse.governance.output_gate.patterns import PatternSet
from lakehouse.governance.output_gate.reasons import REASONS, Rule
from lakehouse.governance.output_gate.tables import CountTable, Rate
from tests.oracles.hidden_cells import ranges
from tests.support.gate_loads import wide_table
from tests.support.gate_runs import through_the_gate, verdicts
from tests.support.leaks import CLEAN, LEAKS, Maker, exactly, support, table

SEED = secrets.randbits(40)


@pytest.mark.parametrize("maker", LEAKS, ids=lambda maker: maker.__name__)
def test_disclosive_outputs__are_caught(maker: Maker) -> None:
    passed, _ = verdicts([maker], 12, SEED)
    assert passed == 0, f"{maker.__name__} got through with seed {SEED}"


@pytest.mark.parametrize("maker", CLEAN, ids=lambda maker: maker.__name__)
def test_clean_outputs__pass(maker: Maker) -> None:
    passed, failed = verdicts([maker], 12, SEED)
    assert passed == 12, f"{failed} stopped with seed {SEED}"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_hidden_cells__are_judged_as_by_trying_every_table(data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(2, 3)), data.draw(st.integers(2, 3))
    cells = np.array(data.draw(st.lists(st.integers(0, 9), min_size=rows * columns, max_size=rows * columns)))
    cells = cells.reshape(rows, columns)
    hidden = np.zeros(cells.shape, bool)
    for at in data.draw(st.lists(st.integers(0, rows * columns - 1), min_size=1, max_size=4, unique=True)):
        hidden.flat[at] = True
    k = 3
    known = ranges(cells, hidden)
    exposed = any(high - low < k and low < k and high >= 1 for low, high in known.values())
    asked = table(np.where(hidden, cells, cells + 0), hidden)
    found = [one.rule for one in CountTable(asked.name, asked.dimensions, asked.counts).judge(loose(k))]
    assert (Rule.RECOVERABLE in found) == exposed, (cells, hidden, known)


def loose(k: int) -> Limits:
    """Limits below the floor, for tables small enough to try by hand."""
    limits = Limits()
    object.__setattr__(limits, "persons", k)
    return limits


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 4))
def test_item_sets__are_judged_as_by_counting_persons(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    has = rng.random((int(rng.integers(20, 120)), size)) < rng.uniform(0.2, 0.8, size)
    patterns = [p for n in range(1, size + 1) for p in combinations(range(size), n)]
    supports = [support(has, p) for p in patterns]
    true = [
        exactly(has, inside, tuple(set(whole) - set(inside)))
        for whole in patterns for n in range(1, len(whole)) for inside in combinations(whole, n)
    ]  # fmt: skip
    few = any(0 < n < 5 for n in [*true, *supports])
    assert verdict([PatternSet("sets", patterns, supports)]).passed != few


def test_a_complete_set__bounds_what_was_left_out() -> None:
    closed = PatternSet("closed", [("a",), ("b",), ("a", "b", "c")], [60, 80, 57])
    assert Rule.PATTERN in verdict([closed]).rules
    assert verdict([PatternSet("free", [("a",), ("b",)], [60, 80], complete_from=5)]).passed


def test_a_table_of_ten_thousand_cells__takes_two_seconds_at_most() -> None:
    asked = wide_table(SEED)
    began = time.perf_counter()
    found = asked.judge(Limits())
    assert time.perf_counter() - began <= 2.0 and not [one for one in found if one.rule is Rule.SMALL_CELL]


def test_three_dimensions__are_held_together() -> None:
    """A cell hidden in the full table, given back by a two-way margin of it."""
    sexes, ages, places = ("m", "f", "all"), ("young", "old", "all"), ("n", "s", "all")
    rng = np.random.default_rng(5)
    full = {(s, a, p): int(rng.integers(20, 90)) for s in "mf" for a in ages[:2] for p in "ns"}
    full["m", "young", "n"] = 3
    rows = []
    for s in sexes:
        for a in ages:
            for p in places:
                fits = [
                    n
                    for (x, y, z), n in full.items()
                    if s in (x, "all") and a in (y, "all") and p in (z, "all")
                ]
                rows.append((s, a, p, None if (s, a, p) == ("m", "young", "n") else sum(fits)))
    dimensions = {name: [row[i] for row in rows] for i, name in enumerate(("sex", "age", "place"))}
    record = verdict([CountTable("cube", dimensions, [row[3] for row in rows])])
    assert record.rules == {Rule.RECOVERABLE} and "between 3 and 3" in record.findings[0].evidence


def test_a_group_wholly_in_one_sensitive_category__is_told() -> None:
    cells = np.array([[40, 0], [30, 25]])
    assert verdict([table(cells)]).passed
    assert verdict([table(cells, sensitive=("group",))]).rules == {Rule.CLASS}


def test_differences__no_group_is_given_away_that_is_not() -> None:
    """What the gate calls a difference is one: brute force over small sums of released groups."""
    rng = np.random.default_rng(SEED)
    for _ in range(30):
        persons = np.arange(40, dtype=np.uint64)
        groups = {f"g{i}": persons[rng.random(40) < 0.5] for i in range(3)}
        inside = np.array([np.isin(persons, one) for one in groups.values()]).astype(int)
        small = False
        for weights in np.array(np.meshgrid(*[[-2, -1, 0, 1, 2]] * 3)).reshape(3, -1).T:
            left = weights @ inside
            small |= set(np.unique(left)) <= {0, 1} and 0 < left.sum() < 5
        told = group_differences(groups, [], 5)
        assert not small or told, "a small sum was missed"


def test_memory__holds_no_clear_value(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory", tmp_path / "key")
    persons = [f"person-{i}" for i in range(50)]
    memory.remember(
        "r1",
        "s",
        {"ICD10//I21 then ICD10//I50": 4711},
        memory.commit(persons),
        {"women": memory.commit(persons)},
    )
    stored = b"".join(path.read_bytes() for path in (tmp_path / "memory").iterdir())
    with np.load(tmp_path / "memory" / "r1.npz") as kept:
        assert 4711 not in kept["padded"] and "women" not in kept["set_names"]
    assert b"I21" not in stored and b"person-1" not in stored and b"women" not in stored
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0
    other = Memory(tmp_path / "memory", tmp_path / "other-key")
    said = other.judge("x", "s", {"ICD10//I21 then ICD10//I50": 4712}, Limits())
    assert said == [], "without the key nothing can be compared"
    assert memory.judge("x", "s", {"ICD10//I21 then ICD10//I50": 4712}, Limits())


def test_limits__may_be_tightened_and_never_loosened() -> None:
    for each in fields(Limits):
        value = getattr(Limits(), each.name)
        stricter, looser = (
            (value * 0.5, value * 2) if each.name in TIGHTER_WHEN_LOWER else (value * 2, value * 0.5)
        )
        assert getattr(Limits().tightened(**{each.name: stricter}), each.name) == type(value)(stricter)
        with pytest.raises(ConfigurationError, match="tightened, never loosened"):
            Limits().tightened(**{each.name: looser})
    assert Limits().tightened(persons=None) == Limits()
    with pytest.raises(ConfigurationError, match="no limit called"):
        Limits().tightened(colour=3)
    assert not verdict([table(np.full((2, 2), 9))], persons=10).passed


def test_reasons__are_in_english_and_danish_for_every_rule() -> None:
    assert set(REASONS) == set(Rule)
    for reason in REASONS.values():
        assert reason.en != reason.da and reason.en.endswith(".") and reason.da.endswith(".")
    record = verdict([table(np.array([[3, 40], [50, 60]]))])
    assert "færre end 5 personer" in record.describe("da") and "fewer than 5 persons" in record.describe()


def test_a_refusal__says_what_why_and_what_next() -> None:
    with pytest.raises(DisclosureRefused, match=r"fewer than 5 persons.*ask again") as refusal:
        verdict([table(np.array([[3, 40], [50, 60]]))]).require()
    assert refusal.value.exit_code == 13
    assert judge([], Limits()).passed


def test_evidence__stays_inside() -> None:
    record = verdict([table(np.array([[3, 40], [50, 60]]))])
    assert "evidence" not in record.as_dict(evidence=False)["findings"][0]
    assert "3" in record.as_dict(evidence=True)["findings"][0]["evidence"]


def test_every_maker_of_leaks__is_caught_for_its_own_reason(tmp_path: Path) -> None:
    wanted = {"small_cell": Rule.SMALL_CELL, "missing_category": Rule.MISSING_CATEGORY, "one_hidden": Rule.RECOVERABLE,
              "hidden_by_three": Rule.RECOVERABLE, "closed_sets": Rule.PATTERN, "sequences": Rule.SEQUENCE,
              "survival": Rule.SURVIVAL, "differencing": Rule.DIFFERENCING, "salami": Rule.SALAMI}  # fmt: skip
    for maker in LEAKS:
        if maker.__name__ in wanted:
            (tmp_path / maker.__name__).mkdir()
            case = maker(np.random.default_rng(SEED), tmp_path)
            assert wanted[maker.__name__] in through_the_gate(case, tmp_path / maker.__name__).rules, (
                case.what
            )


def test_a_confidence_of_few_letters__is_no_shelter() -> None:
    """196 of 200 is 0.98 to any number of decimals: the four without are given away by it."""
    from lakehouse.governance.output_gate.patterns import AssociationRule

    def rules(*confidences: float) -> PatternSet:
        given = [AssociationRule((f"a{i}",), ("b",), 196, one) for i, one in enumerate(confidences)]
        return PatternSet("rules", [], [], rules=given)

    assert not verdict([rules(0.98)]).passed
    assert not verdict([rules(0.98, 0.654321)]).passed
    assert verdict([rules(0.8)]).passed and verdict([rules(0.951456)]).passed


@given(st.lists(st.floats(0.001, 100), min_size=2, max_size=6), st.integers(2, 6), st.booleans())
def test_a_published_number__may_be_as_far_off_as_its_column_is_rounded(
    values: list[float], digits: int, significant: bool
) -> None:
    """Rounded to decimals or to significant digits, the number before rounding lies within the reach.

    A whole number is taken for known to its last digit, which errs on the side of refusing.
    """
    from lakehouse.governance.output_gate.limits_and_verdict import reaches

    shown = [float(f"{value:.{digits}g}") if significant else round(value, digits) for value in values]
    assume(not significant or max(shown) < 10**digits)
    for value, one, reach in zip(values, shown, reaches(shown, digits), strict=True):
        assert abs(value - one) <= reach * (1 + 1e-6)
        assert one == 0 or reach <= 0.5 * 10.0 ** -(len(f"{one:.12f}".rstrip("0").partition(".")[2])) * (
            1 + 1e-6
        )


def test_a_rate_s_last_zeros_are_read_off_its_column() -> None:
    """0.6 beside 0.333333 is 0.600000, and so not 145 of 245; alone it may be."""

    def table_of(*rates: float) -> CountTable:
        shown = Rate(list(rates), [245, 90], parts=[145, 30])
        return CountTable("t", {"group": ["a", "b"]}, [245, 90], rounding=5, rates={"share": shown})

    assert Rule.UNROUNDED_RATE in verdict([table_of(0.6, 0.333333)]).rules
    assert verdict([table_of(0.6, 0.3)]).passed
    assert verdict([table_of(0.591837, 0.333333)]).passed
