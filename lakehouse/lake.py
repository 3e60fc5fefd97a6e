"""The lake as code works with it: the session that reads and writes its tables, and where they lie."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.delta.log import is_table, newest_version
from lakehouse.delta.read import rows_of
from lakehouse.delta.tables import read_version, table_path

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from lakehouse.settings import Settings


@dataclass(frozen=True)
class Lake:
    """The Delta tables of one home, by name (``gold.event``), and the session that reads and writes them.

    It holds the session, so it stays on the driver: what a worker needs of it (a path, a code list) is taken out first.
    """

    spark: SparkSession
    settings: Settings

    def path(self, name: str) -> Path:
        """Folder of a table, whether or not there is one; :class:`DataError` where the name is none of a table."""
        return table_path(self.settings, name)

    def holds(self, name: str) -> bool:
        """Whether there is a table of that name."""
        return is_table(self.path(name))

    def version(self, name: str) -> int:
        """Newest version of a table, -1 where there is none."""
        return newest_version(self.path(name))

    def read(self, name: str, **within: Collection[str]) -> DataFrame:
        """Rows of a table's newest version, by its log; ``within`` keeps some partitions alone (``file_id=[…]``).

        For whoever holds the lake's writer lock. Studies read versions that belong together.
        """
        return rows_of(self.spark, self.path(name), **within)

    def read_version(self, name: str, version: int) -> DataFrame:
        """A table pinned to one version."""
        return read_version(self.spark, self.path(name), version)
