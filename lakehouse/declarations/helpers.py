"""What declarations have in common: person columns, file patterns, moments, and code lists as SQL."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from functools import cache

from lakehouse.declarations.schema import Field, Type
from lakehouse.settings import conf_dir

PERSON_HEADERS = ("pnr", "pnr12", "cpr", "v_cpr", "v_pnr", "cprnummer", "patient_cpr")


def person(*, filled: bool = True, also: Iterable[str] = ()) -> Field:
    """The person a row is about, under any header registers use."""
    return Field("person_id", Type.PERSON, aliases=(*PERSON_HEADERS, *also), filled=filled)


def moment(column: str) -> str:
    """SQL of a date column of the silver row as a moment."""
    return f"CAST(row.{column} AS TIMESTAMP_NTZ)"


def prefixed(system: str, sql: str) -> str:
    """SQL of a code written system//code."""
    return f"concat('{system}//', {sql})"


@cache
def codelist(name: str) -> tuple[dict[str, str], ...]:
    """Rows of a list under ``conf/codelists`` (``;``-separated, UTF-8, header; lines with # are remarks)."""
    path = conf_dir() / "codelists" / f"{name}.csv"
    with path.open(encoding="utf-8", newline="") as handle:
        lines = (line for line in handle if not line.startswith("#"))
        return tuple(csv.DictReader(lines, delimiter=";"))


def translated(sql: str, table: Mapping[str, str]) -> str:
    """SQL of a text looked up in a table; null where the table does not know it.

    Raises :class:`ValueError` where a text holds a quote or a backslash, which would end the SQL.
    """
    for text in (*table, *table.values()):
        if "'" in text or "\\" in text:
            raise ValueError("no quotes and no backslashes in code lists")
    pairs = ", ".join(f"'{key}', '{value}'" for key, value in table.items())
    return f"try_element_at(map({pairs}), {sql})"
