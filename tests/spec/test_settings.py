"""Settings of a profile: the smallest count that may be shown, the memory of counters; what makes no sense is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.errors import ConfigurationError
from lakehouse.settings import COUNTER_MEMORY_GB, SMALL_CELL_FLOOR, load_settings


def profile(folder: Path, line: str) -> Path:
    (folder / "profiles").mkdir(parents=True, exist_ok=True)
    (folder / "profiles" / "own.toml").write_text(f'home = "{folder / "home"}"\n{line}\n')
    return folder


def test_counter_memory__is_given_in_gigabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for line, wanted in (("counter_memory_gb = 0.5", 0.5), ("", COUNTER_MEMORY_GB)):
        monkeypatch.setenv("PATTERNLAKE_CONF", str(profile(tmp_path, line)))
        assert load_settings(profile="own").counter_memory == wanted * 1e9


@pytest.mark.parametrize("value", ["0", "-2", '"much"', "inf"])
def test_counter_memory__without_sense_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("PATTERNLAKE_CONF", str(profile(tmp_path, f"counter_memory_gb = {value}")))
    with pytest.raises(ConfigurationError, match="counter_memory_gb"):
        load_settings(profile="own")


def test_small_cell__may_be_raised_by_a_profile_and_never_lowered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for line, wanted in (("", SMALL_CELL_FLOOR), ("small_cell = 5", 5), ("small_cell = 10", 10)):
        monkeypatch.setenv("PATTERNLAKE_CONF", str(profile(tmp_path, line)))
        assert load_settings(profile="own").small_cell == wanted
    for value in (4, 0, -1):
        monkeypatch.setenv("PATTERNLAKE_CONF", str(profile(tmp_path, f"small_cell = {value}")))
        with pytest.raises(ConfigurationError, match="never lower"):
            load_settings(profile="own")
