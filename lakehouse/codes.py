"""Code strings: which events the timeline holds, the level a code is mined at, and the names of codes."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.errors import ConfigurationError

if TYPE_CHECKING:
    from lakehouse.settings import Settings

LEVELS = {"ICD10": 3, "ATC": 5, "SKS": 4}
"""Characters of the code that are mined by default, by code system; other systems whole."""
BUILT_IN = {
    "LPR//ADMISSION": "Hospital admission (stay of 12 hours or longer)",
    "LPR//EMERGENCY": "Acute hospital contact under 12 hours",
    "CPR//DEATH": "Death",
    "OMOP//DEATH": "Death",
    "MEDS_DEATH": "Death",
}
CODELISTS = {
    "ICD10": ("icd10.csv", ("name_en", "name_da", "name")),
    "ATC": ("atc.csv", ("name",)),
    "SKS": ("procedures.csv", ("name_en", "name_da", "name")),
    "NPU": ("npu.csv", ("name",)),
    "ICPC2": ("icpc2.csv", ("name",)),
    "SSSY": ("sssy.csv", ("name",)),
    "FSIII": ("fsiii.csv", ("name",)),
    "DRG": ("drg.csv", ("name",)),
    "DREAM": ("dream.csv", ("name",)),
    "AKM": ("socio13.csv", ("name",)),
}
FLAGS = {"H": "high", "L": "low"}
NOT_TIMELINE = (
    "('referral', 'addon', 'repeat', 'ordered', 'prescribed', 'dispensed_copy', 'not_given', 'problem', "
    "'result', 'cause_of_death', 'for_child')"
)
"""Roles that stand in no timeline: intentions, copies, and what only qualifies another record."""
TIMELINE_CODE = f"""
CASE WHEN status <> 'active' OR code_role IN {NOT_TIMELINE} THEN NULL
     WHEN domain IN ('cost', 'administrative') THEN NULL
     WHEN domain IN ('laboratory', 'measurement') AND flag IN ('H', 'L') THEN concat(code, '//', flag)
     WHEN domain = 'laboratory' OR flag = 'N' THEN NULL
     ELSE code END
"""
"""SQL over ``gold.event``: the code under which an event stands in the timeline, null when it does not.

Left out are refuted and reversed records, referral and add-on codes, services for a child nobody can name, costs and
administration (being listed, living somewhere, an income), and laboratory results that are normal or
have no reference interval. A foreign measurement without an interval counts as having been measured.
"""


def default_level(code: str) -> str:
    """The code that stands for ``system//code`` in mining: ICD-10 3 characters, ATC 5, SKS 4, others themselves."""
    system, separator, rest = code.partition("//")
    length = LEVELS.get(system)
    return f"{system}//{rest[:length]}" if separator and length and "//" not in rest else code


@cache
def read_names(path: str, columns: tuple[str, ...]) -> dict[str, str]:
    """Names by code of one code list (``;``-separated, UTF-8, header)."""
    with Path(path).open(encoding="utf-8", newline="") as handle:
        return {
            row["code"]: next((row[column] for column in columns if row.get(column)), "")
            for row in csv.DictReader(handle, delimiter=";")
        }


def read_codelist(settings: Settings, file: str) -> list[dict[str, str]]:
    """Rows of one of the project's code lists (``;``-separated, UTF-8, header)."""
    with settings.codelist(file).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter=";"))


def code_name(settings: Settings, code: str) -> str | None:
    """Name of a code from the project's lists: its own, or that of the nearest code above it."""
    if code in BUILT_IN:
        return BUILT_IN[code]
    system, _, rest = code.partition("//")
    plain, _, flag = rest.partition("//")
    if system not in CODELISTS:
        return None
    file, columns = CODELISTS[system]
    try:
        names = read_names(str(settings.codelist(file)), columns)
    except ConfigurationError:
        return None
    for length in range(len(plain), 0, -1):
        if name := names.get(plain[:length]):
            return f"{name} ({FLAGS[flag]})" if flag in FLAGS else name
    return None


def municipality_regions(settings: Settings) -> dict[str, str]:
    """Region code (four digits) by municipality (three digits)."""
    rows = read_codelist(settings, "municipalities.csv")
    return {row["code"].strip().zfill(4)[1:]: row["region"] for row in rows}
