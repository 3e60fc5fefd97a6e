"""What a study fixes when it opens: the version of every table, and that its predicates are plain conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.errors import ConfigurationError, DataError
from lakehouse.governance.plans.tree import parse_plan
from lakehouse.spark_internals.delta import newest_snapshot
from lakehouse.spark_internals.statements import condition_json

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from lakehouse.lake import Lake


def pin(lake: Lake, tables: Iterable[str], versions: Mapping[str, int]) -> dict[str, tuple[Path, int]]:
    """Path and version of every table that is there, and of ``gold.person``, which row rules need.

    The version is the newest, or the one ``versions`` gives. Raises :class:`DataError` where no table is there.
    """
    pinned = {}
    for table in dict.fromkeys([*tables, "gold.person"]):
        path = lake.path(table)
        version = newest_version(lake.spark, path)
        if version is not None:
            pinned[table] = (path, versions.get(table, version))
    if not pinned:
        raise DataError(
            f"The lake at {lake.settings.lake} holds none of the permit's tables.",
            "There is nothing a study could read.",
            "Run 'patternlake ingest DIR' first.",
        )
    return pinned


def newest_version(spark: SparkSession, path: Path) -> int | None:
    """Newest version of a Delta table, without a query; ``None`` when there is no table."""
    version = newest_snapshot(spark, path).version
    return version if version >= 0 else None


def check_predicate(spark: SparkSession, predicate: str, table: str = "gold.person") -> None:
    """Check that a population, cohort or row rule is one condition on the columns of one table.

    Raises :class:`ConfigurationError` where it is more, or no SQL condition at all.
    """
    if predicate.strip().lower() == "all":
        return
    try:
        parsed = parse_plan(condition_json(spark, predicate))
    except Exception as error:
        raise ConfigurationError(
            f"'{predicate}' is no SQL condition.",
            "It decides whose data a study may see, so it is never guessed.",
            "Correct population in the permit or cohort in the study.",
        ) from error
    if any(node.is_plan or "Subquery" in node.name or node.name == "Exists" for node in parsed.walk()):
        raise ConfigurationError(
            f"'{predicate}' looks into other tables.",
            f"A population, cohort or row rule is one condition on the columns of {table}.",
            "Write it without SELECT.",
        )
