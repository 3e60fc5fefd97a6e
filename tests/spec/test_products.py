"""Products: what one must keep to; indicator tables against a plain oracle; named lists that nobody shows."""

from __future__ import annotations

import random
import secrets
from pathlib import Path

import pyarrow as pa
import pytest

from experiments.products.base import Audience, ProductKind, require_given
from experiments.products.indicators import (
    CUTS,
    EVERYBODY,
    INDICATORS,
    PARTITIONS,
    SCHEMA,
    Indicators,
    without_small_cells,
)
from experiments.products.named_list import NAMED_LIST, NamedList
from experiments.products.named_list import SCHEMA as LISTED
from experiments.products.patterns import patterns as gives_patterns
from experiments.report.context import ReportContext
from experiments.report.page import render
from lakehouse.errors import DataError, DisclosureRefused
from lakehouse.governance.output_gate.folder import open_folder
from lakehouse.governance.output_gate.gate import judge
from lakehouse.governance.output_gate.limits_and_verdict import Limits
from lakehouse.governance.suppression.disclosure import Thresholds
from tests.support.pattern_tables import patterns, scope_like

Rows = list[tuple[str, str, str, str, int, int]]


def counted(seed: int) -> tuple[Rows, int]:
    """A world of persons with codes, sexes, places and years, counted the slow way."""
    draw = random.Random(seed)
    persons = draw.choice([60, 300, 2_000])
    codes = [f"ICD10//{letter}{n:02d}" for letter in "AB" for n in range(draw.randint(1, 5))]
    have: dict[tuple[str, str, str], dict[int, int]] = {}
    for person in range(persons):
        facts = {
            "sex": draw.choice("FFFM"),
            "place": draw.choice(["0101", "0101", "0101", "0265", "0265", "0461"]),
        }
        for code in codes:
            if draw.random() < 0.25:
                for _ in range(draw.randint(1, 3)):
                    year = draw.choice([2015, 2016, 2016, 2017])
                    cuts = {EVERYBODY: EVERYBODY, "year": str(year), "age": f"{year - 1960:02d}", **facts}
                    for by, value in cuts.items():
                        groups = have.setdefault((code, by, value), {})
                        groups[person] = groups.get(person, 0) + 1
    rows = [
        (code, "", by, value, len(found), sum(found.values()))
        for (code, by, value), found in sorted(have.items())
    ]
    return rows, persons


def table_of(rows: Rows) -> pa.Table:
    return pa.table([list(column) for column in zip(*rows, strict=True)], schema=SCHEMA)


@pytest.mark.parametrize("time", range(25))
def test_no_group_of_few_can_be_read_or_worked_out(time: int) -> None:
    seed = secrets.randbelow(2**31)
    rows, persons = counted(seed)
    k = random.Random(seed).choice([5, 10])
    clean, record = without_small_cells(table_of(rows), persons, Thresholds(k))
    shown = {(r["code"], r["by"], r["value"]): r["persons"] for r in clean.to_pylist()}
    whole = {code: n for code, _, by, _, n, _ in rows if by == EVERYBODY}
    for code, _, by, value, n, _ in rows:
        told = shown.get((code, by, value))
        assert told is None or (told == n and n >= k), (seed, code, by, value)
        if whole[code] < k or 0 < persons - whole[code] < k:
            assert (code, by, value) not in shown, (seed, "not even the name leaves")
    for code in {code for code, _, _ in shown}:
        for by in PARTITIONS:
            hidden = [n for c, _, b, v, n, _ in rows if (c, b) == (code, by) and shown[c, b, v] is None]
            alone = len([1 for c, b, _ in shown if (c, b) == (code, by)]) == len(hidden)
            assert not hidden or alone or (len(hidden) > 1 and sum(hidden) >= 2 * k), (seed, code, by)
    assert record.cells_hidden == 2 * sum(n is None for n in shown.values())
    events = {(r["code"], r["by"], r["value"]): r["events"] for r in clean.to_pylist()}
    assert all((events[key] is None) == (n is None) for key, n in shown.items()), "both numbers or none"


