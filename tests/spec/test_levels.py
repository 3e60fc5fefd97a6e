"""Codes rolled up at mining time: blocks, characters, several systems at once."""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.execution.codes import mined_codes
from lakehouse.errors import UsageError
from lakehouse.gold.levels import BLOCKS, DEPTHS, icd10_block, rolled_up


@pytest.mark.parametrize(
    ("code", "level", "rolled"),
    [
        ("ICD10//I219", "icd10-block", "ICD10//I20-I25"),
        ("ICD10//E119A", "icd10-3", "ICD10//E11"),
        ("ICD10//Y05", "icd10-block", "ICD10//X85-Y09"),
        ("ICD10//U071", "icd10-block", "ICD10//U07"),
        ("ICD10//C509", "icd10-block", "ICD10//C50-C50"),
        ("ICD10//I219", "atc-4", "ICD10//I21"),
        ("ATC//C10AA05", "atc-3", "ATC//C10"),
        ("ATC//C10AA05", "icd10-block+atc-7", "ATC//C10AA05"),
        ("NPU//NPU27300//H", "icd10-block", "NPU//NPU27300//H"),
        ("SNOMED//123", "icd10-3", "SNOMED//123"),
        ("MEDS_DEATH", "icd10-3", "MEDS_DEATH"),
    ],
)
def test_codes_at_a_level(code: str, level: str, rolled: str) -> None:
    assert rolled_up(code, level) == rolled


def test_blocks_are_in_order_and_apart() -> None:
    assert all(block[:3] <= block[4:] for block in BLOCKS)
    assert all(one[4:] < other[:3] for one, other in pairwise(BLOCKS))


@settings(deadline=None)
@given(st.from_regex(r"[A-Z]\d\d[0-9A-Z]{0,3}", fullmatch=True))
def test_a_code_lies_in_its_block_and_levels_nest(code: str) -> None:
    block = icd10_block(code)
    assert block == code[:3] or block[:3] <= code[:3] <= block[4:]
    assert icd10_block(code[:3]) == block
    for level in DEPTHS["icd10"]:
        once = rolled_up(f"ICD10//{code}", f"icd10-{level}")
        assert level == "block" or rolled_up(once, f"icd10-{level}") == once


def test_a_vocabulary_is_mined_at_a_level() -> None:
    codes = ["ATC//C10AA05", "ICD10//I200", "ICD10//I219"]
    table = pa.table(
        {
            "code_id": [0, 1, 2],
            "code": codes,
            "domain": ["m", "d", "d"],
            "text": ["a", "b", "c"],
            "level": codes,
        }
    )
    mined = mined_codes(table, "icd10-block+atc-4")
    assert mined.names == ["ATC//C10A", "ICD10//I20-I25"]
    assert mined.code_map.tolist() == [0, 1, 1]
    with pytest.raises(UsageError, match="icd10-block"):
        mined_codes(table, "icd10-2")
