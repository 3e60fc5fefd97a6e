"""The report in a real browser: search, filters, paths and keys work at 1,000 codes and 10,000 steps; print is readable."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lakehouse.governance.suppression.disclosure import Thresholds
from tests.support.browser import MISSING, Page, browser, find_browser
from tests.support.checked_folders import checked_folder
from tests.support.pattern_tables import significant_only

pytestmark = pytest.mark.skipif(find_browser() is None, reason=MISSING)
RAW = significant_only(1_000, 10_000)
ROWS = RAW.cleaned(Thresholds())[0].significant().to_pylist()


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = checked_folder(RAW, tmp_path_factory.mktemp("page"))
    with browser() as page:
        began = time.monotonic()
        page.open((folder / "report.html").as_uri())
        page.until("document.getElementById('browser').dataset.ready === 'yes'")
        assert time.monotonic() - began < 20, "a page of 10,000 steps must open at once"
        yield page


def here(tab: Page) -> str:
    return str(tab.get("document.querySelector('#b-here code').textContent"))


def listed(tab: Page, way: str) -> list[str]:
    return list(tab.get(f"[...document.querySelectorAll('#b-{way} .step code')].map(e => e.textContent)"))


def find(tab: Page, code: str) -> None:
    tab.get("(() => { const e = document.getElementById('b-search'); e.value = ''; e.focus(); })()")
    tab.write(code)
    tab.press("Enter")
    tab.until(f"document.querySelector('#b-here code').textContent === '{code}'")


def steps(code: str, way: str, fits: object = None) -> list[str]:
    """What the checked table says comes before or after a code, in its order."""
    mine, other = ("code_a", "code_b") if way == "after" else ("code_b", "code_a")
    return [row[other] for row in ROWS if row[mine] == code and (fits is None or fits(row))]  # type: ignore[operator]


def busiest() -> str:
    codes = [row["code_a"] for row in ROWS]
    return max(set(codes), key=codes.count)


def test_a_code_is_found_by_name_and_its_neighbours_are_those_of_the_table(tab: Page) -> None:
    tab.get("document.getElementById('b-search').focus()")
    tab.write("heart fail")
    assert tab.get("document.querySelectorAll('#b-options li').length") == 1
    tab.press("Enter")
    assert here(tab) == "ICD10//I50"
    for way in ("before", "after"):
        assert listed(tab, way) == steps("ICD10//I50", way)[:12]
    assert f"{next(r['n_a'] for r in ROWS if r['code_a'] == 'ICD10//I50'):,} persons" in tab.get(
        "document.getElementById('b-here').textContent"
    )


def test_every_step_has_its_interval_persons_and_lag(tab: Page) -> None:
    find(tab, busiest())
    texts = tab.get("[...document.querySelectorAll('.step-figures')].map(e => e.innerText)")
    assert texts and all("95 %:" in text and " to " in text and "persons" in text for text in texts)
    assert all("months" in text or "years" in text or "days" in text for text in texts)


def test_filters_narrow_what_is_shown(tab: Page) -> None:
    code = busiest()
    find(tab, code)
    tab.get("document.getElementById('b-more-after').click()")
    cases = (
        ("#b-effect", "less", lambda row: float(f"{row['rr']:.4g}") < 1),
        ("#b-least", "2", lambda row: max(row["rr"], 1 / row["rr"]) >= 2),
        ("#b-persons", "500", lambda row: row["O"] >= 500),
    )
    for control, value, fits in cases:
        before = tab.get(f"document.querySelector('{control}').value")
        tab.choose(control, value)
        assert listed(tab, "after") == steps(code, "after", fits)[:12], control
        tab.choose(control, before)
    tab.click("#b-replicated")
    assert listed(tab, "after") == steps(code, "after", lambda row: row["replicated_person"])[:12]
    tab.click("#b-replicated")


def test_a_path_is_walked_by_click_and_by_keys_and_back(tab: Page) -> None:
    code = busiest()
    find(tab, code)
    first = listed(tab, "after")[1]
    tab.click("#b-after li:nth-child(2) .step")
    assert here(tab) == first and tab.get("document.querySelectorAll('#b-path li').length") == 2
    assert " to " in tab.get("document.querySelector('#b-path .between').textContent"), (
        "the interval is beside it"
    )
    if following := listed(tab, "after"):
        tab.get("document.querySelector('#b-after .step').focus()")
        if len(following) > 1:
            tab.press("ArrowDown")
        tab.press("Enter")
        assert here(tab) == following[min(1, len(following) - 1)]
        assert "was not counted" in tab.get("document.getElementById('b-known').textContent")
        tab.click("#b-back")
    assert here(tab) == first
    tab.click("#b-path li:first-child button")
    assert here(tab) == code


def test_keys_alone_are_enough(tab: Page) -> None:
    find(tab, busiest())
    tab.get("document.querySelector('#b-after .step').focus()")
    tab.press("ArrowLeft")
    assert tab.get("document.activeElement.dataset.way") == "before"
    tab.press("/")
    assert tab.get("document.activeElement.id") == "b-search"
    tab.press("ArrowDown")
    assert (
        tab.get("document.getElementById('b-search').getAttribute('aria-activedescendant')") == "b-option-0"
    )
    tab.press("Escape")
    assert tab.get("document.getElementById('b-options').hidden")


def test_a_step_is_drawn_in_a_moment(tab: Page) -> None:
    slowest = tab.get("""(() => {
        const search = document.getElementById('b-search'); let worst = 0;
        for (const word of ['d', 'diag', 'number 4', 'ICD10//B', 'heart', 'zzz', '']) {
            const began = performance.now(); search.value = word; search.dispatchEvent(new Event('input'));
            worst = Math.max(worst, performance.now() - began);
        }
        const began = performance.now(); document.querySelector('#b-after .step, #b-before .step').click();
        return Math.max(worst, performance.now() - began);
    })()""")
    assert slowest < 500, f"{slowest:.0f} ms"


def test_the_table_is_sorted_and_searched(tab: Page) -> None:
    tab.choose("#search", "heart failure")
    rows = tab.get("[...document.querySelectorAll('#table tbody tr')].map(r => r.innerText)")
    assert rows and all("Heart failure" in row for row in rows)
    tab.choose("#search", "")
    tab.get("document.querySelector('#table th[data-key=O] button').click()")
    counts = tab.get(
        "[...document.querySelectorAll('#table tbody tr')].map(r => +r.cells[5].innerText.replace(',', ''))"
    )
    assert counts == sorted(counts, reverse=True)


def test_it_reads_in_greyscale_print(tab: Page, tmp_path: Path) -> None:
    """What tells more from less is a sign, not a colour; ink stays dark without colour."""
    find(tab, busiest())
    tab.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert tab.get("getComputedStyle(document.querySelector('.b-controls')).display") == "none"
        grey = np.asarray(Image.open(tab.picture(tmp_path / "print.png", "#browser")).convert("L"))
        bars = tab.get("getComputedStyle(document.querySelector('#browser .bar i')).backgroundColor")
    finally:
        tab.call("Emulation.setEmulatedMedia", media="")
    assert bars == "rgb(0, 0, 0)" and (grey < 110).mean() > 0.01 and (grey > 200).mean() > 0.7
    signs = tab.get("[...document.querySelectorAll('.step-figures b')].map(e => e.innerText[0])")
    assert set(signs) <= {"▲", "▽"}


def test_a_narrow_window_hides_nothing(tab: Page) -> None:
    tab.call("Emulation.setDeviceMetricsOverride", width=420, height=800, deviceScaleFactor=1, mobile=False)
    try:
        assert tab.get("document.getElementById('browser').scrollWidth <= innerWidth")
    finally:
        tab.call(
            "Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False
        )


def test_nothing_went_wrong_in_the_page(tab: Page) -> None:
    assert tab.problems == []
    assert (
        tab.get("performance.getEntriesByType('resource').filter(r => !r.name.startsWith('data:')).length")
        == 0
    )
