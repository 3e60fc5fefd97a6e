"""The page: answer first, warning where the comparison is unfair, nothing fetched, nothing small, nothing unescaped."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from experiments.analyses.pairs.page import table_rows
from experiments.presentation.figures import calibration, draw, png, volcano
from experiments.presentation.network import MOST_EDGES, MOST_NODES, arrange, chart, strongest
from experiments.products.base import Calibration
from experiments.products.pattern_summary import warning
from experiments.products.patterns import PERSON_COUNTS, Patterns
from experiments.report.context import ReportContext, summary
from experiments.report.page import render
from lakehouse.governance.suppression.disclosure import Thresholds
from lakehouse.governance.suppression.totals import assert_clean
from tests.support.pattern_tables import code_names, meta, patterns, scan_table, scope_like

FAIR, UNFAIR = Calibration(0.01, 1.02, 900), Calibration(0.2, 1.34, 900)
RAW = patterns(40, persons=60_000, planted=30)
CONTEXT = ReportContext(
    question="Which codes follow which?", persons=59_812, scope=scope_like(), job="mine_pairs", study="demo",
    command="patternlake run mine_pairs --study demo", purpose="research", kind="synthetic", run_id="r1",
    attrition=[("everyone", 60_000), ("known sex", 59_997), ("in the period", 59_812)],
    parameters={"horizon_days": 1826},
)  # fmt: skip


def looked_for(raw: Patterns, calibration: Calibration = FAIR) -> Patterns:
    return replace(raw, search=replace(raw.search, codes=40, calibration=calibration))


def page(
    raw: Patterns = RAW, context: ReportContext = CONTEXT, threshold: int = 5, calibration: Calibration = FAIR
) -> str:
    return render(context, [looked_for(raw, calibration).check(Thresholds(threshold))])


def text_of(html: str) -> str:
    """Words a reader sees, in order."""
    body = re.sub(r"<(style|script)[^>]*>.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_the_first_words_are_question_and_answer() -> None:
    words = text_of(page())
    question, first, second, third = (
        words.index(part)
        for part in (CONTEXT.question, "59,812 persons", "are significant", "The strongest of these: after")
    )
    assert question < first < second < third < words.index("What was read")
    assert (
        "95 % interval" in words[third : third + 400]
        and "standard deviation of their z is 1.02, as it should be" in words
    )


def test_an_unfair_comparison_is_said_before_anything_else() -> None:
    words = text_of(page(calibration=UNFAIR))
    said = words.index("Read with care.")
    assert (
        said < words.index("59,812 persons") and "standard deviation of z is 1.34" in words[said : said + 300]
    )
    assert "Read with care." not in text_of(page())
    assert warning(FAIR) == ""


def test_q_values_are_by_the_empirical_null_when_the_theoretical_one_is_wrong() -> None:
    row = {**RAW.significant().to_pylist()[0], "q_bh": 1e-9, "q_empirical": 0.04}
    significant = pa.Table.from_pylist([row])
    assert table_rows(significant, FAIR)[0]["q"] == 1e-9 and table_rows(significant, UNFAIR)[0]["q"] == 0.04


def test_scope_box_names_permit_tables_versions_columns_and_persons() -> None:
    words = text_of(page())
    box = words[words.index("What was read") : words.index("The strongest patterns")]
    for part in ("p1", "research", "accounted", "gold.timeline", "birth_year", "split", "20,000", "3f3f3f"):
        assert part in box


def test_every_estimate_has_its_interval_beside_it() -> None:
    rows = table_rows(RAW.cleaned(Thresholds())[0].significant(), FAIR)
    assert rows and all(re.fullmatch(r"[\d.]+ to [\d.]+", row["interval"]) for row in rows)
    assert all(0 <= row["left"] <= row["point"] <= row["left"] + row["width"] + 0.2 <= 101 for row in rows)


def test_what_was_hidden_is_told() -> None:
    words = text_of(page())
    part = words[words.index("What was hidden") : words.index("What this cannot tell")]
    assert "numbers were removed" in part and "fewer than 5 persons had both on one day" in part
    strict = text_of(page(threshold=10))
    assert "fewer than 10 persons" in strict


def test_attrition_never_shows_two_numbers_that_differ_by_a_few_persons() -> None:
    words = text_of(page())
    part = words[words.index("From the lake") : words.index("What was hidden")]
    assert "60,000" in part and "59,812" in part and "59,997" not in part
    assert "known sex; in the period" in part


def test_totals_that_differ_by_few_persons_are_rounded_everywhere() -> None:
    scope = scope_like()
    scope["reads"][0]["persons"] = 59_814
    told = replace(CONTEXT, scope=scope).shown(Thresholds())
    words = text_of(page(context=told))
    assert "59,812" not in words and "59,814" not in words and words.count("59,810") >= 3
    assert "rounded down to multiples of 5" in words
    assert CONTEXT.shown(Thresholds()).persons == CONTEXT.persons - CONTEXT.persons % 5, (
        "known sex: 3 persons fewer"
    )
    alone = replace(CONTEXT, attrition=[])
    assert alone.shown(Thresholds()) == alone


def test_no_number_of_the_page_is_a_small_count(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(page(), "utf-8")
    assert_clean(tmp_path, PERSON_COUNTS, Thresholds())
    data = json.loads(re.search(r'id="data-pairs">(.*?)</script>', page(), re.DOTALL).group(1))  # type: ignore[union-attr]
    assert all(count is None or count >= 5 for count in data["O"]) and len(data["O"]) == len(data["rr"]) > 5


class Links(HTMLParser):
    """Everything a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attributes if name in ("src", "href", "action") and value]


