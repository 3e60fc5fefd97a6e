"""The verdict on a delivery: by rows against the delivery before and the share in quarantine, each table by its file."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import pytest

from lakehouse.delivery.register import Entry
from lakehouse.errors import ConfigurationError
from lakehouse.ingest.report import DeliveryReport, as_html
from lakehouse.ingest.verdict import ACCEPTED, NOT_JUDGED, REFUSED, WARNED, Thresholds, judge, thresholds
from lakehouse.settings import Settings, load_settings

FIRST = Entry(
    file_id="a", sha256="a", name="dod/dodsaars.csv", format="danish", issuer="", source="dod", source_table="dod_deaths",
    delivered=datetime.date(2026, 1, 1), covers_from=None, covers_to=None, edition=1, rows_in=1_000, rows_bronze=1_000,
    rows_silver=1_000, rows_quarantine=0,
)  # fmt: skip


def later(rows: int, quarantine: int = 0, table: str = "dod_deaths") -> Entry:
    """The second delivery of the same file, all its rows read anew."""
    silver = rows - quarantine
    return replace(
        FIRST, file_id="b", edition=2, source_table=table, rows_in=rows, rows_bronze=rows, rows_silver=silver,
        rows_quarantine=quarantine,
    )  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(tmp_path / "home", "test")


@pytest.fixture
def shipped(settings: Settings) -> Thresholds:
    made = thresholds(settings)
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("entry", "state", "said"),
    [
        (later(1_000), ACCEPTED, ""),
        (later(900, 9), ACCEPTED, ""),
        (later(899), WARNED, "899 rows, 90% of the 1,000 delivered before (allowed are 90% to 150%)"),
        (later(1_501), WARNED, "150% of the 1,000"),
        (later(1_000, 11), WARNED, "1.1% of 1,000 new rows are in quarantine (allowed are 1.0%)"),
        (later(499), REFUSED, "allowed are 50% to 300%"),
        (later(1_000, 101), REFUSED, "allowed are 10.0%"),
    ],
)
def test_a_file_is_judged_by_rows_and_quarantine(
    shipped: Thresholds, entry: Entry, state: str, said: str
) -> None:
    verdict = judge(shipped, [entry], [FIRST, entry])
    assert verdict.state == state and said in " ".join(verdict.reasons)
    assert bool(verdict.reasons) == bool(said)
    assert set(verdict.definitions) == {"delivery/default@1", "delivery/organisations@1"}


def test_a_table_that_a_file_names_is_judged_by_that_file(shipped: Thresholds) -> None:
    before = replace(FIRST, source_table="shak_units")
    assert judge(shipped, [later(999, table="shak_units")], [before]).state == WARNED
    assert judge(shipped, [later(940, table="shak_units")], [before]).state == REFUSED
    assert judge(shipped, [later(940)], [FIRST]).state == ACCEPTED


def test_the_first_delivery_has_nothing_before_it_and_another_file_is_none(shipped: Thresholds) -> None:
    assert (
        judge(shipped, [replace(FIRST, rows_in=1, rows_bronze=1, rows_silver=1)], [FIRST]).state == ACCEPTED
    )
    other = replace(FIRST, name="dod/another.csv")
    assert judge(shipped, [later(10)], [other]).state == ACCEPTED


def test_one_refused_file_refuses_the_delivery_and_every_reason_is_told(shipped: Thresholds) -> None:
    verdict = judge(shipped, [later(899), later(400, 300)], [FIRST])
    assert (verdict.state, len(verdict.reasons), verdict.line) == (REFUSED, 3, "Refused, for 3 reasons.")
    page = as_html(
        DeliveryReport("danish", "synthetic", "2026-01-01T00:00:00Z", 1.0, files=[], verdict=verdict)
    )
    first, second = page.index("Refused, for 3 reasons."), page.index("0 files")
    assert first < page.index("75.0% of 400 new rows") < page.index("corrected delivery") < second


def write(settings: Settings, id: str, more: str) -> None:
    limits = "rows_at_least = 0.5\nrows_at_most = 2\nquarantine_at_most = 0.5\n"
    head = f'id = "{id}"\nversion = 1\ntitle = {{ da = "x", en = "x" }}\n{more}\n'
    settings.write_definition("delivery", id, f"{head}[warn]\n{limits}[refuse]\n{limits}")


def test_thresholds_that_contradict_one_another_are_refused_before_anything_is_read(
    settings: Settings,
) -> None:
    write(settings, "second", "")
    with pytest.raises(ConfigurationError, match="both hold for all other tables"):
        thresholds(settings)
    write(settings, "second", 'tables = ["shak_units"]')
    with pytest.raises(ConfigurationError, match="both hold for the table shak_units"):
        thresholds(settings)
    path = settings.home / "conf" / "delivery" / "second.toml"
    path.write_text(
        path.read_text().replace("[refuse]\nrows_at_least = 0.5", "[refuse]\nrows_at_least = 0.6")
    )
    with pytest.raises(ConfigurationError, match="'refuse' lies beyond 'warn'"):
        thresholds(settings)


def test_a_conf_without_thresholds_judges_nothing_and_says_so(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATTERNLAKE_CONF", str(tmp_path))
    assert thresholds(settings) is None
    assert judge(None, [FIRST], []).state == NOT_JUDGED
    write(settings, "units", 'tables = ["shak_units"]')
    with pytest.raises(ConfigurationError, match="tables that none names"):
        thresholds(settings)