@pytest.mark.parametrize("time", range(8))
def test_the_output_gate_agrees_with_the_suppression(time: int, tmp_path: Path) -> None:
    seed = secrets.randbelow(2**31)
    rows, persons = counted(seed)
    checked = Indicators(table_of(rows), persons).check(Thresholds())
    for name, write in checked.files.items():
        write(tmp_path / name)
    import json

    (tmp_path / "outputs.json").write_text(json.dumps({n: dict(a) for n, a in checked.described.items()}))
    verdict = judge(open_folder(tmp_path).outputs, Limits())
    assert verdict.passed, (seed, verdict)
    assert set(checked.files) == {f"indicators_by_{cut}.parquet" for cut in CUTS[1:]}


def test_an_indicator_table_comes_back_as_it_was(tmp_path: Path) -> None:
    rows, persons = counted(3)
    made = Indicators(table_of(rows), persons, "ten years", {"Data": "gold.timeline@1"})
    made.write(tmp_path)
    again = INDICATORS.read(tmp_path, made.name)
    assert again == made and again.digest() == made.digest()
    changed = made.table.set_column(4, "persons", pa.array([n + 1 for *_, n, _ in rows], pa.int64()))
    assert Indicators(changed, persons).digest() != made.digest()
    with pytest.raises(DataError, match="columns"):
        Indicators(made.table.drop_columns(["events"]), persons)
    with pytest.raises(DataError, match="no cut weekday"):
        Indicators(table_of([("A", "", "weekday", "Monday", 9, 9)]), persons)


def test_the_page_of_an_indicator_table_says_what_it_is() -> None:
    rows, persons = counted(11)
    context = ReportContext(
        "What is in here?", persons, "patternlake run describe_study", scope_like(), "j", "s"
    )
    page = render(context, [Indicators(table_of(rows), persons).check(Thresholds())])
    assert "What is in this study" in page and "codes are recorded in enough persons" in page
    assert "Comparable persons" not in page and "relative risk" not in page.lower()


def some_list() -> NamedList:
    table = pa.table([["p-one", "p-two"], [18_000, 18_001]], schema=LISTED)
    return NamedList(table, "B within a year after A")


def test_a_named_list_has_no_checked_form_and_no_page(tmp_path: Path) -> None:
    made = some_list()
    assert made.audience is Audience.NAMED
    with pytest.raises(DisclosureRefused, match="desk alone"):
        made.check(Thresholds())
    context = ReportContext("Who?", 2, "patternlake run list_persons", scope_like(), "j", "s")
    with pytest.raises(TypeError, match="checked products alone"):
        render(context, [made])  # type: ignore[list-item]
    (path,) = made.of_run("r1", "c").write(tmp_path)
    assert path.stat().st_mode & 0o077 == 0, "its owner's alone"
    again = NAMED_LIST.read(tmp_path, made.name)
    assert again == made.of_run("r1", "c") and again.digest() == made.digest(), (
        "the run is not what was found"
    )
    with pytest.raises(DataError, match="once"):
        NamedList(pa.table([["p", "p"], [1, 2]], schema=LISTED), "")


def test_a_job_hands_over_what_it_declared_and_nothing_else() -> None:
    listed, table = some_list(), patterns(20)
    require_given((table,), (gives_patterns("pair"),), "j")
    require_given((table, listed), (gives_patterns("pair"), NAMED_LIST), "j")
    for products, gives in (
        ((listed,), (gives_patterns("pair"),)),
        ((table,), (gives_patterns("trajectory"),)),
        ((table,), ()),
        ((listed,), (ProductKind("named list", Audience.AGGREGATE, NamedList.read, str),)),
        ((table, table), (gives_patterns("pair"),)),
    ):
        with pytest.raises(DisclosureRefused):
            require_given(products, gives, "j")
