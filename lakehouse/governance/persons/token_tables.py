"""Every Delta table that carries tokens, wherever it lies, and what its token columns mean."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.declarations.schema import Type
from lakehouse.delivery.find import all_sources
from lakehouse.delta.log import is_table
from lakehouse.delta.read import schema_of

if TYPE_CHECKING:
    from lakehouse.lake import Lake
    from lakehouse.settings import Settings

SHAPE = "^[0-9a-f]{34}$"
"""What a token looks like: version byte and 128 bits in hex."""
GOLD_KEYS = ("encounter_id", "spell_id")


@dataclass(frozen=True)
class TokenTable:
    """A Delta table and its text columns.

    ``subject`` columns say whom a row is about, ``keys`` which record it belongs to, ``others`` are all further
    text columns (relatives are among them).
    """

    path: Path
    subject: tuple[str, ...]
    keys: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def sql(self) -> str:
        """The table's name in SQL."""
        return f"delta.`{self.path}`"


@cache
def declared() -> tuple[frozenset[str], frozenset[str]]:
    """Column names of all declared sources that say whom a row is about, and that name a record."""
    subject, keys = {"person_id"}, set(GOLD_KEYS)
    for source in (each for some in all_sources().values() for each in some):
        for field in (field for table in source.tables for field in table.fields):
            if field.type is Type.KEY:
                keys.add(field.name)
            elif field.type is Type.PERSON and field.filled:
                subject.add(field.name)
    return frozenset(subject), frozenset(keys)


def delta_folders(settings: Settings) -> list[Path]:
    """Every Delta table below the home: the lake's, and extracts cut from it."""
    return sorted({log.parent for log in settings.home.rglob("_delta_log") if is_table(log.parent)})


def token_tables(lake: Lake) -> list[TokenTable]:
    """Every Delta table with a text column."""
    subject, keys = declared()
    found = []
    for path in delta_folders(lake.settings):
        schema = schema_of(lake.spark, path)
        texts = [field.name for field in schema if field.dataType.typeName() in ("string", "varchar")]
        if texts:
            found.append(
                TokenTable(
                    path,
                    tuple(name for name in texts if name in subject),
                    tuple(name for name in texts if name in keys),
                    tuple(name for name in texts if name not in subject | keys),
                )
            )
    return found
