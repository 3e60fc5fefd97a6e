"""Which codes a scan counts: the vocabulary rolled up to a level, with names, families and those nothing can follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lakehouse.errors import DataError
from lakehouse.gold.levels import parse_level, rolled_up

LEVELS = {"default": "level", "full": "code"}
"""Levels with a column of their own in the vocabulary; the others are of :mod:`lakehouse.gold.levels`."""

TERMINAL = frozenset({"death"})
"""Domains of codes after which nothing can follow."""

CONTACTS = frozenset({"contact", "visit", "primary_care"})
"""Domains in which sources declare that somebody met health care or was taken in; such a code is no exposure.

What is recorded at a contact belongs to it and does not follow it. The domain tells, never the code, so that this
holds for every source; a domain that is not listed tells nothing and leaves its codes as they are.
"""


@dataclass(frozen=True)
class MinedCodes:
    """Codes as they are counted.

    ``code_map[code_id]`` is the index into ``names`` and ``texts``; ``family[index]`` numbers codes of one
    block, ancestor or sibling, -1 for none; ``terminal`` are indices nothing can follow, ``contacts`` those that are
    no exposures because what follows them may belong to them.
    """

    names: list[str]
    texts: list[str]
    code_map: NDArray[np.int32]
    family: NDArray[np.int64]
    terminal: tuple[int, ...]
    contacts: tuple[int, ...]


def mined_codes(vocabulary: pa.Table, level: str) -> MinedCodes:
    """The codes of ``gold.vocabulary`` at a level, in the order of their names.

    A rolled-up code takes its text from the entry that is itself that code, else from its first child. It is terminal,
    or a contact, as soon as one of its entries is.

    Raises :class:`DataError` where the vocabulary is empty, and what ``parse_level`` raises where the level
    is none.
    """
    if level not in LEVELS:
        parse_level(level)
    if vocabulary.num_rows == 0:
        raise DataError("The vocabulary is empty.", "Nothing has been ingested.", "Run 'patternlake ingest'.")
    rows = vocabulary.sort_by("code_id")
    ids = rows.column("code_id").to_numpy()
    mined = rows.column(LEVELS.get(level, "code")).to_pylist()
    if level not in LEVELS:
        mined = [rolled_up(code, level) for code in mined]
    names = sorted(set(mined))
    place = {name: index for index, name in enumerate(names)}
    code_map = np.full(int(ids[-1]) + 1, -1, np.int32)
    code_map[ids] = [place[name] for name in mined]
    texts = [""] * len(names)
    terminal, contacts = set(), set()
    entries = (rows.column(name).to_pylist() for name in ("code", "text", "domain"))
    for name, code, text, domain in zip(mined, *entries, strict=True):
        if text and (not texts[place[name]] or code == name):
            texts[place[name]] = text
        if domain in TERMINAL:
            terminal.add(place[name])
        if domain in CONTACTS:
            contacts.add(place[name])
    blocks = [family_of(name) for name in names]
    numbers = {block: number for number, block in enumerate(sorted({block for block in blocks if block}))}
    family = np.array([numbers.get(block, -1) for block in blocks], np.int64)
    return MinedCodes(names, texts, code_map, family, tuple(sorted(terminal)), tuple(sorted(contacts)))


def family_of(name: str) -> str:
    """The block a code belongs to for the overlap flag; empty where the system's structure is not known.

    ICD-10: the ten of the letter and first digit (E10 to E14 lie in E1), all neoplasms together, because
    coding is revised within such a block. ATC: the therapeutic subgroup (3 characters). Laboratory flags:
    the analysis.
    """
    system, _, code = name.partition("//")
    if system == "ICD10" and len(code) >= 2:
        return f"ICD10//{'C' if code[0] == 'C' else code[:2]}"
    if system == "ATC" and len(code) >= 3:
        return f"ATC//{code[:3]}"
    if system == "NPU":
        return f"NPU//{code.partition('//')[0]}"
    return ""
