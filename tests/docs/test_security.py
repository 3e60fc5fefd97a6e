"""What SECURITY.md promises has its file and its test: every path, test and attack that it names is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
SUITE = ("tests/attacks/group_a.py", "tests/spark/test_attack_suite.py")


class Property(NamedTuple):
    """A row of a table of properties."""

    words: str
    held: str
    shown: str


def properties(page: str) -> list[Property]:
    """Rows of the tables with a column "held by"."""
    rows = [line.strip().strip("|").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    found = [Property(*(cell.strip() for cell in row)) for row in rows if len(row) == 3]
    return [row for row in found if row.held != "held by"]


def paths(text: str) -> set[str]:
    """Paths of the project that a text names in backticks."""
    return set(re.findall(r"`((?:lakehouse|experiments|jobs|tests|conf|docs)/[^`]*)`", text))


def named_tests(text: str) -> set[str]:
    """Tests that a text names, as ``file::test``; one in brackets is a case of a parametrised test."""
    found = set()
    for part in text.split(";"):
        file = re.search(r"`(tests/[^`]*\.py)`", part)
        found |= {f"{file[1] if file else '?'}::{name}" for name in re.findall(r"`(test_[^`/.]*)`", part)}
    return found


def faults(page: str) -> list[str]:
    """Everything that a page of properties names and that is not there, and properties without a file or a test."""
    known = "\n".join((ROOT / path).read_text("utf-8") for path in SUITE)
    found = [path for path in paths(page) if not (ROOT / path).exists()]
    found += [name for name in re.findall(r"\bA\d+\b", page) if f'attack("{name} ' not in known]
    rows = properties(page)
    for row in rows:
        found += [row.words] if not paths(row.held) else []
        attacks = "make attack" in row.shown or re.search(r"\bA\d+\b", row.shown)
        found += [row.words] if not (paths(row.shown) or attacks) else []
        for test in named_tests(row.shown):
            file, _, name = test.partition("::")
            name, _, case = name.partition("[")
            text = (ROOT / file).read_text("utf-8") if (ROOT / file).is_file() else ""
            if f"def {name}(" not in text or case.removesuffix("]") not in text:
                found.append(test)
    return found


def test_every_file_test_and_attack_of_the_page_is_there() -> None:
    assert len(properties(PAGE)) >= 60
    assert sum(len(named_tests(row.shown)) for row in properties(PAGE)) > 100
    assert faults(PAGE) == []


def test_no_property_is_said_twice() -> None:
    words = [row.words for row in properties(PAGE)]
    assert len(words) == len(set(words))


@pytest.mark.parametrize(
    "row",
    [
        "| It holds. | `lakehouse/no_such_file.py` | `tests/docs/test_docs.py`: `test_the_reference_is_whole` |",
        "| It holds. | `lakehouse/settings.py` | `tests/docs/test_docs.py`: `test_of_nothing` |",
        "| It holds. | `lakehouse/settings.py` | `test_the_reference_is_whole` |",
        "| It holds. | `lakehouse/settings.py` | A99 |",
        "| It holds. | good will | `tests/docs/test_docs.py` |",
        "| It holds. | `lakehouse/settings.py` | looked at by hand |",
    ],
)
def test_what_is_not_there_would_be_noticed(row: str) -> None:
    assert faults(row)