def test_the_page_needs_nothing_from_anywhere() -> None:
    links = Links()
    links.feed(page())
    assert links.found and all(link.startswith("data:image/png;base64,") for link in links.found)
    assert "http" not in re.sub(r"http-equiv", "", page()), "no address at all"
    assert "@import" not in page() and "url(" not in page()


def test_no_estimate_of_the_page_has_more_digits_than_a_reader_can_use() -> None:
    html = re.sub(
        r"data:image/png;base64,[^\"]*|<style.*?</style>|<script>.*?</script>", "", page(), flags=re.DOTALL
    )
    numbers = re.findall(r"(?<![\w.])\d+\.\d+(?![\w.])", html)
    exact = stored_estimates(RAW)
    assert len(numbers) > 100 and exact
    for number in numbers:
        assert len(number.replace(".", "").strip("0")) <= 4, number
        assert number not in exact


def stored_estimates(raw: Patterns) -> set[str]:
    """Estimates of a table as they are stored, those of few digits apart."""
    stored = [
        str(value) for name in ("rr", "rr_low", "E", "z") for value in raw.table.column(name).to_pylist()
    ]
    return {number for number in stored if len(number) > 8}


def test_names_from_the_data_cannot_become_markup() -> None:
    codes, texts = code_names(40)
    evil = '</script><script>alert(1)</script><img src=x onerror="alert(2)">'
    texts = [f"{evil} {text}" for text in texts]
    html = page(Patterns.from_scan(scan_table(40, persons=60_000, planted=30), codes, texts, meta()))
    assert "<script>alert" not in html and "<img src=x" not in html
    assert html.count("<script") == 4, "two blocks of data, two scripts of ours"


def test_a_run_without_findings_says_so() -> None:
    raw = patterns(20, persons=5_000, planted=1)
    nothing = raw.table.set_column(
        raw.table.schema.get_field_index("called"), "called", pa.array([False] * len(raw))
    )
    raw = replace(raw, table=nothing)
    words = text_of(page(raw))
    assert "None is significant" in words and "No ordered pair is significant." in words
    assert len(summary(CONTEXT, [looked_for(raw).check(Thresholds())])) == 3


