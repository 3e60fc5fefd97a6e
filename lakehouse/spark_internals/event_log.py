"""Spark's own event logger, added to a running application for a while."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakehouse.spark_internals.queries import scala_context

if TYPE_CHECKING:
    from pyspark import SparkContext

SETTINGS = (("compress", "false"), ("rolling.enabled", "false"), ("overwrite", "true"))
"""One plain file, so that each line is an event as JSON."""


class EventLogger:
    """Writes the application's events to one file in a folder, from its making until :meth:`stop`."""

    def __init__(self, context: SparkContext, folder: Path) -> None:
        jvm: Any = context._jvm
        self._scala = scala_context(context)
        conf = self._scala.getConf()  # a copy: no setting of the application is touched
        for name, value in SETTINGS:
            conf.set(f"spark.eventLog.{name}", value)
        self._logger = jvm.org.apache.spark.scheduler.EventLoggingListener(
            self._scala.applicationId(),
            jvm.scala.Option.apply(None),
            jvm.java.net.URI(folder.as_uri()),
            conf,
            self._scala.hadoopConfiguration(),
        )
        self._logger.start()
        self._scala.addSparkListener(self._logger)

    def stop(self) -> None:
        """Write no more and close the file."""
        try:
            self._scala.removeSparkListener(self._logger)
        finally:
            self._logger.stop()
