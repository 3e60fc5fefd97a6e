"""What must not change while a study is open: guarding settings, the identity of its tables, closed side doors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.governance.access.platform_reads import platform_at_work
from lakehouse.governance.guard import side_doors
from lakehouse.governance.plans.text import below
from lakehouse.governance.scope.reconcile import NEVER_RUN
from lakehouse.spark_internals.delta import newest_snapshot
from lakehouse.spark_internals.statements import statement_tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import SparkSession

    from lakehouse.governance.access.row_rules import RowRules
    from lakehouse.lake import Lake

GUARDING = (
    "spark.sql.extensions",
    "spark.sql.queryExecutionListeners",
    "spark.sql.maxMetadataStringLength",
    "spark.databricks.delta.optimizeMetadataQuery.enabled",
    "spark.sql.optimizer.excludedRules",
    "spark.sql.redaction.string.regex",
    "spark.redaction.regex",
)
"""Settings whose change would blind an observer or let a condition of the job run before the row rules."""


class GuardedState:
    """Taken at the opening of a study, compared at its end."""

    def __init__(self, lake: Lake, rules: RowRules) -> None:
        self._spark, self._settings, self._paths = lake.spark, lake.settings, dict(rules.paths)
        self._watcher: side_doors.Watcher | None = None
        self._conf = self._settings_now()
        self._ids = {table: table_id(self._spark, path) for table, path in self._paths.items()}

    def close_doors(self, report: Callable[[str], None]) -> None:
        """Watch the JVM and Arrow's readers, and close lake, keys and results to workers."""
        settings = self._settings
        closed = [settings.lake, settings.keys, settings.results, settings.artifacts]

        roots = [os.path.realpath(root) for root in closed]

        def watcher(door: str, what: str) -> None:
            if door == "jvm":
                report(f"The JVM was asked for {what}")
            elif door == "arrow" and any(below(what, root) for root in roots[:2]):
                report(f"Arrow opened {what}")
            elif door == "handing" and any(below(what, root) or below(root, what) for root in roots):
                report(f"Spark was given {what} to hand to its workers")
            elif door == "sql" and (command := self.never_run(what)):
                report(f"{command} would bring code or files into Spark unseen")

        self._watcher = watcher
        side_doors.add(self._spark, watcher)
        side_doors.close_workers(self._spark, closed, [settings.keys / "studies"])

    def open_doors(self) -> None:
        """Watch the JVM and Arrow's readers no longer."""
        if self._watcher is not None:
            side_doors.remove(self._watcher)

    def never_run(self, statement: str) -> str | None:
        """The command of a statement that no study may run; Spark itself says what it cannot parse."""
        try:
            tree = statement_tree(self._spark, statement)
        except Exception:
            return None
        return next((name for name in NEVER_RUN if name in tree), None)

    def doubts(self) -> list[str]:
        """Guarding settings that are not what they were."""
        now = self._settings_now()
        return [f"the setting {name} was changed" for name in GUARDING if now[name] != self._conf[name]]

    def swapped(self) -> list[str]:
        """Tables that another table has taken the place of."""
        with platform_at_work():
            found = {table: table_id(self._spark, path) for table, path in self._paths.items()}
        return [
            f"{table} was exchanged for another table" for table in found if found[table] != self._ids[table]
        ]

    def _settings_now(self) -> dict[str, str | None]:
        return {name: self._spark.conf.get(name, None) for name in GUARDING}


def table_id(spark: SparkSession, path: Path) -> str:
    """Identity of a Delta table: stays through all its versions, differs for a table put in its place."""
    return newest_snapshot(spark, path).table_id