def test_only_checked_products_become_a_page() -> None:
    with pytest.raises(TypeError, match="checked products alone"):
        render(CONTEXT, [RAW])  # type: ignore[list-item]


def test_a_table_whose_calibration_nobody_judged_has_a_page_that_claims_none() -> None:
    checked = RAW.check(Thresholds())
    assert set(checked.files) == {"patterns.parquet", "figures/volcano.png", "figures/network.png"}
    words = text_of(render(CONTEXT, [checked]))
    assert "standard deviation of" not in words and "Histogram of z" not in words


def test_how_to_do_it_again_is_exact() -> None:
    words = text_of(page())
    for part in (CONTEXT.command, "r1", "gold.timeline@1 gold.vocabulary@1", "horizon_days = 1826", "Seed 7"):
        assert part in words


def test_pictures_are_drawn_from_checked_tables() -> None:
    checked, _ = RAW.cleaned(Thresholds())
    z = np.random.default_rng(3).normal(size=500)
    pictures = draw(checked.table, checked.significant(), z, FAIR)
    assert set(pictures) == {"volcano.png", "network.png", "calibration.png"}
    assert all(content.startswith(b"\x89PNG") and len(content) > 10_000 for content in pictures.values())
    assert pictures == draw(checked.table, checked.significant(), z, FAIR), "the same twice"


def test_pictures_of_nothing_are_still_pictures() -> None:
    nothing = RAW.cleaned(Thresholds())[0].table.slice(0, 0)
    for figure in (volcano(nothing, nothing), chart(nothing), calibration(np.empty(0), FAIR)):
        assert png(figure).startswith(b"\x89PNG")


def edges(*pairs: tuple[str, str]) -> Any:
    rows = [
        {"code_a": a, "code_b": b, "text_a": a, "text_b": "", "rr": 5.0 - i / 100}
        for i, (a, b) in enumerate(pairs)
    ]
    return strongest(pa.Table.from_pylist(rows))[0]


def test_the_network_holds_the_strongest_and_runs_one_way() -> None:
    assert set(edges(("A", "B"), ("B", "C"), ("C", "A")).edges) == {("A", "B"), ("B", "C")}, "no circle"
    assert set(edges(("A", "B"), ("B", "A")).edges) == {("A", "B")}, "the stronger way"
    chain = [(f"N{i}", f"N{i + 1}") for i in range(7)]
    assert edges(*chain).number_of_edges() == 6, "chains of four, so one link is left out"
    many = [(f"A{i % 30}", f"B{i % 29}") for i in range(800)]
    graph = edges(*many)
    assert len(graph) <= MOST_NODES and graph.number_of_edges() <= MOST_EDGES


def test_no_two_boxes_share_a_place_and_arrows_run_to_the_right() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        pairs = [(f"C{a}", f"C{b}") for a, b in rng.integers(0, 25, (40, 2)) if a != b]
        graph = edges(*pairs)
        places = arrange(graph)
        assert len(set(places.values())) == len(places)
        assert all(places[a].column < places[b].column for a, b in graph.edges)


def test_other_replications_and_a_needed_washout_stand_in_the_row() -> None:
    checked, _ = RAW.cleaned(Thresholds(5))
    significant = checked.significant().slice(0, 3)
    for name, values in {
        "replicated_person": [True, False, None],
        "replicated_time": [None, True, None],
        "replicated_site": [False, True, None],
        "called_without_washout": [True, False, None],
    }.items():
        at = significant.column_names.index(name)
        significant = significant.set_column(at, significant.schema.field(at), pa.array(values))
    rows = table_rows(significant, FAIR)
    said = [row["replicated_text"] for row in rows]
    assert said == ["yes; elsewhere: no", "no; later: yes; elsewhere: yes", "not tested"]
    assert ["without wash-out" in row["flags"] for row in rows] == [False, True, False]
