"""Levels codes are mined at, their names, and failures told without a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.codes import code_name, default_level, municipality_regions
from lakehouse.ingest.failures import told
from lakehouse.settings import load_settings


@pytest.mark.parametrize(
    ("code", "level"),
    [
        ("ICD10//I219", "ICD10//I21"),
        ("ATC//C10AA05", "ATC//C10AA"),
        ("ATC//C10", "ATC//C10"),
        ("SKS//KJDF10", "SKS//KJDF"),
        ("NPU//NPU27300//H", "NPU//NPU27300//H"),
        ("LPR//ADMISSION", "LPR//ADMISSION"),
        ("ICD10//I219//x", "ICD10//I219//x"),
        ("MEDS_DEATH", "MEDS_DEATH"),
    ],
)
def test_levels(code: str, level: str) -> None:
    assert default_level(code) == level


def test_names_come_from_the_nearest_listed_code(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, "test")
    assert code_name(settings, "ATC//C10AA05") == code_name(settings, "ATC//C10AA05XYZ") is not None
    assert str(code_name(settings, "NPU//NPU27300//H")).endswith(" (high)")
    assert code_name(settings, "CPR//DEATH") == "Death"
    assert code_name(settings, "XYZ//1") is None


def test_every_municipality_has_a_region(tmp_path: Path) -> None:
    regions = municipality_regions(load_settings(tmp_path, "test"))
    assert (regions["101"], regions["751"], regions["851"]) == ("1084", "1082", "1081")
    assert len(regions) >= 98


def test_failures_of_spark_are_told_in_a_sentence() -> None:
    full = told("org.apache.spark.SparkException: java.io.IOException: No space left on device")
    assert "disk is full" in str(full)
    ours = told(
        "Traceback\n  File x\nlakehouse.errors.DataError: a.csv changed while it was read.\n\tat java"
    )
    assert str(ours) == "a.csv changed while it was read."
    other = told("Job aborted for 010190-1234\n\tat java")
    assert "Job aborted for [cpr]" in str(other)
