"""Settings of a profile: the memory of counters is read as gigabytes, and what makes no sense is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.errors import ConfigurationError
from lakehouse.settings import COUNTER_MEMORY_GB, load_settings


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
