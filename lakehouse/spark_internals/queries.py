"""Queries as Spark tells of them: a frame's own, and every query of a session through a listener in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import DataFrame, SparkSession

Notice = Callable[[str, Any, bool], None]
"""Called with the action's name, the query and whether it failed."""


def session_name(spark: SparkSession) -> str:
    """A text that no other session of this or another Spark application has."""
    return f"{spark.sparkContext.applicationId} {spark._jsparkSession.sessionUUID()}"


def query_of(frame: DataFrame) -> Any:
    """A frame's query, planned when its plans are asked for."""
    return frame._jdf.queryExecution()


def query_id(query: Any) -> str:
    """Identity of a query; Spark's status store gives one that was run again a new one."""
    return str(query.queryId().toString())


def analysed_plan(query: Any) -> Any:
    """A query's logical plan with every name resolved, before optimising leaves any source out."""
    return query.analyzed()


def executed_plan_json(context: SparkContext, query: Any) -> str:
    """JSON of an event whose ``sparkPlanInfo`` is the final physical plan, in the form Spark's event log has."""
    jvm: Any = context._jvm
    sql = jvm.org.apache.spark.sql.execution
    info = sql.SparkPlanInfo.fromSparkPlan(query.executedPlan())
    event = sql.ui.SparkListenerSQLAdaptiveExecutionUpdate(0, "", info)
    return str(jvm.org.apache.spark.util.JsonProtocol.sparkEventToJsonString(event))


def listen(spark: SparkSession, notice: Notice) -> None:
    """Let ``notice`` hear of every query of the session that ended or failed, until the session's end.

    Spark removes a listener by identity, which an object on the Python side has not: this one cannot leave. The
    session holds the listener, and it ``notice``.
    """
    from pyspark.java_gateway import ensure_callback_server_started

    begin: Any = ensure_callback_server_started
    begin(spark.sparkContext._gateway)
    spark._jsparkSession.listenerManager().register(_Listener(notice))


def wait_for_events(context: SparkContext, milliseconds: int) -> None:
    """Wait until all listeners have heard of what has happened so far; Java's exception when it takes longer."""
    scala_context(context).listenerBus().waitUntilEmpty(milliseconds)


def cancel_everything(context: SparkContext) -> None:
    """Stop all running jobs of the application."""
    scala_context(context).cancelAllJobs()


def scala_context(context: SparkContext) -> Any:
    """The JVM's own context behind Python's."""
    java: Any = context._jsc
    return java.sc()


class _Listener:
    """The object Spark calls after each query; Spark swallows what it raises."""

    def __init__(self, notice: Notice) -> None:
        self.notice = notice

    def onSuccess(self, action: str, query: Any, nanoseconds: int) -> None:  # noqa: N802
        """A query ended."""
        self.notice(action, query, False)

    def onFailure(self, action: str, query: Any, error: Any) -> None:  # noqa: N802
        """A query failed; it may have read before it did."""
        self.notice(action, query, True)

    class Java:
        """The Java interface this object stands for."""

        implements: ClassVar = ["org.apache.spark.sql.util.QueryExecutionListener"]
